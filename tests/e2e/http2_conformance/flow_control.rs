//! Flow control of responses (RFC 9113 sections 6.5.3 and 6.9) and acknowledgements.

use super::*;

const INITIAL_WINDOW_SIZE: u16 = 4;

/// Reads up to the next DATA frame on stream 1.
async fn data(connection: &mut Connection) -> Vec<u8> {
    read_until(connection, |frame| frame.kind == DATA && frame.stream == 1).await.unwrap().payload
}

/// Checks that no DATA arrives before the acknowledgement of a PING.
async fn no_data(connection: &mut Connection) {
    connection.send(&frame(PING, 0, 0, b"no data.")).await;
    let frame =
        read_until(connection, |frame| frame.kind == DATA || frame.flags & ACK != 0 && frame.kind == PING);
    let frame = frame.await.unwrap();
    assert_eq!(frame.kind, PING, "{}", describe(&frame));
}

/// Section 6.9.1: no more than the window is sent.
#[tokio::test]
async fn a_response_keeps_within_the_window_of_its_stream() {
    for server in Server::start_all().await {
        let mut connection = server.connect(&[(INITIAL_WINDOW_SIZE, 1)]).await;
        connection.send(&request(1, GET)).await;
        assert_eq!(data(&mut connection).await, b"G", "the request as the upstream has received it");
        no_data(&mut connection).await;
        connection.send(&window_update(1, 2)).await;
        assert_eq!(data(&mut connection).await, b"ET");
        no_data(&mut connection).await;
    }
}

/// Section 6.9.2: a change of SETTINGS_INITIAL_WINDOW_SIZE applies to open streams, and a window may become negative.
#[tokio::test]
async fn settings_change_the_windows_of_open_streams() {
    for server in Server::start_all().await {
        let mut connection = server.connect(&[(INITIAL_WINDOW_SIZE, 0)]).await;
        connection.send(&request(1, GET)).await;
        read_until(&mut connection, |frame| frame.kind == HEADERS && frame.stream == 1).await.unwrap();
        no_data(&mut connection).await;
        connection.send(&settings(INITIAL_WINDOW_SIZE, 3)).await;
        assert_eq!(data(&mut connection).await, b"GET");
        // The window is -2 now, then 0, then 1.
        connection.send(&settings(INITIAL_WINDOW_SIZE, 1)).await;
        connection.send(&window_update(1, 2)).await;
        no_data(&mut connection).await;
        connection.send(&window_update(1, 1)).await;
        assert_eq!(data(&mut connection).await, b" ");
    }
}

/// Section 6.5.3: values are processed in their order, so that the last one counts, and each frame is acknowledged.
#[tokio::test]
async fn settings_are_processed_in_order_and_acknowledged() {
    for server in Server::start_all().await {
        let mut connection = server.connect(&[(INITIAL_WINDOW_SIZE, 100), (INITIAL_WINDOW_SIZE, 1)]).await;
        let is_ack = |frame: &Frame| frame.kind == SETTINGS && frame.flags & ACK != 0;
        read_until(&mut connection, is_ack).await.unwrap();
        connection.send(&request(1, GET)).await;
        assert_eq!(data(&mut connection).await, b"G");
        connection.send(&[frame(SETTINGS, 0, 0, &[]), settings(0xff, 1)].concat()).await;
        for _ in 0..2 {
            read_until(&mut connection, is_ack).await.unwrap();
        }
    }
}

/// Section 6.7: a PING is acknowledged with its payload, and an acknowledgement is not answered.
#[tokio::test]
async fn only_pings_without_ack_are_acknowledged() {
    for server in Server::start_all().await {
        let mut connection = server.connect(&[]).await;
        connection.send(&[frame(PING, ACK, 0, b"unasked."), frame(PING, 0, 0, b"question")].concat()).await;
        let answer = read_until(&mut connection, |frame| frame.kind == PING).await.unwrap();
        assert_eq!((answer.flags, &answer.payload[..]), (ACK, &b"question"[..]), "{:?}", server.transport);
    }
}
