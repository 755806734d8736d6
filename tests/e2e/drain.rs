//! The end of the program by a signal.
#![cfg(unix)]

use std::{fs, net::SocketAddr, process::Command};

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
async fn a_signal_lets_a_request_end_and_closes_its_connection() {
    for signal in ["TERM", "INT", "QUIT"] {
        ends_gently(signal).await;
    }
}

async fn ends_gently(signal: &str) {
    let (upstream, arrived, release) = Upstream::held().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kong.yml");
    fs::write(&file, config(upstream.address, 1)).unwrap();
    let mut process = Process::serve(&file, &["--drain", "15"]).await;
    let mut idle = TcpStream::connect(process.proxy).await.unwrap();
    let mut stream = busy(&process).await;
    soon(arrived).await.unwrap();
    process.signal(signal);
    process.says(&format!("SIG{signal}")).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_cuts_a_drain_short() {
    let (upstream, arrived, _release) = Upstream::held().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kong.yml");
    fs::write(&file, config(upstream.address, 1)).unwrap();
    let mut process = Process::serve(&file, &["--drain", "600"]).await;
    let _stream = busy(&process).await;
    soon(arrived).await.unwrap();
    process.signal("TERM");
    process.says("those in flight have 600 s to end").await;
    process.signal("INT");
    process.says("1 connections were cut").await;
    assert!(process.ends().await, "a clean end");
}

/// The answer to a GET on a connection of its own.
async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.unwrap();
    let (head, body) = read_message(&mut stream).await.unwrap();
    head + &body
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_is_denied_before_anything_is_closed() {
    let upstream = Upstream::echo().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kong.yml");
    fs::write(&file, config(upstream.address, 1)).unwrap();
    let status_api = unused_address().await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatewayctl"));
    command.arg("serve").arg(&file).args(["--proxy-listen", "127.0.0.1:0"]);
    command.args(["--admin-listen", "127.0.0.1:0", "--set"]).arg(format!("status_listen={status_api}"));
    command.args(["--drain-delay", "600"]);
    let mut process = Process::run(&mut command).await;
    assert_eq!(status(&get(status_api, "/status/ready").await), 200);
    let (mut idle, mut kept) =
        (TcpStream::connect(process.proxy).await.unwrap(), TcpStream::connect(process.proxy).await.unwrap());
    process.signal("TERM");
    process.says("not ready from now on; connections are accepted for 600 s").await;
    let answer = get(status_api, "/status/ready").await;
    assert!(status(&answer) == 503 && answer.contains("draining"), "{answer}");
    assert!(get(process.admin.unwrap(), "/status").await.contains("\"draining\":true"));
    for stream in [&mut TcpStream::connect(process.proxy).await.unwrap(), &mut kept] {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let (head, _) = read_message(stream).await.unwrap();
        assert!(status(&head) == 200 && field(&head, "connection") == Some("keep-alive"), "{head}");
    }
    process.signal("TERM");
    process.says("no new requests").await;
    assert_eq!(soon(idle.read(&mut [0; 1])).await.unwrap(), 0, "now it is");
    assert!(process.ends().await, "a clean end");
}
