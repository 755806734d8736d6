//! Stream states, identifiers and concurrency (RFC 9113 section 5).

use super::*;

const PRIORITY_PAYLOAD: &[u8] = &[0, 0, 0, 0, 15];

#[tokio::test]
async fn idle_streams() {
    run_all(vec![
        case("9113 5.1", "idle: DATA", frame(DATA, END_STREAM, 1, b"x"), ConnectionError(PROTOCOL_ERROR)),
        case("9113 5.1", "idle: RST_STREAM", rst_stream(1), ConnectionError(PROTOCOL_ERROR)),
        case("9113 5.1", "idle: WINDOW_UPDATE", window_update(1, 100), ConnectionError(PROTOCOL_ERROR)),
        case(
            "9113 5.1",
            "idle: CONTINUATION",
            frame(CONTINUATION, END_HEADERS, 1, GET),
            ConnectionError(PROTOCOL_ERROR),
        ),
        case(
            "9113 5.1",
            "idle: PRIORITY",
            [frame(PRIORITY, 0, 1, PRIORITY_PAYLOAD), request(1, GET)],
            Response(1),
        ),
        // The server promises no streams, so that all streams with even numbers stay idle.
        case(
            "9113 5.1",
            "idle: DATA on a stream of the server",
            [request(3, GET_HELD), frame(DATA, 0, 2, b"x")],
            ConnectionError(PROTOCOL_ERROR),
        ),
        case(
            "9113 5.1",
            "idle: RST_STREAM of a stream of the server",
            [request(3, GET_HELD), rst_stream(2)],
            ConnectionError(PROTOCOL_ERROR),
        ),
        case(
            "9113 5.1",
            "idle: WINDOW_UPDATE of a stream of the server",
            [request(3, GET_HELD), window_update(2, 1)],
            ConnectionError(PROTOCOL_ERROR),
        ),
    ])
    .await;
}

#[tokio::test]
async fn half_closed_streams() {
    let after_request = |bytes: Vec<u8>| [request(1, GET_HELD), bytes];
    run_all(vec![
        case(
            "9113 5.1",
            "half-closed (remote): WINDOW_UPDATE",
            after_request(window_update(1, 100)),
            Continues,
        ),
        case(
            "9113 5.1",
            "half-closed (remote): PRIORITY",
            after_request(frame(PRIORITY, 0, 1, PRIORITY_PAYLOAD)),
            Continues,
        ),
        case("9113 5.1", "half-closed (remote): RST_STREAM", after_request(rst_stream(1)), Continues),
        case(
            "9113 5.1",
            "half-closed (remote): DATA",
            after_request(frame(DATA, END_STREAM, 1, b"x")),
            StreamError(1, STREAM_CLOSED),
        ),
        case(
            "9113 5.1",
            "half-closed (remote): HEADERS",
            after_request(request(1, GET)),
            StreamError(1, STREAM_CLOSED),
        ),
        case(
            "9113 5.1",
            "half-closed (remote): CONTINUATION",
            after_request(frame(CONTINUATION, END_HEADERS, 1, GET)),
            ConnectionError(PROTOCOL_ERROR),
        ),
    ])
    .await;
}

