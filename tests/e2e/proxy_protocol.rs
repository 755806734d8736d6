//! The PROXY protocol on a listener.

use gatewayctl::{
    proxy::Listener,
    runtime::{Options, RealIp},
};

use crate::rig::*;

fn listener() -> Listener {
    Listener { proxy_protocol: true, ..plain() }
}

fn believing() -> Options {
    Options {
        real_ip: RealIp::ProxyProtocol,
        trusted_ips: vec!["127.0.0.0/8".parse().unwrap()],
        ..Options::default()
    }
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn the_address_of_a_trusted_balancer_s_line_is_the_client_s() {
    let upstream = Upstream::echo().await;
    let rig = Rig::with(one_service(upstream.address), believing(), &[listener()]);
    let answer = rig.send(&format!("PROXY TCP4 203.0.113.9 10.0.0.1 5000 80\r\n{GET}")).await;
    assert_eq!(status(&answer), 200);
    assert_eq!(field(&answer, "x-real-ip"), Some("203.0.113.9"), "{answer}");
    assert_eq!(field(&answer, "x-forwarded-for"), Some("203.0.113.9"), "{answer}");
}

#[tokio::test]
async fn a_header_of_version_2_says_the_same_in_bytes() {
    let upstream = Upstream::echo().await;
    let rig = Rig::with(one_service(upstream.address), believing(), &[listener()]);
    // 10.1.2.3:20560 to 10.0.0.1:80, and an extension of three bytes that is skipped.
    let head = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f\x0a\x01\x02\x03\x0a\0\0\x01PP\0P\x04\0\0";
    let answer = rig.send(&format!("{head}{GET}")).await;
    assert_eq!(field(&answer, "x-real-ip"), Some("10.1.2.3"), "{answer}");
}

#[tokio::test]
async fn a_balancer_that_is_not_trusted_is_the_client_itself() {
    let upstream = Upstream::echo().await;
    let options = Options { real_ip: RealIp::ProxyProtocol, ..Options::default() };
    let rig = Rig::with(one_service(upstream.address), options, &[listener()]);
    let answer = rig.send(&format!("PROXY TCP4 203.0.113.9 10.0.0.1 5000 80\r\n{GET}")).await;
    assert_eq!(field(&answer, "x-real-ip"), Some("127.0.0.1"), "{answer}");
}

#[tokio::test]
async fn a_connection_without_the_header_is_closed_unanswered() {
    let upstream = Upstream::echo().await;
    let rig = Rig::with(one_service(upstream.address), believing(), &[listener()]);
    assert_eq!(rig.send(GET).await, "");
    assert_eq!(upstream.connections(), 0);
}
