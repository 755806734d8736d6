//! What clients can make the admin API hold, together.

use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::admin::{CONFIG, Node, raw, text};
use crate::rig::{field, status};

/// Begins a request whose body does not come to its end.
async fn unfinished(node: &Node, sent: usize) -> TcpStream {
    let mut stream = TcpStream::connect(node.admin()).await.unwrap();
    let head = format!(
        "POST /config HTTP/1.1\r\nHost: a\r\nContent-Type: text/yaml\r\nContent-Length: {}\r\n\r\n",
        sent + 1
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b'x'; sent]).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_many_clients_are_bounded_in_sum() {
    let node = Node::start(text(CONFIG), &[("admin_body_buffer_total_size", "1m")]).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(unfinished(&node, 400_000).await);
    }
    let body = "#".repeat(900_000);
    let request = |body: &str| {
        format!(
            "POST /config HTTP/1.1\r\nContent-Type: text/yaml\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let answer = raw(node.admin(), &request(&body)).await;
    assert_eq!((status(&answer), field(&answer, "retry-after")), (503, Some("1")));
    assert_eq!(node.get("/services/s").await.0, 200, "what needs no memory is answered");
    assert_eq!(node.post("/config", "text/yaml", CONFIG).await.0, 201, "short bodies need no reservation");
    drop(held);
    let again = format!("{CONFIG}{body}");
    for _ in 0..100 {
        let code = status(&raw(node.admin(), &request(&again)).await);
        if code == 201 {
            return;
        }
        assert_eq!(code, 503);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the memory of clients that left is not free");
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_connections_give_way_to_new_ones() {
    let node = Node::of(CONFIG).await;
    let mut slow = Vec::new();
    for i in 0..300 {
        slow.push(match i % 2 {
            0 => unfinished(&node, 10).await,
            _ => TcpStream::connect(node.admin()).await.unwrap(),
        });
    }
    for _ in 0..5 {
        assert_eq!(node.get("/services/s").await.0, 200);
        assert_eq!(node.post("/config", "text/yaml", CONFIG).await.0, 201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_beyond_the_bound_are_counted() {
    let node = Node::of(CONFIG).await;
    let mut bad = "_format_version: '3.0'\n".to_owned();
    (0..5000).for_each(|i| bad += &format!("unknown-{i}: 1\n"));
    for query in ["", "?flatten_errors=1"] {
        let (code, reply) = node.post(&format!("/config{query}"), "text/yaml", &bad).await;
        assert_eq!(code, 400);
        assert_eq!(reply["omitted_errors"], 4800);
        assert_eq!(reply["fields"].as_object().unwrap().len(), 200);
        assert!(reply["message"].as_str().unwrap().ends_with(" (and 4800 more errors)"));
    }
    let (_, reply) = node.get("/status").await;
    let error = &reply["configuration"]["last_error"];
    assert_eq!((error["findings"].as_array().unwrap().len(), &error["omitted"]), (200, &4800.into()));
}