#[tokio::test]
async fn closed_streams() {
    let after_own_reset = |bytes: Vec<u8>| [request(1, GET_HELD), rst_stream(1), bytes];
    let after_response = |bytes: Vec<u8>| [SendFrames(request(1, GET)), ReadResponse(1), SendFrames(bytes)];
    // Malformed: `connection` is a field of HTTP/1.
    let malformed = [POST, &field("connection", "close")].concat();
    let after_reset = |bytes: Vec<u8>| [SendFrames(upload(1, &malformed)), ReadReset(1), SendFrames(bytes)];
    run_all(vec![
        case(
            "9113 5.1",
            "closed by RST_STREAM: DATA",
            after_own_reset(frame(DATA, END_STREAM, 1, b"x")),
            ConnectionError(STREAM_CLOSED),
        ),
        case(
            "9113 5.1",
            "closed by RST_STREAM: HEADERS",
            after_own_reset(request(1, GET)),
            ConnectionError(STREAM_CLOSED),
        ),
        case(
            "9113 5.1",
            "closed by RST_STREAM: CONTINUATION",
            after_own_reset(frame(CONTINUATION, END_HEADERS, 1, GET)),
            ConnectionError(PROTOCOL_ERROR),
        ),
        case(
            "9113 5.1",
            "closed by RST_STREAM: PRIORITY",
            after_own_reset(frame(PRIORITY, 0, 1, PRIORITY_PAYLOAD)),
            Continues,
        ),
        case(
            "9113 5.1",
            "closed: DATA",
            after_response(frame(DATA, END_STREAM, 1, b"x")),
            ConnectionError(STREAM_CLOSED),
        ),
        case("9113 5.1", "closed: HEADERS", after_response(request(1, GET)), ConnectionError(STREAM_CLOSED)),
        case(
            "9113 5.1",
            "closed: CONTINUATION",
            after_response(frame(CONTINUATION, END_HEADERS, 1, GET)),
            ConnectionError(PROTOCOL_ERROR),
        ),
        case(
            "9113 5.1",
            "closed: PRIORITY",
            after_response(frame(PRIORITY, 0, 1, PRIORITY_PAYLOAD)),
            Continues,
        ),
        case("9113 5.1", "closed: WINDOW_UPDATE", after_response(window_update(1, 1)), Continues),
        case("9113 5.1", "closed: RST_STREAM", after_response(rst_stream(1)), Continues),
        // The client may have sent these before it received the RST_STREAM of the server.
        case(
            "9113 5.1",
            "reset by the server: DATA",
            after_reset(frame(DATA, END_STREAM, 1, b"x")),
            Continues,
        ),
        case("9113 5.1", "reset by the server: HEADERS", after_reset(request(1, &[])), Continues),
        case("9113 5.1", "reset by the server: WINDOW_UPDATE", after_reset(window_update(1, 1)), Continues),
        case("9113 5.1", "reset by the server: RST_STREAM", after_reset(rst_stream(1)), Continues),
        case("9113 5.1", "reset by the server: another request", after_reset(request(3, GET)), Response(3)),
    ])
    .await;
}

#[tokio::test]
async fn identifiers_concurrency_and_priority() {
    // SETTINGS_MAX_CONCURRENT_STREAMS is 128.
    let streams: Vec<u8> = (0..129).flat_map(|number| request(2 * number + 1, GET_HELD)).collect();
    // Stream 1 depends on itself.
    let dependent = [&[0, 0, 0, 1, 255][..], GET].concat();
    run_all(vec![
        case(
            "9113 5.1.1",
            "a request with an even identifier",
            request(2, GET),
            ConnectionError(PROTOCOL_ERROR),
        ),
        case(
            "9113 5.1.1",
            "a lower identifier",
            [request(5, GET_HELD), request(3, GET)],
            ConnectionError(STREAM_CLOSED),
        ),
        case("9113 5.1.1", "identifiers with gaps", [request(5, GET_HELD), request(9, GET)], Response(9)),
        case("9113 5.1.1", "the last identifier", request(MAX_WINDOW_SIZE, GET), Response(MAX_WINDOW_SIZE)),
        case(
            "9113 5.1.2",
            "more streams than SETTINGS_MAX_CONCURRENT_STREAMS",
            streams,
            StreamError(257, REFUSED_STREAM),
        ),
        case(
            "9113 5.3",
            "HEADERS that depend on their own stream",
            frame(HEADERS, END_STREAM | END_HEADERS | PRIORITY_FLAG, 1, &dependent),
            Response(1),
        ),
        case(
            "9113 5.3",
            "PRIORITY that depends on its own stream",
            frame(PRIORITY, 0, 1, &[0, 0, 0, 1, 255]),
            Continues,
        ),
        case(
            "9113 5.3",
            "PRIORITY with exclusive dependency",
            [frame(PRIORITY, 0, 3, &[0x80, 0, 0, 1, 255]), request(1, GET)],
            Response(1),
        ),
    ])
    .await;
}
