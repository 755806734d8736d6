use super::*;

fn read(text: &str) -> Result<Option<RequestHead>, HeadRejection> {
    let mut scan = HeadParser::default();
    let mut buffer = BytesMut::from(text);
    match scan.advance(&buffer, HeadLimits::default()) {
        ParseStatus::Partial => Ok(None),
        ParseStatus::Complete => scan.take(&mut buffer).map(Some),
        ParseStatus::Rejected(rejection) => Err(rejection),
    }
}

fn complete(text: &str) -> RequestHead {
    read(text).expect("acceptable").expect("complete")
}

fn rejection_of(text: &str) -> Option<HeadRejection> {
    read(text).err()
}

#[test]
fn empty_lines_before_a_request_are_bounded() {
    for line in ["\r\n", "\n"] {
        assert!(complete(&format!("{}GET / HTTP/1.1\r\nHost: a\r\n\r\n", line.repeat(20))).keep_alive);
        assert_eq!(rejection_of(&line.repeat(100)), Some(HeadRejection::Malformed));
    }
}

#[test]
fn a_content_length_beyond_i64_is_rejected() {
    let head = |length: u64| format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
    assert_eq!(complete(&head(i64::MAX as u64)).body, BodyDecoder::length(i64::MAX as u64));
    assert_eq!(rejection_of(&head(i64::MAX as u64 + 1)), Some(HeadRejection::Malformed));
}

#[test]
fn take_splits_the_head_off_and_leaves_the_body() {
    let mut buffer =
        BytesMut::from("\r\nPOST /a?b HTTP/1.1\r\nHost:\t a \r\nContent-Length: 12\r\nX:\r\n\r\nrest");
    let mut scan = HeadParser::default();
    assert!(matches!(scan.advance(&buffer, HeadLimits::default()), ParseStatus::Complete));
    let head = scan.take(&mut buffer).expect("a target");
    assert_eq!(&buffer[..], b"rest");
    assert_eq!((head.method, head.uri), (Method::POST, Uri::from_static("/a?b")));
    assert!(head.headers["host"] == "a" && head.headers["x"].is_empty(), "{:?}", head.headers);
    assert_eq!(head.body, BodyDecoder::length(12));
    assert!(head.keep_alive && !head.expect_continue);
    let mut buffer = BytesMut::from("GET / HTTP/1.0\n\n");
    assert!(matches!(scan.advance(&buffer, HeadLimits::default()), ParseStatus::Complete));
    let head = scan.take(&mut buffer).expect("a target");
    assert!(head.headers.is_empty() && head.body.is_ended() && !head.keep_alive, "the parser is reset");
}

#[test]
fn a_prefix_of_a_head_is_partial() {
    let text = "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
    let mut scan = HeadParser::default();
    for end in 0..text.len() {
        let scanned = scan.advance(&text.as_bytes()[..end], HeadLimits::default());
        assert!(matches!(scanned, ParseStatus::Partial), "{end}");
    }
    assert!(matches!(scan.advance(text.as_bytes(), HeadLimits::default()), ParseStatus::Complete));
    assert_eq!(scan.take(&mut BytesMut::from(text)).expect("a target").headers["x"], "y");
}

#[test]
fn connection_and_expect_fields_are_observed() {
    for (version, fields, keep_alive, expect_continue) in [
        ("1.1", "A: b", true, false),
        ("1.1", "Connection: x, Close", false, false),
        ("1.1", "Connection: close\r\nConnection: keep-alive", false, false),
        ("1.1", "Expect: 100-Continue", true, true),
        ("1.1", "Expect: y 100-continue", true, false),
        ("1.0", "Expect: 100-continue", false, false),
        ("1.0", "Connection: Keep-Alive", true, false),
    ] {
        let head = complete(&format!("GET / HTTP/{version}\r\n{fields}\r\n\r\n"));
        assert_eq!(
            (head.keep_alive, head.expect_continue),
            (keep_alive, expect_continue),
            "{version} {fields}"
        );
    }
}

#[test]
fn ambiguous_framing_is_rejected() {
    for fields in [
        "Content-Length: 1\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 1",
        "Content-Length: 1\r\nContent-Length: 1",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Content-Length: +1",
        "Content-Length: 1, 1",
        "Content-Length:",
        "Content-Length : 1",
        "Content-Length: 99999999999999999999",
    ] {
        let head = format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n");
        assert_eq!(rejection_of(&head), Some(HeadRejection::Malformed), "{fields}");
    }
    for coding in ["gzip, chunked", "", "\u{b}chunked", "identity"] {
        let head = format!("POST / HTTP/1.1\r\nTransfer-Encoding: {coding}\r\n\r\n");
        assert_eq!(rejection_of(&head), Some(HeadRejection::Coding), "{coding}");
    }
    let old = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(rejection_of(old), Some(HeadRejection::Malformed));
    let chunked = complete("POST / HTTP/1.1\r\nTransfer-Encoding: CHUNKED\r\n\r\n");
    assert_eq!(chunked.body, BodyDecoder::chunked());
}

