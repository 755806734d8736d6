//! Each type of frame (RFC 9113 section 6).

use super::*;

#[tokio::test]
async fn data_frames() {
    let body = |frames: &[Vec<u8>]| [upload(1, POST), frames.concat()];
    run_all(vec![
        case("9113 6.1", "DATA", body(&[frame(DATA, END_STREAM, 1, b"body")]), Response(1)),
        case(
            "9113 6.1",
            "several DATA frames",
            body(&[frame(DATA, 0, 1, b"bo"), frame(DATA, END_STREAM, 1, b"dy")]),
            Response(1),
        ),
        case(
            "9113 6.1",
            "an empty DATA frame ends the stream",
            body(&[frame(DATA, 0, 1, b"body"), frame(DATA, END_STREAM, 1, &[])]),
            Response(1),
        ),
        case(
            "9113 6.1",
            "padding",
            body(&[frame(DATA, END_STREAM | PADDED, 1, b"\x02body\0\0")]),
            Response(1),
        ),
        case(
            "9113 6.1",
            "only padding",
            body(&[frame(DATA, END_STREAM | PADDED, 1, b"\x02\0\0")]),
            Response(1),
        ),
        case(
            "9113 6.1",
            "padding as long as the payload",
            body(&[frame(DATA, END_STREAM | PADDED, 1, b"\x05body")]),
            ConnectionError(PROTOCOL_ERROR),
        ),
        case(
            "9113 6.1",
            "no room for the length of the padding",
            body(&[frame(DATA, END_STREAM | PADDED, 1, &[])]),
            ConnectionError(PROTOCOL_ERROR),
        ),
        case("9113 6.1", "DATA on stream 0", frame(DATA, 0, 0, b"x"), ConnectionError(PROTOCOL_ERROR)),
    ])
    .await;
}

#[tokio::test]
async fn headers_frames() {
    let head = |flags: u8, payload: &[u8]| frame(HEADERS, END_STREAM | END_HEADERS | flags, 1, payload);
    let padded = [&[2][..], GET, &[0, 0]].concat();
    let prioritized = [&[0, 0, 0, 3, 15][..], GET].concat();
    let both = [&[2, 0, 0, 0, 3, 15][..], GET, &[0, 0]].concat();
    run_all(vec![
        case("9113 6.2", "HEADERS", head(0, GET), Response(1)),
        case("9113 6.2", "padding", head(PADDED, &padded), Response(1)),
        case("9113 6.2", "priority", head(PRIORITY_FLAG, &prioritized), Response(1)),
        case("9113 6.2", "padding and priority", head(PADDED | PRIORITY_FLAG, &both), Response(1)),
        case(
            "9113 6.2",
            "padding longer than the payload",
            head(PADDED, &[&[7][..], GET].concat()),
            ConnectionError(PROTOCOL_ERROR),
        ),
        case(
            "9113 6.2",
            "no room for the priority",
            head(PRIORITY_FLAG, &[0; 4]),
            ConnectionError(PROTOCOL_ERROR),
        ),
        case("9113 6.2", "HEADERS on stream 0", request(0, GET), ConnectionError(PROTOCOL_ERROR)),
        case(
            "9113 6.2",
            "DATA within a field block",
            [frame(HEADERS, 0, 1, &POST[..3]), frame(DATA, END_STREAM, 1, b"x")],
            ConnectionError(PROTOCOL_ERROR),
        ),
    ])
    .await;
}

