//! Draining, and other configurations while requests run.

use std::time::Duration;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::spawn_blocking,
};

use crate::rig::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_lets_requests_end_and_closes_idle_connections() {
    let (upstream, wait, release) = Upstream::held().await;
    let mut rig = Rig::new(one_service(upstream.address));
    let mut idle = rig.connect().await;
    let mut busy = rig.connect().await;
    busy.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    soon(wait).await.unwrap();
    let workers = rig.workers();
    let drained = spawn_blocking(move || workers.drain(Duration::from_secs(15)));
    assert_eq!(soon(idle.read(&mut [0; 1])).await.unwrap(), 0, "an idle connection is closed");
    release.send(()).unwrap();
    let mut answer = String::new();
    soon(busy.read_to_string(&mut answer)).await.unwrap();
    assert!(status(&answer) == 200 && answer.ends_with("done"), "{answer}");
    assert_eq!(field(&answer, "connection"), Some("close"));
    assert_eq!(soon(drained).await.unwrap(), 0, "nothing had to be cut");
    assert!(tokio::net::TcpStream::connect(rig.addresses[0]).await.is_err(), "the listener is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_while_configurations_change() {
    let upstream = Upstream::echo().await;
    let config = |turn: u32| {
        service(upstream.address, json!({ "path": format!("/v{turn}") }), json!({ "paths": ["/"] }))
    };
    let rig = Rig::new(config(0));
    let address = rig.addresses[0];
    let clients: Vec<_> = (0..4)
        .map(|_| {
            tokio::spawn(async move {
                let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
                let mut last = 0;
                for _ in 0..500 {
                    stream.write_all(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
                    let (head, body) = read_message(&mut stream).await.expect("an answer");
                    assert_eq!(status(&head), 200, "{head}");
                    let turn = body
                        .strip_prefix("GET /v")
                        .unwrap()
                        .split('/')
                        .next()
                        .unwrap()
                        .parse::<u32>()
                        .unwrap();
                    assert!(turn >= last, "the configuration never goes back");
                    last = turn;
                }
            })
        })
        .collect();
    for turn in 1..=50 {
        rig.reload(&config(turn));
        rig.gateway.collect_retired();
        tokio::task::yield_now().await;
    }
    for client in clients {
        soon(client).await.unwrap();
    }
    let answer = rig.send("GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(answer.contains("GET /v50/x "), "{answer}");
}
