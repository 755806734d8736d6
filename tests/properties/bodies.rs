//! What must hold for any input, one function each. `main.rs` runs them on inputs made by proptest, the targets in
//! `fuzz/` on those that a fuzzer finds.

#[path = "forms.rs"]
pub mod forms;
#[path = "http2_model.rs"]
pub mod http2_model;

use std::{
    collections::HashMap,
    io,
    pin::Pin,
    sync::{Arc, LazyLock},
    task::{Context, Poll, Waker},
};

use bytes::BytesMut;
use gatewayctl::{
    config::{self, Input, Loaded, Options},
    diff::{Change, FieldChange, Side, compare, diff},
    http_codec::{
        BodyDecoder, DecodeStep,
        http2::hpack::{self, Field},
    },
    model::State,
    net::{Body, Http1},
    plugin,
    proxy::{
        http1::head::{HeadParser, ParseStatus},
        http2::harness::ConnectionHarness,
    },
    router,
    runtime::{self, Gateway, HeadLimits, Snapshot},
    server,
    source::{scan::differential, to_yaml},
    store::Stores,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    runtime::Runtime,
};

/// Reads a text as the file of that name.
pub fn read(name: &str, text: &[u8]) -> Loaded {
    let env = |_: &str| Some("8080".to_owned());
    let options = Options { env: &env, ..Options::new(gatewayctl::catalog().expect("a catalog")) };
    let input = Input::Text { name: name.to_owned(), text: text.to_owned() };
    config::load(&input, &options).expect("a text at hand can be read")
}

/// Loading never panics; it ends with a state or with an error, and every finding points into the file.
pub fn load(text: &[u8]) {
    for name in ["kong.yml", "kong.json", "POST /config"] {
        let loaded = read(name, text);
        assert_eq!(loaded.state.is_none(), loaded.findings.has_errors(), "{name}: state or error, not both");
        for finding in loaded.findings.iter() {
            let Some(span) = finding.span() else { continue };
            let text = loaded.sources.get(span.file).text();
            let (start, end) = (span.start as usize, span.end as usize);
            assert!(start <= end && end <= text.len(), "{}: {start}..{end} of {}", finding.code, text.len());
            assert!(
                text.is_char_boundary(start) && text.is_char_boundary(end),
                "{}: inside a character",
                finding.code
            );
        }
    }
}

/// What our own scanner reads of a text, libyaml reads too.
pub fn scan(text: &str) {
    differential::matches_libyaml(text);
}

/// A text that is loaded twice differs in nothing; what is dumped loads as the same again, and a gateway that reports the
/// dump serves the text.
pub fn dump(text: &[u8]) {
    let loaded = read("kong.yml", text);
    let (Some(state), again) = (&loaded.state, read("kong.yml", text)) else { return };
    assert_equal(&loaded, &again, false, "loaded twice");
    let dumped = to_yaml(&server::configuration_document(state));
    let again = read("kong.yml", dumped.as_bytes());
    let errors: Vec<_> = again.findings.iter().map(|f| (f.code, &f.message, &f.path)).collect();
    // A plugin may be nested in an entity to which it must not refer (key-auth in a consumer), as in Kong, which checks
    // the reference only where it is written. A dump writes it.
    let is_reference = |path: &str| path.starts_with("plugins[") && path.ends_with("].consumer");
    if errors
        .iter()
        .all(|(code, _, path)| *code == "config/conflict" && path.as_deref().is_some_and(is_reference))
        && !errors.is_empty()
    {
        return;
    }
    let Some(dump) = &again.state else { panic!("its dump is refused: {errors:?}\n{dumped}") };
    let changes: Vec<String> = diff(state, dump, gatewayctl::catalog().expect("a catalog"))
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(changes.is_empty(), "its dump differs: {changes:?}\n{dumped}");
    assert_equal(&again, &loaded, true, &dumped);
}

/// Two configurations do not differ; `running` if a gateway reported the first.
pub fn assert_equal(old: &Loaded, new: &Loaded, running: bool, what: &str) {
    let side = |loaded, running| Side { running, ..Side::loaded(loaded).expect("a valid file") };
    let changes = compare(&side(old, running), &side(new, false));
    let fields = |change: &Change| change.fields.iter().map(FieldChange::name).collect::<Vec<_>>().join(", ");
    let changes: Vec<_> = changes.iter().map(|c| format!("{:?} {c}: {}", c.action, fields(c))).collect();
    assert!(changes.is_empty(), "{changes:#?}\n{what}");
}

