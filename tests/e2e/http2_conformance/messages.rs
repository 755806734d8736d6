//! Requests (RFC 9113 section 8): which are malformed, and that correct ones are answered.

use super::*;

/// `:method`, `:scheme`, `:path` and `:authority` of [`GET`], each by itself.
const METHOD: &[u8] = &[0x82];
const SCHEME: &[u8] = &[0x86];
const PATH: &[u8] = &[0x84];
const AUTHORITY: &[u8] = &[0x01, 1, b'a'];

#[tokio::test]
async fn requests() {
    let head = [&[0x02, 4][..], b"HEAD", &GET[1..]].concat();
    let options = [&[0x02, 7][..], b"OPTIONS", SCHEME, &[0x04, 1, b'*'], AUTHORITY].concat();
    let trailers = frame(HEADERS, END_STREAM | END_HEADERS, 1, &field("x-checksum", "1"));
    let with = |name: &str, value: &str| request(1, &[GET, &field(name, value)].concat());
    run_all(vec![
        case("9113 8.1", "GET", request(1, GET), Response(1)),
        case("9113 8.1", "HEAD", request(1, &head), Response(1)),
        case("9113 8.1", "POST", [upload(1, POST), frame(DATA, END_STREAM, 1, b"body")], Response(1)),
        case(
            "9113 8.1",
            "POST with trailers",
            [upload(1, POST), frame(DATA, 0, 1, b"body"), trailers.clone()],
            Response(1),
        ),
        case("9113 8.1", "trailers without a body", [upload(1, POST), trailers], Response(1)),
        case("9113 8.2.2", "TE: trailers", with("te", "trailers"), Response(1)),
        case(
            "9113 8.2.3",
            "several Cookie fields",
            request(1, &[GET, &field("cookie", "a=1"), &field("cookie", "b=2")].concat()),
            Response(1),
        ),
        case(
            "9113 8.3.1",
            "Host in place of :authority",
            request(1, &[METHOD, SCHEME, PATH, &field("host", "a")].concat()),
            Response(1),
        ),
        case("9113 8.3.1", "Host equal to :authority", with("host", "a"), Response(1)),
        // Routes match paths with a slash only, so that the status is 404: that is checked in the tests of the router.
        case("9113 8.3.1", "OPTIONS *", [request(1, &options), request(3, GET)], Response(3)),
    ])
    .await;
}

#[tokio::test]
async fn malformed_fields() {
    let with = |name: &str, value: &str| request(1, &[GET, &field(name, value)].concat());
    let malformed = StreamError(1, PROTOCOL_ERROR);
    run_all(vec![
        case("9113 8.2.1", "an upper-case name", with("X-Test", "1"), malformed),
        case("9113 8.2.1", "an empty name", with("", "1"), malformed),
        case("9113 8.2.1", "a space in a name", with("x test", "1"), malformed),
        case("9113 8.2.1", "a colon in a name", with("x:test", "1"), malformed),
        case("9113 8.2.1", "a byte above 0x7f in a name", with("x-té", "1"), malformed),
        case("9113 8.2.1", "NUL in a value", with("x-test", "a\0b"), malformed),
        case("9113 8.2.1", "CR in a value", with("x-test", "a\rb"), malformed),
        case("9113 8.2.1", "LF in a value", with("x-test", "a\nb"), malformed),
        case("9113 8.2.1", "a space before a value", with("x-test", " a"), malformed),
        case("9113 8.2.1", "a tab after a value", with("x-test", "a\t"), malformed),
        case("9113 8.2.2", "Connection", with("connection", "keep-alive"), malformed),
        case("9113 8.2.2", "Keep-Alive", with("keep-alive", "timeout=5"), malformed),
        case("9113 8.2.2", "Proxy-Connection", with("proxy-connection", "close"), malformed),
        case("9113 8.2.2", "Transfer-Encoding", with("transfer-encoding", "chunked"), malformed),
        case("9113 8.2.2", "Upgrade", with("upgrade", "websocket"), malformed),
        case("9113 8.2.2", "TE other than trailers", with("te", "trailers, deflate;q=0.5"), malformed),
    ])
    .await;
}