#[test]
fn repeated_singleton_fields_are_rejected() {
    for known in http_codec::SINGLETON_HEADERS {
        let name = known.name().expect("it has a name");
        let value = match known {
            KnownHeader::TransferEncoding => "chunked",
            KnownHeader::ContentLength => "1",
            _ => "x",
        };
        let head = |count| format!("POST / HTTP/1.1\r\n{}\r\n", format!("{name}: {value}\r\n").repeat(count));
        assert_eq!(rejection_of(&head(1)), None, "{name}");
        assert_eq!(rejection_of(&head(2)), Some(HeadRejection::Malformed), "{name}");
        assert_eq!(rejection_of(&head(1).replace(name, &name.to_uppercase())), None, "{name}");
        let mixed = format!("{}X: y\r\n{}: {value}\r\n\r\n", head(1).trim_end(), name.to_uppercase());
        assert_eq!(
            rejection_of(&mixed.replace("X: y", "\r\nX: y")),
            Some(HeadRejection::Malformed),
            "{name}"
        );
    }
    // nginx forwards repetitions of these.
    let others = "User-Agent: a\r\nReferer: b\r\nRange: c\r\nContent-Type: d\r\nCookie: e\r\nUpgrade: f\r\n";
    assert_eq!(complete(&format!("GET / HTTP/1.1\r\n{others}{others}\r\n")).headers.len(), 12);
}

#[test]
fn look_alikes_of_gateway_headers_are_dropped() {
    let head = complete(
        "GET / HTTP/1.1\r\nX_Forwarded_For: 1\r\nA: b\r\nx_consumer-id: 2\r\nX_KONG_REQUEST_ID: 3\r\n\
         content_length: 4\r\nTransfer_Encoding: chunked\r\nx_real_ip\r\napi_key: c\r\nX-Consumer-ID: d\r\n\r\n",
    );
    assert!(head.body.is_ended());
    let names: Vec<_> = head.headers.keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["a", "api_key", "x-consumer-id"]);
}

#[test]
fn request_lines_are_checked() {
    for line in [
        "NONSENSE",
        "get / HTTP/1.1",
        "GET / HTTP/1",
        "GET / http/1.1",
        "GET /a b HTTP/1.1",
        "GET\t/\tHTTP/1.1",
        "GET foo HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET / HTTP/0.9",
        "GET / HTTP/1.x",
        "GET / HTTP/1.10",
        "GET /",
    ] {
        assert_eq!(rejection_of(&format!("{line}\r\n\r\n")), Some(HeadRejection::Malformed), "{line}");
    }
    for version in ["1.1", "1.2", "1.9"] {
        assert_eq!(complete(&format!("GET / HTTP/{version}\r\n\r\n")).version, Version::HTTP_11);
    }
    assert_eq!(rejection_of("GET / HTTP/3.7\r\n\r\n"), Some(HeadRejection::Version));
}

#[test]
fn long_lines_are_rejected_before_they_end() {
    assert_eq!(rejection_of(&format!("GET /{}", "a".repeat(9000))), Some(HeadRejection::LineTooLong));
    assert_eq!(
        rejection_of(&format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(9000))),
        Some(HeadRejection::HeadTooLong)
    );
    let many = format!("X: {}\r\n", "a".repeat(4000)).repeat(10);
    assert_eq!(rejection_of(&format!("GET / HTTP/1.1\r\n{many}")), Some(HeadRejection::HeadTooLong));
    let fields = |count| format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(count));
    assert_eq!(complete(&fields(MAX_FIELDS)).headers.len(), MAX_FIELDS);
    assert_eq!(rejection_of(&fields(MAX_FIELDS + 1)), Some(HeadRejection::HeadTooLong));
}

#[test]
fn folded_lines_and_control_characters_are_rejected() {
    for field in ["X: a\r\n b", "X: a\0b", "X: a\rb", "X\u{7f}: a", ": a"] {
        assert_eq!(
            rejection_of(&format!("GET / HTTP/1.1\r\n{field}\r\n\r\n")),
            Some(HeadRejection::Malformed),
            "{field:?}"
        );
    }
}

#[test]
fn a_field_without_a_colon_and_non_uri_bytes_are_accepted() {
    let head = complete("GET /é<?q=\"|^ HTTP/1.1\r\nnonsense\r\nX: \u{e9}\r\n\r\n");
    assert_eq!(head.uri.to_string(), "/%C3%A9%3C?q=%22|^");
    assert_eq!(head.headers["nonsense"], "");
    assert_eq!(head.headers["x"].as_bytes(), "\u{e9}".as_bytes());
}
