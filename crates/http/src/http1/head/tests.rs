use proptest::prelude::*;

use super::*;

fn parse(text: &str, request: RequestFacts) -> Result<Option<(ParsedHead, BytesMut)>, HeadError> {
    let mut buffer = BytesMut::from(text);
    Ok(ResponseHeadParser::new(request).take(&mut buffer)?.map(|parsed| (parsed, buffer)))
}

fn complete(text: &str) -> ParsedHead {
    parse(text, RequestFacts::default()).expect("a head").expect("complete").0
}

#[test]
fn a_head_is_consumed_and_the_body_stays_in_the_buffer() {
    let text = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A: b\r\n\r\nabc";
    let (parsed, rest) = parse(text, RequestFacts::default()).expect("a head").expect("complete");
    assert_eq!(&rest[..], b"abc");
    assert_eq!(parsed.head.status, 200);
    assert_eq!(parsed.head.headers["x-a"], "b");
    assert!(parsed.keep_alive && parsed.head.reason.is_none());
    assert_eq!(parsed.body, BodyDecoder::length(3));
}

#[test]
fn a_prefix_of_a_head_is_incomplete() {
    let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Nowhere\r\nA: b\r\n\r\n";
    for end in 0..text.len() {
        assert!(parse(&text[..end], RequestFacts::default()).expect("no error").is_none(), "{end}");
    }
    let parsed = complete(text);
    assert_eq!(parsed.head.status, 404);
    assert_eq!(parsed.head.reason.expect("unusual words").as_bytes(), b"Nowhere");
}