/// Templates of the transformers never panic, whatever stands in them.
pub fn template(text: &str) {
    let value = format!("x-a:$({text})");
    let file = serde_json::json!({
        "_format_version": "3.0",
        "plugins": [{ "name": "request-transformer", "config": { "add": { "headers": [value], "querystring": [text] } } }],
    });
    read("kong.json", file.to_string().as_bytes());
}

/// The row that takes a field out of bodies, built.
static REMOVAL: LazyLock<(Arc<State>, Snapshot)> = LazyLock::new(|| {
    let file = serde_json::json!({
        "_format_version": "3.0",
        "plugins": [{ "name": "request-transformer", "config": { "remove": { "body": ["password"] } } }],
    });
    let state = read("kong.json", file.to_string().as_bytes()).state.expect("a valid file");
    let options =
        runtime::Options { registry: gatewayctl::registry().clone(), ..runtime::Options::default() };
    let (snapshot, problems) = runtime::compile(Arc::clone(&state), &options, &Stores::default(), None);
    assert!(problems.is_empty(), "{problems:?}");
    (state, snapshot)
});

/// The body that request-transformer sends on in place of this one; `None` if it refuses it.
fn without_password(content_type: &str, body: &[u8]) -> Option<Vec<u8>> {
    let (state, snapshot) = &*REMOVAL;
    let (row, _) = state.plugins.iter().next().expect("a row");
    let mut exchange = plugin::testing::request("POST", "/", &[("content-type", content_type)], "");
    exchange.request.body = Body::from_bytes(body.to_vec());
    let hook = async {
        let call = plugin::Ctx { exchange: &mut exchange, state };
        match snapshot.plugin(row, plugin::Phase::Access).expect("it is built").access(call).finish().await {
            Ok(()) => Some(exchange.request.read_body(usize::MAX).await.expect("a body at hand").to_vec()),
            Err(plugin::ShortCircuit::Respond(reply)) if reply.status == 400 => None,
            Err(other) => panic!("{other:?}"),
        }
    };
    futures_util::future::FutureExt::now_or_never(hook).expect("a body at hand does not wait")
}

/// A field that must go is in no body that is sent on, as another parser reads it; what that parser reads is not
/// refused, and loses nothing else.
pub fn fields(body: &[u8]) {
    let after = without_password("application/json", body);
    let object =
        |text: &[u8]| serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(text).ok();
    let expected = object(body).map(|mut fields| {
        fields.shift_remove("password");
        fields
    });
    if let Some(expected) = expected {
        let after = after.as_deref().expect("it is JSON");
        assert_eq!(object(after), Some(expected), "{}", String::from_utf8_lossy(after));
    } else if let Some(fields) = after.as_deref().and_then(object) {
        assert!(!fields.contains_key("password"), "{}", String::from_utf8_lossy(body));
    }
    if let Some(after) = without_password("application/x-www-form-urlencoded", body) {
        assert!(form_urlencoded::parse(&after).all(|(name, _)| name != "password"));
    }
    if let Some(after) = without_password("multipart/form-data; boundary=b", body) {
        let again = without_password("multipart/form-data; boundary=b", &after);
        assert_eq!(again.as_deref(), Some(&*after), "a second time nothing is left to take out");
    }
}

/// A request head is parsed with the same result as a whole and in pieces, and its fields are valid for the `http` crate.
pub fn head(bytes: &[u8], piece: usize) {
    let read = |ends: &mut dyn Iterator<Item = usize>| {
        let mut scan = HeadParser::default();
        for end in ends {
            match scan.advance(&bytes[..end], HeadLimits::default()) {
                ParseStatus::Partial => {}
                ParseStatus::Rejected(refusal) => return format!("{refusal:?}"),
                ParseStatus::Complete => {
                    let mut rest = BytesMut::from(&bytes[..end]);
                    let head = scan.take(&mut rest);
                    return format!("{head:?}, after {}", end - rest.len());
                }
            }
        }
        "more is needed".to_owned()
    };
    let whole = read(&mut std::iter::once(bytes.len()));
    let in_pieces = read(&mut (0..bytes.len()).step_by(piece.max(1)).chain([bytes.len()]));
    assert_eq!(whole, in_pieces, "in pieces of {piece}");
}

