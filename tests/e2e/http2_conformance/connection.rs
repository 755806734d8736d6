//! Preface, frames in general, errors and extensions (RFC 9113 sections 3 to 5 and 7).

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

#[tokio::test]
async fn frames_in_general() {
    let reserved_bit = 1 << 31;
    run_all(vec![
        case("9113 4.1", "a frame of unknown type", frame(0x16, 0, 0, &[0; 8]), Continues),
        case("9113 4.1", "flags that PING does not define", frame(PING, 0xfe, 0, &[0; 8]), Continues),
        case(
            "9113 4.1",
            "the reserved bit on a connection",
            frame(PING, 0, reserved_bit, &[0; 8]),
            Continues,
        ),
        case("9113 4.1", "the reserved bit on a stream", request(1 | reserved_bit, GET), Response(1)),
        case(
            "9113 4.2",
            "DATA of 2^14 bytes",
            [upload(1, POST), frame(DATA, END_STREAM, 1, &[b'x'; MAX_FRAME_SIZE])],
            Response(1),
        ),
        case(
            "9113 4.2",
            "DATA longer than SETTINGS_MAX_FRAME_SIZE",
            [upload(1, POST), frame(DATA, END_STREAM, 1, &[b'x'; MAX_FRAME_SIZE + 1])],
            ConnectionError(FRAME_SIZE_ERROR),
        ),
        case(
            "9113 4.2",
            "HEADERS longer than SETTINGS_MAX_FRAME_SIZE",
            request(1, &[GET, &vec![0; MAX_FRAME_SIZE]].concat()),
            ConnectionError(FRAME_SIZE_ERROR),
        ),
        case(
            "9113 4.2",
            "SETTINGS longer than SETTINGS_MAX_FRAME_SIZE",
            frame(SETTINGS, 0, 0, &[0; 16_386]),
            ConnectionError(FRAME_SIZE_ERROR),
        ),
        case(
            "9113 4.3",
            "a field block that cannot be decoded",
            request(1, &[0xbe]),
            ConnectionError(COMPRESSION_ERROR),
        ),
        case(
            "9113 4.3",
            "PRIORITY within a field block",
            [frame(HEADERS, END_STREAM, 1, &GET[..3]), frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 15])],
            ConnectionError(PROTOCOL_ERROR),
        ),
        case(
            "9113 4.3",
            "HEADERS of another stream within a field block",
            [frame(HEADERS, END_STREAM, 1, &GET[..3]), request(3, GET)],
            ConnectionError(PROTOCOL_ERROR),
        ),
        case(
            "9113 5.4.1",
            "an error of the connection closes it",
            frame(PING, 0, 3, &[0; 8]),
            ConnectionError(PROTOCOL_ERROR),
        ),
        case(
            "9113 5.5",
            "an extension frame on a stream",
            [upload(1, POST), frame(0xf0, 0xff, 1, b"x"), frame(DATA, END_STREAM, 1, &[])],
            Response(1),
        ),
        case(
            "9113 5.5",
            "an extension frame within a field block",
            [frame(HEADERS, END_STREAM, 1, &GET[..3]), frame(0x16, 0, 1, &[0; 8])],
            ConnectionError(PROTOCOL_ERROR),
        ),
        case(
            "9113 7",
            "RST_STREAM with an unknown code",
            [request(1, GET_HELD), frame(RST_STREAM, 0, 1, &0xffu32.to_be_bytes()), request(3, GET)],
            Response(3),
        ),
    ])
    .await;
}

/// Section 3.4: the first frame of the server is SETTINGS, and it acknowledges those of the client.
#[tokio::test]
async fn the_server_begins_with_settings() {
    for server in Server::start_all().await {
        let mut connection = server.connect(&[]).await;
        let first = next(&mut connection).await.unwrap().unwrap();
        assert_eq!((first.kind, first.flags, first.stream), (SETTINGS, 0, 0), "{:?}", server.transport);
        let is_ack = |frame: &Frame| frame.kind == SETTINGS && frame.flags & ACK != 0;
        assert!(read_until(&mut connection, is_ack).await.unwrap().payload.is_empty());
    }
}

/// Section 3.4: without the preface, or without SETTINGS after it, the connection is closed.
#[tokio::test]
async fn a_connection_without_the_preface_is_closed() {
    for server in Server::start_all().await {
        let mut stream = server.connect_raw().await;
        stream.write_all(b"INVALID CONNECTION PREFACE\r\n\r\n").await.unwrap();
        let mut received = Vec::new();
        // The kernel may report a reset, since the server has not read all.
        let _ = soon(stream.read_to_end(&mut received)).await;
        match server.transport {
            // Without prior knowledge of HTTP/2 this is a malformed request of HTTP/1.
            Transport::ClearText => assert!(received.starts_with(b"HTTP/1.1 400 "), "{received:02x?}"),
            Transport::Tls => {
                let goaway = frame(GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 1]);
                assert!(received.windows(goaway.len()).any(|part| part == goaway), "{received:02x?}");
            }
        }
        for first in [frame(PING, 0, 0, &[0; 8]), request(1, GET), frame(SETTINGS, ACK, 0, &[])] {
            let mut connection = Client { stream: server.connect_raw().await, goaway: None };
            connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
            connection.send(&first).await;
            assert_eq!(connection.end().await, Some(PROTOCOL_ERROR), "{:?}: {first:02x?}", server.transport);
        }
    }
}

/// Section 6.8: after a GOAWAY, whatever its code, the server completes the streams and closes the connection.
#[tokio::test]
async fn goaway_of_a_client_ends_the_connection_after_its_streams() {
    for server in Server::start_all().await {
        for code in [0, 2, 0xff] {
            let mut connection = server.connect(&[]).await;
            let payload = [&[0; 7][..], &[code], b"debug data"].concat();
            connection.send(&[request(1, GET), frame(GOAWAY, 0, 0, &payload)].concat()).await;
            let is_end = |frame: &Frame| frame.stream == 1 && frame.ends();
            read_until(&mut connection, is_end).await.unwrap();
            assert!(matches!(connection.end().await, None | Some(0)), "{:?}", server.transport);
        }
    }
}
