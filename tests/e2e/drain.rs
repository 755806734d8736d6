//! The end of the program by a signal.
#![cfg(unix)]

use std::fs;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
};

use crate::{
    process::{Process, config},
    rig::*,
};

/// An upstream that tells when a request has come, and answers when it is told to.
async fn held() -> (Upstream, oneshot::Receiver<()>, oneshot::Sender<()>) {
    let (arrived, wait) = oneshot::channel();
    let (release, go) = oneshot::channel::<()>();
    let once = std::sync::Mutex::new(Some((arrived, go)));
    let upstream = Upstream::script(move |mut stream, _| {
        let once = once.lock().unwrap().take();
        async move {
            read_message(&mut stream).await;
            if let Some((arrived, go)) = once {
                let _ = arrived.send(());
                let _ = go.await;
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone").await;
        }
    })
    .await;
    (upstream, wait, release)
}

async fn busy(process: &Process) -> TcpStream {
    let mut stream = TcpStream::connect(process.proxy).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_lets_a_request_end_and_closes_its_connection() {
    let (upstream, arrived, release) = held().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kong.yml");
    fs::write(&file, config(upstream.address, 1)).unwrap();
    let mut process = Process::serve(&file, &["--drain", "15"]).await;
    let mut idle = TcpStream::connect(process.proxy).await.unwrap();
    let mut stream = busy(&process).await;
    soon(arrived).await.unwrap();
    process.signal("TERM");
    process.says("SIGTERM").await;
    assert_eq!(soon(idle.read(&mut [0; 1])).await.unwrap(), 0, "an idle connection is closed");
    release.send(()).unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    assert!(status(&answer) == 200 && answer.ends_with("done"), "{answer}");
    assert_eq!(field(&answer, "connection"), Some("close"));
    assert!(process.ends().await, "a clean end");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_end_in_time_is_cut() {
    let (upstream, arrived, _release) = held().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kong.yml");
    fs::write(&file, config(upstream.address, 1)).unwrap();
    let mut process = Process::serve(&file, &["--drain", "0"]).await;
    let mut stream = busy(&process).await;
    soon(arrived).await.unwrap();
    process.signal("TERM");
    process.says("1 connections were cut").await;
    let mut answer = Vec::new();
    let _ = soon(stream.read_to_end(&mut answer)).await;
    assert!(answer.is_empty(), "no answer was made up");
    assert!(process.ends().await, "a clean end");
}