/// A request head that is taken says what another parser reads in it, and ends where that one ends.
pub fn request(bytes: &[u8]) {
    let mut scan = HeadParser::default();
    let ParseStatus::Complete = scan.advance(bytes, HeadLimits::default()) else { return };
    let mut rest = BytesMut::from(bytes);
    let Ok(ours) = scan.take(&mut rest) else { return };
    let mut fields = vec![httparse::EMPTY_HEADER; 1000];
    let mut theirs = httparse::Request::new(&mut fields);
    let length = match theirs.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        // A field without a colon is none to that parser.
        Err(httparse::Error::HeaderName) if ours.headers.values().any(HeaderValue::is_empty) => return,
        // Nor are targets that are no text.
        Err(httparse::Error::Token) if std::str::from_utf8(bytes).is_err() => return,
        other => panic!("{other:?} but {ours:?}"),
    };
    assert_eq!(length, bytes.len() - rest.len());
    assert_eq!(Some(ours.method.as_str()), theirs.method);
    assert_eq!(Some(u8::from(ours.version == http::Version::HTTP_11)), theirs.version);
    let target = theirs.path.expect("a target");
    // What `Uri` does not take is escaped.
    if target.is_ascii() && !target.contains(['<', '>', '"', '`']) {
        assert_eq!(Some(ours.uri), target.parse().ok());
    }
    let headers: HeaderMap = theirs
        .headers
        .iter()
        .map(|field| (field.name.parse::<HeaderName>(), HeaderValue::from_bytes(field.value)))
        .map(|(name, value)| (name.expect("a name"), value.expect("a value")))
        .collect();
    assert_eq!(*ours.headers, headers);
}

/// A chunked body is decoded to the same data, and ends at the same byte, as a whole and in pieces.
pub fn chunks(bytes: &[u8], piece: usize) {
    let read = |piece: usize| {
        let (mut decoder, mut buffer, mut data) = (BodyDecoder::chunked(), BytesMut::new(), Vec::new());
        let (mut pieces, mut given) = (bytes.chunks(piece.max(1)), 0);
        loop {
            match decoder.step(&mut buffer) {
                Ok(DecodeStep::Data(bytes)) => data.extend_from_slice(&bytes),
                Ok(DecodeStep::Trailers(_)) => {}
                Ok(DecodeStep::Ended) => return (data, Ok(Some(given - buffer.len()))),
                Err(error) => return (data, Err(error)),
                Ok(DecodeStep::NeedMore) => match pieces.next() {
                    Some(bytes) => {
                        given += bytes.len();
                        buffer.extend_from_slice(bytes);
                    }
                    None => return (data, Ok(None)),
                },
            }
        }
    };
    assert_eq!(read(bytes.len()), read(piece), "in pieces of {piece}");
}

/// An upstream that says these bytes, so many at a time, and closes.
struct Says<'a> {
    bytes: &'a [u8],
    piece: usize,
}

impl AsyncRead for Says<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (here, rest) = self.bytes.split_at(self.piece.min(buf.remaining()).min(self.bytes.len()));
        buf.put_slice(here);
        self.bytes = rest;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Says<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Status, headers, body, trailers and whether all of it came, of what an upstream says.
type ParsedResponse = (http::StatusCode, http::HeaderMap, Vec<u8>, Option<http::HeaderMap>, bool);

fn parse_response(bytes: &[u8], piece: usize, head_only: bool) -> Option<ParsedResponse> {
    let mut cx = Context::from_waker(Waker::noop());
    let mut upstream = Http1::new(Says { bytes, piece });
    upstream.head().extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
    upstream.send_request(Body::Empty, false, head_only, false);
    let Poll::Ready(head) = upstream.poll_response(&mut cx) else { panic!("nothing is waited for") };
    let head = head.ok()?;
    let (mut body, mut trailers) = (Vec::new(), None);
    loop {
        let Poll::Ready(frame) = upstream.poll_frame(&mut cx) else { panic!("nothing is waited for") };
        match frame {
            None => return Some((head.status, head.headers.into_map(), body, trailers, true)),
            Some(Err(_)) => return Some((head.status, head.headers.into_map(), body, trailers, false)),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => body.extend_from_slice(&data),
                Err(frame) => trailers = frame.into_trailers().ok(),
            },
        }
    }
}