#[tokio::test]
async fn continuation_frames() {
    let first = |length: usize| frame(HEADERS, END_STREAM, 1, &GET[..length]);
    let last = |start: usize| frame(CONTINUATION, END_HEADERS, 1, &GET[start..]);
    run_all(vec![
        case("9113 6.10", "CONTINUATION", [first(3), last(3)], Response(1)),
        // The parts divide a field.
        case(
            "9113 6.10",
            "several CONTINUATION frames",
            [first(1), frame(CONTINUATION, 0, 1, &GET[1..4]), last(4)],
            Response(1),
        ),
        case("9113 6.10", "an empty CONTINUATION frame", [first(6), last(6)], Response(1)),
        case(
            "9113 6.10",
            "CONTINUATION on stream 0",
            [first(3), frame(CONTINUATION, END_HEADERS, 0, &GET[3..])],
            ConnectionError(PROTOCOL_ERROR),
        ),
        case(
            "9113 6.10",
            "CONTINUATION of another stream",
            [first(3), frame(CONTINUATION, END_HEADERS, 3, &GET[3..])],
            ConnectionError(PROTOCOL_ERROR),
        ),
        case(
            "9113 6.10",
            "DATA between HEADERS and CONTINUATION",
            [first(3), frame(DATA, 0, 1, b"x"), last(3)],
            ConnectionError(PROTOCOL_ERROR),
        ),
        case(
            "9113 6.10",
            "CONTINUATION after END_HEADERS",
            [upload(1, POST), frame(CONTINUATION, END_HEADERS, 1, &field("a", "b"))],
            ConnectionError(PROTOCOL_ERROR),
        ),
        case(
            "9113 6.10",
            "CONTINUATION after the last CONTINUATION",
            [first(3), last(3), last(3)],
            ConnectionError(PROTOCOL_ERROR),
        ),
        case(
            "9113 6.10",
            "CONTINUATION after DATA",
            [upload(1, POST), frame(DATA, 0, 1, b"x"), frame(CONTINUATION, END_HEADERS, 1, &field("a", "b"))],
            ConnectionError(PROTOCOL_ERROR),
        ),
    ])
    .await;
}

#[tokio::test]
async fn priority_reset_and_push_frames() {
    let held = request(1, GET_HELD);
    run_all(vec![
        case(
            "9113 6.3",
            "PRIORITY with the lowest weight",
            frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 0]),
            Continues,
        ),
        case(
            "9113 6.3",
            "PRIORITY with the highest weight",
            frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 255]),
            Continues,
        ),
        case(
            "9113 6.3",
            "PRIORITY on stream 0",
            frame(PRIORITY, 0, 0, &[0; 5]),
            ConnectionError(PROTOCOL_ERROR),
        ),
        case(
            "9113 6.3",
            "PRIORITY of 4 bytes",
            [held.clone(), frame(PRIORITY, 0, 1, &[0; 4])],
            ConnectionError(FRAME_SIZE_ERROR),
        ),
        case(
            "9113 6.3",
            "PRIORITY of 6 bytes",
            [held.clone(), frame(PRIORITY, 0, 1, &[0; 6])],
            ConnectionError(FRAME_SIZE_ERROR),
        ),
        case("9113 6.4", "RST_STREAM", [held.clone(), rst_stream(1)], Continues),
        case("9113 6.4", "RST_STREAM on stream 0", rst_stream(0), ConnectionError(PROTOCOL_ERROR)),
        case(
            "9113 6.4",
            "RST_STREAM of 3 bytes",
            [held.clone(), frame(RST_STREAM, 0, 1, &[0; 3])],
            ConnectionError(FRAME_SIZE_ERROR),
        ),
        case(
            "9113 6.4",
            "RST_STREAM of 5 bytes",
            [held, frame(RST_STREAM, 0, 1, &[0; 5])],
            ConnectionError(FRAME_SIZE_ERROR),
        ),
        case(
            "9113 8.4",
            "PUSH_PROMISE of a client",
            [upload(1, POST), frame(PUSH_PROMISE, END_HEADERS, 1, &[&[0, 0, 0, 2], GET].concat())],
            ConnectionError(PROTOCOL_ERROR),
        ),
    ])
    .await;
}

