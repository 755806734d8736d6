//! What must hold for any input, one function each. `main.rs` runs them on inputs made by proptest, the targets in
//! `fuzz/` on those that a fuzzer finds.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::BytesMut;
use gatewayctl::{
    config::{self, Input, Loaded, Options},
    diff::diff,
    net::{Body, Decoder, Http1, Step},
    proxy::http1::head::{Scan, Scanned},
    router, server,
    source::to_yaml,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Reads a text as the file of that name.
fn read(name: &str, text: &[u8]) -> Loaded {
    let env = |_: &str| Some("8080".to_owned());
    let options = Options { env: &env, ..Options::default() };
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

/// What is loaded differs in nothing from itself, and what is dumped loads as the same again.
pub fn dump(text: &[u8]) {
    let Some(state) = read("kong.yml", text).state else { return };
    assert!(diff(&state, &state).is_empty(), "differs from itself");
    let dumped = to_yaml(&server::document(&state));
    let again = read("kong.yml", dumped.as_bytes());
    let errors: Vec<_> = again.findings.iter().map(|f| (f.code, &f.message, &f.path)).collect();
    let Some(again) = again.state else { panic!("its dump is refused: {errors:?}\n{dumped}") };
    let changes: Vec<String> = diff(&state, &again).iter().map(ToString::to_string).collect();
    assert!(changes.is_empty(), "its dump differs: {changes:?}\n{dumped}");
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

/// A request head is judged alike whether it comes at once or in pieces, and what it says goes into HTTP's own types.
pub fn head(bytes: &[u8], piece: usize) {
    let read = |ends: &mut dyn Iterator<Item = usize>| {
        let mut scan = Scan::default();
        for end in ends {
            match scan.advance(&bytes[..end], gatewayctl::runtime::HeadLimits::default()) {
                Scanned::Partial => {}
                Scanned::Refused(refusal) => return format!("{refusal:?}"),
                Scanned::Complete => {
                    let mut rest = BytesMut::from(&bytes[..end]);
                    let head = scan.take(&mut rest);
                    return format!("{head:?}, after {}", end - rest.len());
                }
            }
        }
        "more is needed".to_owned()
    };
    let at_once = read(&mut std::iter::once(bytes.len()));
    let in_pieces = read(&mut (0..bytes.len()).step_by(piece.max(1)).chain([bytes.len()]));
    assert_eq!(at_once, in_pieces, "in pieces of {piece}");
}

/// A chunked body comes to the same, and ends at the same byte, whether it comes at once or in pieces.
pub fn chunks(bytes: &[u8], piece: usize) {
    let read = |piece: usize| {
        let (mut decoder, mut buffer, mut data) = (Decoder::chunked(), BytesMut::new(), Vec::new());
        let (mut pieces, mut given) = (bytes.chunks(piece.max(1)), 0);
        loop {
            match decoder.step(&mut buffer) {
                Ok(Step::Data(bytes)) => data.extend_from_slice(&bytes),
                Ok(Step::Trailers(_)) => {}
                Ok(Step::Ended) => return (data, Ok(Some(given - buffer.len()))),
                Err(error) => return (data, Err(error)),
                Ok(Step::More) => match pieces.next() {
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
type Heard = (http::StatusCode, http::HeaderMap, Vec<u8>, Option<http::HeaderMap>, bool);

fn hear(bytes: &[u8], piece: usize, head_only: bool) -> Option<Heard> {
    let mut cx = Context::from_waker(Waker::noop());
    let mut upstream = Http1::new(Says { bytes, piece });
    upstream.head().extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
    upstream.begin(Body::Empty, false, head_only, false);
    let Poll::Ready(head) = upstream.poll_answer(&mut cx) else { panic!("nothing is waited for") };
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

/// An upstream's answer is read alike whether it comes at once or in pieces, and is never told in two framings.
pub fn answer(bytes: &[u8], piece: usize) {
    for head_only in [false, true] {
        let at_once = hear(bytes, usize::MAX, head_only);
        assert_eq!(at_once, hear(bytes, piece.max(1), head_only), "in pieces of {piece}");
        let Some((_, headers, ..)) = at_once else { continue };
        assert!(!headers.contains_key("transfer-encoding"), "how it was framed is told: {headers:?}");
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