/// An upstream's response is parsed with the same result as a whole and in pieces, and its fields never contain its
/// framing.
pub fn answer(bytes: &[u8], piece: usize) {
    for head_only in [false, true] {
        let whole = parse_response(bytes, usize::MAX, head_only);
        assert_eq!(whole, parse_response(bytes, piece.max(1), head_only), "in pieces of {piece}");
        let Some((_, headers, ..)) = whole else { continue };
        assert!(!headers.contains_key("transfer-encoding"), "a header has the framing: {headers:?}");
    }
}

/// Targets and hosts never panic, and what goes upstream is a path that `http` takes.
pub fn target(text: &str) {
    let normal = router::normalize(text);
    let escaped = router::escape_for_upstream(&normal);
    assert!(escaped.is_ascii(), "{escaped:?} goes upstream");
    if escaped.starts_with('/') {
        assert!(escaped.parse::<http::uri::PathAndQuery>().is_ok(), "{escaped:?} is no path");
    }
    let (host, _) = router::split_port(text);
    assert!(text.starts_with(host));
}

/// Header blocks, each behind a byte for its length: what is read of one is written, and read again, as the same.
pub fn hpack(mut bytes: &[u8]) {
    let (mut reader, mut writer, mut other) =
        (hpack::Decoder::default(), hpack::Encoder::default(), hpack::Decoder::default());
    while let Some((&length, rest)) = bytes.split_first() {
        let (block, rest) = rest.split_at(usize::from(length).min(rest.len()));
        bytes = rest;
        let (mut read, mut again, mut out) = (Vec::new(), Vec::new(), Vec::new());
        if reader.decode(block, |field, size| read.push((field, size))).is_err() {
            return;
        }
        // Both ends have to agree on tables of any size.
        writer.set_max_table_size(usize::from(length) * 32);
        writer.start_block(&mut out);
        read.retain(|(field, _)| matches!(field, Field::Header(..)));
        for (field, _) in &read {
            let Field::Header(name, value) = field else { continue };
            writer.header(name, value, &mut out);
        }
        other.decode(&out, |field, size| again.push((field, size))).expect("a block of our own");
        assert_eq!(read, again);
    }
}

/// A client's frames from bytes that say of each its kind, flags, stream and length before its payload: random bytes
/// make few frames that are whole. The longest stands for sixteen KiB, so that windows fill.
pub fn frames(mut bytes: &[u8]) -> Vec<u8> {
    const LONG: usize = 16 * 1024;
    let mut out = Vec::new();
    while let Some((&[kind, flags, stream, length], rest)) = bytes.split_first_chunk() {
        let (payload, rest) = rest.split_at(usize::from(length).min(rest.len()));
        let more = if length == u8::MAX { LONG - payload.len() } else { 0 };
        let [.., a, b, c] = (payload.len() + more).to_be_bytes();
        out.extend_from_slice(&[a, b, c, kind, flags, 0, 0, 0, stream]);
        out.extend_from_slice(payload);
        out.resize(out.len() + more, b'.');
        bytes = rest;
    }
    out
}

/// A client that sends these bytes in pieces, one each turn, reads up to 64 times as much in a turn, and closes the
/// connection when it makes no progress.
struct Client<'a> {
    unsent: &'a [u8],
    received: Vec<u8>,
    piece: usize,
    /// Whether this turn's piece has been sent, and read.
    turn: [bool; 2],
    closes: bool,
}

impl Client<'_> {
    /// Whether the client makes progress in this direction: alternates between true and false.
    fn may_proceed(&mut self, way: usize) -> bool {
        self.turn[way] ^= true;
        self.turn[way]
    }
}

impl AsyncRead for Client<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.closes && (self.unsent.is_empty() || !self.may_proceed(0)) {
            return Poll::Pending;
        }
        let (here, rest) = self.unsent.split_at(self.piece.min(buf.remaining()).min(self.unsent.len()));
        buf.put_slice(here);
        self.unsent = rest;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Client<'_> {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if !self.may_proceed(1) {
            return Poll::Pending;
        }
        let count = bytes.len().min(self.piece.saturating_mul(64));
        self.received.extend_from_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A gateway without upstreams: one route echoes the request, the other responds with more than a window of data.