#[test]
fn body_framing_follows_rfc_9112() {
    for (fields, body, keep) in [
        ("", BodyDecoder::until_close(), false),
        ("Content-Length: 0", BodyDecoder::ended(), true),
        ("Content-Length: 5, 5", BodyDecoder::length(5), true),
        ("Transfer-Encoding: Chunked", BodyDecoder::chunked(), true),
        ("Content-Length: 5\r\nConnection: x, Close", BodyDecoder::length(5), false),
    ] {
        let fields = if fields.is_empty() { String::new() } else { format!("{fields}\r\n") };
        let parsed = complete(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n"));
        assert_eq!((&parsed.body, parsed.keep_alive), (&body, keep), "{fields}");
        let length = parsed.head.headers.contains_key("content-length");
        assert_eq!(length, fields.contains("Length"), "{fields}");
        assert!(!parsed.head.headers.contains_key("transfer-encoding"), "{fields}");
    }
    assert_eq!(complete("HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n").body, BodyDecoder::ended());
    let request = RequestFacts { head_only: true, upgrade: false };
    let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    let (parsed, _) = parse(text, request).expect("a head").expect("complete");
    assert_eq!((parsed.body, parsed.keep_alive), (BodyDecoder::ended(), true));
    assert_eq!(parsed.head.headers["content-length"], "5");
}

#[test]
fn a_reason_may_be_absent_or_not_ascii_and_a_value_may_be_empty() {
    for line in ["HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.1 200 \u{e9}t\u{e9}"] {
        let parsed = complete(&format!("{line}\r\nA:\r\nB: \r\n\r\n"));
        assert_eq!(parsed.head.reason.expect("not the usual words").as_bytes(), b"", "{line}");
        assert!(["a", "b"].iter().all(|name| parsed.head.headers[*name].is_empty()), "{line}");
    }
}

#[test]
fn http_1_0_responses_are_kept_alive_only_with_connection_keep_alive() {
    assert!(!complete("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n").keep_alive);
    assert!(complete("HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
}

#[test]
fn ambiguous_framing_and_unknown_codings_are_rejected() {
    for (version, fields) in [
        ("1.0", "Transfer-Encoding: chunked"),
        ("1.1", "Transfer-Encoding: gzip, chunked"),
        ("1.1", "Transfer-Encoding: chunked, gzip"),
        ("1.1", "Transfer-Encoding: gzip"),
        ("1.1", "Transfer-Encoding: identity"),
        ("1.1", "Transfer-Encoding:"),
        ("1.1", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
    ] {
        let head = format!("HTTP/{version} 200 OK\r\n{fields}\r\n\r\n");
        assert!(matches!(parse(&head, RequestFacts::default()), Err(HeadError::Coding)), "{fields}");
    }
    for fields in
        ["Transfer-Encoding: chunked\r\nContent-Length: 5", "Content-Length: 0\r\nTransfer-Encoding: chunked"]
    {
        for status in ["200 OK", "304 Not Modified", "204 No Content"] {
            let head = format!("HTTP/1.1 {status}\r\n{fields}\r\n\r\n");
            assert!(matches!(parse(&head, RequestFacts::default()), Err(HeadError::Framing)), "{fields}");
        }
    }
}

#[test]
fn interim_heads_count_against_the_limit_of_the_head_they_precede() {
    let interim = format!("HTTP/1.1 103 Early Hints\r\nLink: {}\r\n\r\n", "a".repeat(1000));
    let (mut parser, mut buffer) = (ResponseHeadParser::new(RequestFacts::default()), BytesMut::new());
    let mut count = 0;
    let result = loop {
        buffer.extend_from_slice(interim.as_bytes());
        match parser.take(&mut buffer) {
            Ok(None) => count += 1,
            other => break other,
        }
    };
    assert!(matches!(result, Err(HeadError::TooLong)));
    assert_eq!(count, MAX_HEAD_BYTES / interim.len());
    // The next response has a limit of its own.
    let mut parser = ResponseHeadParser::new(RequestFacts::default());
    let mut buffer = BytesMut::from(format!("{interim}HTTP/1.1 200 OK\r\n\r\n").as_str());
    assert!(parser.take(&mut buffer).expect("a head").is_some());
}

#[test]
fn a_head_parses_the_same_at_any_split() {
    let text = "\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Nowhere\r\nA: b\r\nC: d\r\n\r\nrest";
    for piece in 1..text.len() {
        let (mut parser, mut buffer) = (ResponseHeadParser::new(RequestFacts::default()), BytesMut::new());
        let mut pieces = text.as_bytes().chunks(piece);
        let parsed = loop {
            buffer.extend_from_slice(pieces.next().expect("a head ends before its text"));
            if let Some(parsed) = parser.take(&mut buffer).expect("a head") {
                break parsed;
            }
        };
        let head = parsed.head;
        assert_eq!((head.status.as_u16(), head.headers.len()), (404, 2), "{piece}");
        assert_eq!(head.reason.expect("unusual words").as_bytes(), b"Nowhere", "{piece}");
        assert!(head.headers["a"] == "b" && head.headers["c"] == "d", "{piece}");
    }
}

#[test]
fn a_protocol_switch_must_have_been_requested() {
    let request = RequestFacts { upgrade: true, head_only: false };
    let switch = |upgrade: &str| format!("HTTP/1.1 101 Switching Protocols\r\n{upgrade}\r\n");
    let good = switch("Connection: Upgrade\r\nUpgrade: WebSocket\r\n");
    assert!(parse(&good, request).expect("a head").is_some());
    for (text, request) in
        [(&good, RequestFacts::default()), (&switch("Upgrade: h2c\r\n"), request), (&switch(""), request)]
    {
        assert!(matches!(parse(text, request), Err(HeadError::Switch)), "{text}");
    }
}

#[test]
fn malformed_heads_are_rejected() {
    for text in [
        "garbage\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 099 Low\r\n\r\n",
        "HTTP/1.1 000 None\r\n\r\n",
        "HTTP/1.1 600 High\r\n\r\n",
        "HTTP/1.1 999 High\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\rSet-Cookie: c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA B: c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ] {
        assert!(parse(text, RequestFacts::default()).is_err(), "{text}");
    }
    let endless = format!("HTTP/1.1 200 OK\r\nA: {}", "b".repeat(MAX_HEAD_BYTES));
    assert!(matches!(parse(&endless, RequestFacts::default()), Err(HeadError::TooLong)));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(MAX_FIELDS));
    assert_eq!(complete(&many).head.headers.len(), MAX_FIELDS);
    let more = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(MAX_FIELDS + 1));
    assert!(parse(&more, RequestFacts::default()).is_err());
}

const HEADS: &str = "(\r\n|\n|\r|)(HTTP/1[.][01]|HTTP/1[.][01]|HTTP/1[.][01] |HTTP/1[.]2|HTT|ssh)( |)[0-9]{3}(0|:|)\
    ( [a-z\t\u{e9}]{0,3}| OK\u{7f}| OK|)(\r\n|\r\n|\n|\r|)\
    ([a-zA-Z]{1,3}(:|: |:\t| : |)([a-z \t\u{e9}]{0,12}|\u{1})(\r\n|\r\n|\r\n|\n|\r|)){0,3}(\r\n|\n|\r|)(rest|)";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn heads_parse_as_in_httparse(text in HEADS) {
        let mut fields = [httparse::EMPTY_HEADER; 8];
        let mut theirs = httparse::Response::new(&mut fields);
        let mut ours = HeadOffsets::default();
        match (theirs.parse(text.as_bytes()), ours.parse(text.as_bytes())) {
            (Ok(httparse::Status::Complete(their_length)), Ok(true)) => {
                prop_assert_eq!(ours.next_line, their_length);
                prop_assert_eq!((Some(ours.status), Some(u8::from(!ours.is_http10))), (theirs.code, theirs.version));
                let slice = |span: Span| &text[span.0 as usize..span.1 as usize];
                let canonical = StatusCode::from_u16(ours.status).ok().and_then(|s| s.canonical_reason());
                prop_assert_eq!(ours.reason.map(slice).or(canonical), theirs.reason);
                let fields: Vec<_> = ours.fields.spans().map(|(n, v)| (slice(n), slice(v).as_bytes())).collect();
                let their_fields: Vec<_> = theirs.headers.iter().map(|f| (f.name, f.value)).collect();
                prop_assert_eq!(fields, their_fields);
            }
            (Ok(httparse::Status::Partial), Ok(false)) => {}
            (Err(error), Err(HeadError::Malformed(why))) => prop_assert_eq!(why, error.to_string()),
            (theirs, ours) => prop_assert!(false, "{:?} but {:?}", theirs, ours),
        }
    }
}