#[tokio::test]
async fn malformed_pseudo_header_fields() {
    let with = |name: &str, value: &str| request(1, &[GET, &field(name, value)].concat());
    let of = |parts: &[&[u8]]| request(1, &parts.concat());
    let malformed = StreamError(1, PROTOCOL_ERROR);
    let empty_path: &[u8] = &[0x04, 0];
    let relative_path: &[u8] = &[0x04, 1, b'x'];
    let connect: &[u8] = b"\x02\x07CONNECT";
    run_all(vec![
        case("9113 8.3", "an unknown pseudo-header field", with(":test", "ok"), malformed),
        case("9113 8.3", ":status in a request", with(":status", "200"), malformed),
        case(
            "9113 8.3",
            ":path after a regular field",
            of(&[METHOD, SCHEME, AUTHORITY, &field("x-test", "ok"), PATH]),
            malformed,
        ),
        // The gateway drops this field, because upstreams may take it for X-Forwarded-For.
        case(
            "9113 8.3",
            ":path after a field that is dropped",
            of(&[METHOD, SCHEME, AUTHORITY, &field("x_forwarded_for", "1"), PATH]),
            malformed,
        ),
        case("9113 8.3.1", "without :method", of(&[SCHEME, PATH, AUTHORITY]), malformed),
        case("9113 8.3.1", "without :scheme", of(&[METHOD, PATH, AUTHORITY]), malformed),
        case("9113 8.3.1", "without :path", of(&[METHOD, SCHEME, AUTHORITY]), malformed),
        case("9113 8.3.1", "an empty :path", of(&[METHOD, SCHEME, empty_path, AUTHORITY]), malformed),
        case(
            "9113 8.3.1",
            "a :path without a slash",
            of(&[METHOD, SCHEME, relative_path, AUTHORITY]),
            malformed,
        ),
        case("9113 8.3.1", "two :method", of(&[METHOD, METHOD, SCHEME, PATH, AUTHORITY]), malformed),
        case("9113 8.3.1", "two :scheme", of(&[METHOD, SCHEME, SCHEME, PATH, AUTHORITY]), malformed),
        case("9113 8.3.1", "two :path", of(&[METHOD, SCHEME, PATH, PATH, AUTHORITY]), malformed),
        case("9113 8.3.1", "two :authority", of(&[METHOD, SCHEME, PATH, AUTHORITY, AUTHORITY]), malformed),
        case(
            "9113 8.3.1",
            ":authority with user information",
            of(&[METHOD, SCHEME, PATH, b"\x01\x03u@a"]),
            BadRequest(1),
        ),
        case("9113 8.3.1", "Host that differs from :authority", with("host", "b"), BadRequest(1)),
        case("9113 8.5", "CONNECT with :path", of(&[connect, PATH, AUTHORITY]), malformed),
        case("9113 8.5", "CONNECT with :scheme", of(&[connect, SCHEME, AUTHORITY]), malformed),
        case("9113 8.5", "CONNECT without :authority", of(&[connect]), malformed),
    ])
    .await;
}

#[tokio::test]
async fn malformed_bodies() {
    let head = |length: &str| upload(1, &[POST, &field("content-length", length)].concat());
    let malformed = StreamError(1, PROTOCOL_ERROR);
    let trailers = |flags: u8, block: &[u8]| frame(HEADERS, flags | END_HEADERS, 1, block);
    run_all(vec![
        case(
            "9113 8.1.1",
            "a body as long as Content-Length",
            [head("4"), frame(DATA, END_STREAM, 1, b"body")],
            Response(1),
        ),
        case(
            "9113 8.1.1",
            "a body shorter than Content-Length",
            [head("4"), frame(DATA, END_STREAM, 1, b"bod")],
            malformed,
        ),
        case(
            "9113 8.1.1",
            "a body longer than Content-Length",
            [head("1"), frame(DATA, END_STREAM, 1, b"body")],
            malformed,
        ),
        case(
            "9113 8.1.1",
            "several DATA frames longer than Content-Length",
            [head("1"), frame(DATA, 0, 1, b"b"), frame(DATA, END_STREAM, 1, b"o")],
            malformed,
        ),
        case(
            "9113 8.1.1",
            "no body after a Content-Length",
            request(1, &[POST, &field("content-length", "1")].concat()),
            malformed,
        ),
        case(
            "9113 8.1.1",
            "two different Content-Length",
            request(1, &[GET, &field("content-length", "0"), &field("content-length", "1")].concat()),
            malformed,
        ),
        case(
            "9113 8.1.1",
            "trailers before the whole body",
            [head("4"), trailers(END_STREAM, &field("x-test", "1"))],
            malformed,
        ),
        case(
            "9113 8.1",
            "trailers without END_STREAM",
            [upload(1, POST), trailers(0, &field("x-test", "1"))],
            malformed,
        ),
        case(
            "9113 8.1",
            "a pseudo-header field in trailers",
            [upload(1, POST), trailers(END_STREAM, METHOD)],
            malformed,
        ),
        case(
            "9113 8.2.2",
            "a connection-specific field in trailers",
            [upload(1, POST), trailers(END_STREAM, &field("connection", "close"))],
            malformed,
        ),
    ])
    .await;
}