pub static GATEWAY: LazyLock<Arc<Gateway>> = LazyLock::new(|| {
    let terminated = |path: &str, config: serde_json::Value| {
        let plugins = serde_json::json!([{ "name": "request-termination", "config": config }]);
        serde_json::json!({ "name": path, "paths": [format!("/{path}")], "plugins": plugins })
    };
    let routes = [
        terminated("echo", serde_json::json!({ "status_code": 200, "echo": true })),
        terminated("long", serde_json::json!({ "status_code": 200, "body": ".".repeat(70_000) })),
    ];
    let file = serde_json::json!({
        "_format_version": "3.0",
        "services": [{ "name": "s", "url": "http://127.0.0.1:1", "routes": routes }],
    });
    let state = read("kong.json", file.to_string().as_bytes()).state.expect("a valid file");
    let (options, stores) = (
        runtime::Options { registry: gatewayctl::registry().clone(), ..runtime::Options::default() },
        Stores::default(),
    );
    let (snapshot, _) = runtime::compile(state, &options, &stores, None);
    Gateway::new(options, stores, snapshot)
});

/// Runtime that timers register with. It is never driven, so no timer fires.
pub static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime"));

/// For any bytes that an HTTP/2 client sends after the preface, at any pace, the connection keeps its invariants, wakes
/// every stream that can make progress, and sends only frames that RFC 9113 allows.
pub fn http2(bytes: &[u8], piece: usize) {
    let _timers = RUNTIME.enter();
    let mut cx = Context::from_waker(Waker::noop());
    let sent = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", bytes].concat();
    let client =
        Client { unsent: &sent, received: Vec::new(), piece: piece.max(1), turn: [false; 2], closes: false };
    let mut connection = ConnectionHarness::new(&GATEWAY, client);
    let mut last_progress = (0, 0);
    while connection.turn(&mut cx).is_pending() {
        let client = connection.stream();
        let now = (client.unsent.len(), client.received.len());
        client.closes = std::mem::replace(&mut last_progress, now) == now;
    }
    check_frames(&connection.stream().received);
}

/// What the server has sent on a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum SentState {
    #[default]
    Nothing,
    Head,
    All,
    Reset,
}

/// Checks that a server sent valid frames: on each stream a head, data, optional trailers, and then at most a reset.
fn check_frames(mut bytes: &[u8]) {
    let (mut streams, mut decoder) = (HashMap::<u32, SentState>::new(), hpack::Decoder::default());
    while let Some((&[a, b, c, kind, flags, e, f, g, h], rest)) = bytes.split_first_chunk() {
        let (length, id) = (u32::from_be_bytes([0, a, b, c]), u32::from_be_bytes([e, f, g, h]));
        assert!(length <= 16 * 1024, "a frame of {length} bytes");
        // The client may have read only a part of the last frame.
        let Some((payload, rest)) = rest.split_at_checked(length as usize) else { return };
        bytes = rest;
        let mut fields = 0;
        if kind == 1 {
            assert!(flags & 4 != 0, "a head in several frames");
            decoder.decode(payload, |_, _| fields += 1).expect("a valid field block");
        }
        let stream = streams.entry(id).or_default();
        let ends = flags & 1 != 0;
        *stream = match (kind, *stream) {
            // An interim response has only a status.
            (1, SentState::Nothing) if !ends && fields == 1 => SentState::Nothing,
            (0, SentState::Head) | (1, SentState::Nothing) if !ends => SentState::Head,
            (0, SentState::Head) | (1, SentState::Nothing | SentState::Head) if ends => SentState::All,
            (3, SentState::Nothing | SentState::Head | SentState::All) => {
                assert_ne!(payload, [0, 0, 0, 2], "INTERNAL_ERROR");
                SentState::Reset
            }
            (8, SentState::Nothing | SentState::Head) => {
                assert_ne!(payload, [0, 0, 0, 0], "the increment is 0");
                *stream
            }
            (4 | 6 | 7, SentState::Nothing) if id == 0 => SentState::Nothing,
            (_, so_far) => panic!("a frame of kind {kind} on stream {id} after {so_far:?}"),
        };
    }
}