#[tokio::test]
async fn settings_frames() {
    run_all(vec![
        case("9113 6.5", "an empty SETTINGS frame", frame(SETTINGS, 0, 0, &[]), Continues),
        case("9113 6.5", "an acknowledgement", frame(SETTINGS, ACK, 0, &[]), Continues),
        case(
            "9113 6.5",
            "an acknowledgement with a payload",
            frame(SETTINGS, ACK, 0, &[0; 6]),
            ConnectionError(FRAME_SIZE_ERROR),
        ),
        case("9113 6.5", "SETTINGS of a stream", frame(SETTINGS, 0, 1, &[]), ConnectionError(PROTOCOL_ERROR)),
        case(
            "9113 6.5",
            "SETTINGS of 3 bytes",
            frame(SETTINGS, 0, 0, &[0; 3]),
            ConnectionError(FRAME_SIZE_ERROR),
        ),
        case("9113 6.5.2", "SETTINGS_ENABLE_PUSH 0", settings(2, 0), Continues),
        case("9113 6.5.2", "SETTINGS_ENABLE_PUSH 1", settings(2, 1), Continues),
        case("9113 6.5.2", "SETTINGS_ENABLE_PUSH 2", settings(2, 2), ConnectionError(PROTOCOL_ERROR)),
        case(
            "9113 6.5.2",
            "the largest SETTINGS_INITIAL_WINDOW_SIZE",
            settings(4, MAX_WINDOW_SIZE),
            Continues,
        ),
        case(
            "9113 6.5.2",
            "SETTINGS_INITIAL_WINDOW_SIZE of 2^31",
            settings(4, MAX_WINDOW_SIZE + 1),
            ConnectionError(FLOW_CONTROL_ERROR),
        ),
        case(
            "9113 6.5.2",
            "SETTINGS_MAX_FRAME_SIZE below 2^14",
            settings(5, 16_383),
            ConnectionError(PROTOCOL_ERROR),
        ),
        case("9113 6.5.2", "the largest SETTINGS_MAX_FRAME_SIZE", settings(5, (1 << 24) - 1), Continues),
        case(
            "9113 6.5.2",
            "SETTINGS_MAX_FRAME_SIZE of 2^24",
            settings(5, 1 << 24),
            ConnectionError(PROTOCOL_ERROR),
        ),
        case("9113 6.5.2", "an unknown setting", settings(0xff, 7), Continues),
    ])
    .await;
}

#[tokio::test]
async fn ping_goaway_and_window_update_frames() {
    let held = request(1, GET_HELD);
    run_all(vec![
        case("9113 6.7", "PING", frame(PING, 0, 0, b"01234567"), Continues),
        case("9113 6.7", "PING of a stream", frame(PING, 0, 1, &[0; 8]), ConnectionError(PROTOCOL_ERROR)),
        case("9113 6.7", "PING of 7 bytes", frame(PING, 0, 0, &[0; 7]), ConnectionError(FRAME_SIZE_ERROR)),
        case("9113 6.7", "PING of 9 bytes", frame(PING, 0, 0, &[0; 9]), ConnectionError(FRAME_SIZE_ERROR)),
        case("9113 6.8", "GOAWAY of a stream", frame(GOAWAY, 0, 1, &[0; 8]), ConnectionError(PROTOCOL_ERROR)),
        case(
            "9113 6.8",
            "GOAWAY of 7 bytes",
            frame(GOAWAY, 0, 0, &[0; 7]),
            ConnectionError(FRAME_SIZE_ERROR),
        ),
        // The handshake has raised the window of the connection to its maximum.
        case("9113 6.9", "WINDOW_UPDATE of a stream", [held.clone(), window_update(1, 100)], Continues),
        case(
            "9113 6.9",
            "the reserved bit of an increment",
            [held.clone(), window_update(1, 100 | 1 << 31)],
            Continues,
        ),
        case(
            "9113 6.9",
            "an increment of 0 for the connection",
            window_update(0, 0),
            ConnectionError(PROTOCOL_ERROR),
        ),
        case(
            "9113 6.9",
            "an increment of 0 for a stream",
            [held.clone(), window_update(1, 0)],
            StreamError(1, PROTOCOL_ERROR),
        ),
        case(
            "9113 6.9",
            "WINDOW_UPDATE of 3 bytes",
            frame(WINDOW_UPDATE, 0, 0, &[0, 0, 1]),
            ConnectionError(FRAME_SIZE_ERROR),
        ),
        case(
            "9113 6.9",
            "WINDOW_UPDATE of 5 bytes",
            [held.clone(), frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 0, 1])],
            ConnectionError(FRAME_SIZE_ERROR),
        ),
        case(
            "9113 6.9.1",
            "a window of the connection beyond 2^31-1",
            window_update(0, 1),
            ConnectionError(FLOW_CONTROL_ERROR),
        ),
        case(
            "9113 6.9.1",
            "a window of a stream beyond 2^31-1",
            [held.clone(), window_update(1, MAX_WINDOW_SIZE)],
            StreamError(1, FLOW_CONTROL_ERROR),
        ),
        case(
            "9113 6.9.2",
            "a window of a stream that SETTINGS raise beyond 2^31-1",
            [held, window_update(1, 1), settings(4, MAX_WINDOW_SIZE)],
            ConnectionError(FLOW_CONTROL_ERROR),
        ),
    ])
    .await;
}
