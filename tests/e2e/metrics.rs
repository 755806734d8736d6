//! `/metrics` of a whole gateway.

use std::net::SocketAddr;

use tokio::net::TcpStream;

use crate::{
    admin::{Node, exchange, raw, text},
    rig::{TEST_TIMEOUT, Upstream, unused_address},
};

/// Sends a request to the proxy.
pub async fn send(proxy: SocketAddr, request: &str) -> String {
    exchange(TcpStream::connect(proxy).await.unwrap(), request).await
}

/// Waits until all of these samples are in the metrics. A request is counted when its response has been sent, which the
/// client may see before.
pub async fn has_samples(node: &Node, samples: &[&str]) {
    let deadline = std::time::Instant::now() + TEST_TIMEOUT;
    loop {
        let metrics = raw(node.status_api(), "GET /metrics HTTP/1.1\r\n\r\n").await;
        let missing: Vec<_> =
            samples.iter().filter(|sample| !metrics.contains(&format!("\n{sample}\n"))).collect();
        if missing.is_empty() {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "no {missing:#?} in {metrics}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_counted_by_their_route() {
    let upstream = Upstream::script(|mut stream, _| async move {
        while let Some((head, _)) = crate::rig::read_message(&mut stream).await {
            let status = if head.contains("/fail") { "500 Error" } else { "200 OK" };
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            tokio::io::AsyncWriteExt::write_all(&mut stream, answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    let (up, down) = (upstream.address, unused_address().await);
    let config = format!(
        r#"
_format_version: "3.0"
services:
- name: orders
  url: http://{up}
  routes:
  - name: orders
    paths: [/orders, /o/, "~/order-\\d+"]
    strip_path: false
    plugins: [{{name: rate-limiting, config: {{minute: 4, policy: local, limit_by: ip}}}}]
- name: down
  url: http://{down}
  retries: 1
  routes: [{{name: down, paths: [/down]}}]
"#
    );
    let node = Node::start(text(&config), &[]).await.unwrap();
    let proxy = node.running().proxy_addresses()[0];
    for line in [
        "GET /orders/1",
        "GET /orders/2?x=1",
        "POST /orders/fail",
        "PURGE /order-77/x",
        "GET /o/5",
        "GET /down",
        "GET /elsewhere/1",
        "GET /elsewhere/2",
    ] {
        send(proxy, &format!("{line} HTTP/1.1\r\n\r\n")).await;
    }
    send(proxy, "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n").await;
    has_samples(
        &node,
        &[
            "# TYPE gateway_requests_total counter",
            r#"gateway_requests_total{method="GET",path="/orders",status="200",service="orders"} 2"#,
            r#"gateway_requests_total{method="POST",path="/orders",status="500",service="orders"} 1"#,
            r#"gateway_requests_total{method="other",path="~/order-\\d+",status="200",service="orders"} 1"#,
            r#"gateway_requests_total{method="GET",path="/o/",status="429",service="orders"} 1"#,
            r#"gateway_requests_total{method="GET",path="/down",status="502",service="down"} 1"#,
            r#"gateway_requests_total{method="GET",path="unmatched",status="404",service="none"} 2"#,
            r#"gateway_requests_total{method="other",path="unmatched",status="400",service="none"} 1"#,
            "# TYPE gateway_request_duration_ms histogram",
            r#"gateway_request_duration_ms_bucket{method="GET",path="/orders",service="orders",le="+Inf"} 2"#,
            r#"gateway_request_duration_ms_count{method="GET",path="/orders",service="orders"} 2"#,
            r#"gateway_rate_limit_hits_total{limiter_type="ip"} 1"#,
            r#"gateway_upstream_status_total{service="orders",status="200"} 3"#,
            r#"gateway_upstream_status_total{service="orders",status="500"} 1"#,
            r#"gateway_upstream_errors_total{service="down",error="connect"} 2"#,
            r#"gateway_reloads_total{result="applied"} 0"#,
            "gateway_connections_accepted_total 9",
            r#"gateway_connections{state="active"} 0"#,
            r#"gateway_connections{state="open"} 0"#,
        ],
    )
    .await;
    // Series of a route live on when its number changes.
    let other = format!(
        "_format_version: \"3.0\"\nservices: [{{name: a, url: \"http://{down}\", routes: [{{name: a, paths: [/a]}}]}}, \
         {{name: orders, url: \"http://{up}\", routes: [{{name: orders, paths: [/orders]}}]}}]\n"
    );
    node.running().apply(text(&other)).await.unwrap();
    send(proxy, "GET /orders/3 HTTP/1.1\r\n\r\n").await;
    has_samples(
        &node,
        &[
            r#"gateway_requests_total{method="GET",path="/orders",status="200",service="orders"} 3"#,
            r#"gateway_reloads_total{result="applied"} 1"#,
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_aborted_requests_are_counted() {
    let upstream = Upstream::raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await;
    let config = format!(
        "_format_version: \"3.0\"\nservices: [{{name: s, url: \"http://{}\", routes: [{{name: r, paths: [/]}}]}}]\n",
        upstream.address
    );
    let flags = [("nginx_http_client_max_body_size", "3"), ("proxy_access_log", "off")];
    let flags = flags.map(|(name, value)| (name.trim_start_matches("nginx_http_"), value));
    let node = Node::start(text(&config), &flags).await.unwrap();
    let proxy = node.running().proxy_addresses()[0];
    send(proxy, "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody").await;
    send(proxy, &format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(9000))).await;
    send(proxy, "GET / HTTP/1.1\r\n\r\n").await;
    has_samples(
        &node,
        &[
            r#"gateway_limits_reached_total{limit="request_body"} 1"#,
            r#"gateway_limits_reached_total{limit="request_line"} 1"#,
            r#"gateway_requests_aborted_total{ended_by="upstream"} 1"#,
            r#"gateway_upstream_errors_total{service="s",error="body"} 1"#,
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_not_counted_where_that_is_off() {
    let node = Node::start(text(crate::admin::CONFIG), &[("request_metrics", "off")]).await.unwrap();
    send(node.running().proxy_addresses()[0], "GET /nowhere HTTP/1.1\r\n\r\n").await;
    let metrics = raw(node.admin(), "GET /metrics HTTP/1.1\r\n\r\n").await;
    assert!(metrics.contains("gateway_connections_accepted_total 1\n"), "{metrics}");
    assert!(!metrics.contains("gateway_requests_total"), "{metrics}");
}
