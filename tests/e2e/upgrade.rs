//! WebSocket.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::rig::*;

#[tokio::test]
async fn a_websocket_passes_bytes_both_ways_after_the_handshake() {
    let upstream = Upstream::script(|mut stream, _| async move {
        let head = read_head(&mut stream).await.unwrap();
        assert_eq!(field(&head, "upgrade"), Some("websocket"), "{head}");
        assert_eq!(field(&head, "connection"), Some("keep-alive, Upgrade"), "{head}");
        stream
            .write_all(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            )
            .await
            .unwrap();
        let mut bytes = [0; 5];
        stream.read_exact(&mut bytes).await.unwrap();
        stream.write_all(&bytes.map(|b| b.to_ascii_uppercase())).await.unwrap();
    })
    .await;
    let rig = Rig::new(one_service(upstream.address));
    let mut stream = rig.connect().await;
    let head = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let head = read_head(&mut stream).await.unwrap();
    assert_eq!(status(&head), 101);
    assert_eq!(field(&head, "upgrade"), Some("websocket"));
    stream.write_all(b"hello").await.unwrap();
    let mut got = String::new();
    soon(stream.read_to_string(&mut got)).await.unwrap();
    assert_eq!(got, "HELLO");
}

#[tokio::test]
async fn a_refused_upgrade_is_an_ordinary_answer() {
    let upstream = Upstream::raw("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").await;
    let rig = Rig::new(one_service(upstream.address));
    let head = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = rig.send(head).await;
    assert_eq!(answer.matches("HTTP/1.1 403").count(), 2, "{answer}");
}

#[tokio::test]
async fn a_drain_closes_a_websocket_between_frames_with_1001() {
    let upstream = Upstream::script(|mut stream, _| async move {
        read_head(&mut stream).await.unwrap();
        let head =
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x05he";
        stream.write_all(head).await.unwrap();
        // The client's masked close frame marks the start of the drain: the remaining bytes of the frame follow it.
        let mut close = [0; 8];
        stream.read_exact(&mut close).await.unwrap();
        assert_eq!(close, [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9]);
        stream.write_all(b"llo\x88\x02\x03\xe9").await.unwrap();
    })
    .await;
    let mut rig = Rig::new(one_service(upstream.address));
    let mut stream = rig.connect().await;
    let head = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    read_head(&mut stream).await.unwrap();
    let mut first = [0; 4];
    soon(stream.read_exact(&mut first)).await.unwrap();
    let workers = rig.workers();
    let drained = tokio::task::spawn_blocking(move || workers.drain(TEST_TIMEOUT));
    let mut rest = [0; 7];
    soon(stream.read_exact(&mut rest)).await.unwrap();
    assert_eq!(&rest, b"llo\x88\x02\x03\xe9");
    stream.write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9]).await.unwrap();
    assert_eq!(soon(drained).await.unwrap(), 0);
}
