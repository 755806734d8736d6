//! The end of the program by a signal.
#![cfg(unix)]

use std::fs;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    process::{Process, config},
    rig::*,
};

async fn busy(process: &Process) -> TcpStream {
    let mut stream = TcpStream::connect(process.proxy).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_lets_a_request_end_and_closes_its_connection() {
    let (upstream, arrived, release) = Upstream::held().await;
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
    let (upstream, arrived, _release) = Upstream::held().await;
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
