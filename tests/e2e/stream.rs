//! Streams: TCP, TLS taken in and passed on, UDP, their plugins and their ends.

use std::{
    collections::HashSet,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use gatewayctl::{
    net::tls::{ClientTls, crypto_provider},
    proxy::{Listener, Traffic},
    runtime::{Options, RealIp},
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
};
use tokio_rustls::client::TlsStream;

use crate::rig::*;

fn streams() -> Listener {
    Listener { traffic: Traffic::Streams, ..plain() }
}

fn tls() -> Listener {
    Listener { tls: true, ..streams() }
}

fn tcp_route() -> Value {
    json!({ "protocols": ["tcp"], "destinations": [{ "ip": "127.0.0.1" }] })
}

fn tcp(upstream: &Upstream) -> Value {
    service(upstream.address, json!({ "protocol": "tcp" }), tcp_route())
}

/// Repeats what it hears until the other end has finished, then says goodbye.
async fn repeater() -> Upstream {
    Upstream::script(|mut stream, _| async move {
        let (mut from, mut to) = stream.split();
        let _ = tokio::io::copy(&mut from, &mut to).await;
        let _ = to.write_all(b"bye").await;
        let _ = to.shutdown().await;
    })
    .await
}

/// The same behind TLS, with a certificate for that name.
async fn secret_repeater(name: &str) -> (Upstream, String) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let pem = made.cert.pem();
    let chain = vec![CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(crypto_provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let upstream = Upstream::script(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let name = stream.get_ref().1.server_name().unwrap_or("no-name").to_owned();
            let _ = stream.write_all(name.as_bytes()).await;
            let mut heard = Vec::new();
            let _ = stream.read_to_end(&mut heard).await;
            let _ = stream.write_all(&heard).await;
            let _ = stream.shutdown().await;
        }
    })
    .await;
    (upstream, pem)
}

async fn hello(rig: &Rig, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
    let config = Arc::clone(&ClientTls::new(None, None).unwrap().config);
    let name = ServerName::try_from(name.to_owned()).unwrap();
    soon(tokio_rustls::TlsConnector::from(config).connect(name, rig.connect().await)).await
}

/// Says that, finishes, and returns all that comes back.
async fn say<S: AsyncReadExt + AsyncWriteExt + Unpin>(mut stream: S, text: &str) -> String {
    stream.write_all(text.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut heard = String::new();
    let _ = soon(stream.read_to_string(&mut heard)).await;
    heard
}

#[tokio::test]
async fn an_end_that_has_finished_still_hears_the_other() {
    let upstream = repeater().await;
    let rig = Rig::with(tcp(&upstream), Options::default(), &[streams()]);
    assert_eq!(say(rig.connect().await, "hello").await, "hellobye");
}

#[tokio::test]
async fn much_passes_both_ways_at_once() {
    let upstream = repeater().await;
    let rig = Rig::with(tcp(&upstream), Options::default(), &[streams()]);
    let (mut from, mut to) = rig.connect().await.into_split();
    let sent: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let copy = sent.clone();
    let writing = tokio::spawn(async move {
        to.write_all(&copy).await.unwrap();
        to.shutdown().await.unwrap();
    });
    let mut heard = Vec::new();
    soon(from.read_to_end(&mut heard)).await.unwrap();
    writing.await.unwrap();
    assert!(heard.strip_suffix(b"bye") == Some(&sent[..]), "what came back differs");
}

#[tokio::test]
async fn a_stream_without_route_is_closed() {
    let upstream = repeater().await;
    let elsewhere = json!({ "protocols": ["tcp"], "sources": [{ "ip": "10.0.0.0/8" }] });
    let config = service(upstream.address, json!({ "protocol": "tcp" }), elsewhere);
    let rig = Rig::with(config, Options::default(), &[streams()]);
    assert_eq!(rig.send("").await, "");
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn silence_ends_a_stream() {
    let upstream = repeater().await;
    let config = service(upstream.address, json!({ "protocol": "tcp", "read_timeout": 50 }), tcp_route());
    let rig = Rig::with(config, Options::default(), &[streams()]);
    let mut stream = rig.connect().await;
    stream.write_all(b"a").await.unwrap();
    let mut heard = Vec::new();
    let _ = soon(stream.read_to_end(&mut heard)).await;
    assert_eq!(heard, b"a");
}

#[tokio::test]
async fn a_target_that_refuses_is_passed_over() {
    let upstream = repeater().await;
    let mut config = tcp(&upstream);
    config["services"][0]["host"] = "u.test".into();
    config["upstreams"] = json!([{ "id": uuid(5), "name": "u.test" }]);
    let target = |n, address: std::net::SocketAddr| json!({ "id": uuid(n), "upstream": { "id": uuid(5) }, "target": address.to_string() });
    config["targets"] = json!([target(6, unused_address().await), target(7, upstream.address)]);
    let rig = Rig::with(config, Options::default(), &[streams()]);
    for _ in 0..4 {
        assert_eq!(say(rig.connect().await, "x").await, "xbye");
    }
}

#[tokio::test]
async fn tls_is_taken_in_or_passed_on_by_server_name() {
    let plain = repeater().await;
    let (secret, _) = secret_repeater("b.test").await;
    let mut config = service(
        plain.address,
        json!({ "protocol": "tcp" }),
        json!({ "protocols": ["tls"], "snis": ["a.test"] }),
    );
    let other = service(
        secret.address,
        json!({ "id": uuid(11), "name": "t", "protocol": "tcp" }),
        json!({
            "id": uuid(12), "name": "q", "service": { "id": uuid(11) },
            "protocols": ["tls_passthrough"], "snis": ["b.test"],
        }),
    );
    for table in ["services", "routes"] {
        config[table].as_array_mut().unwrap().push(other[table][0].clone());
    }
    let rig = Rig::with(config, Options::default(), &[tls()]);
    assert_eq!(say(hello(&rig, "a.test").await.unwrap(), "one").await, "onebye");
    assert_eq!(say(hello(&rig, "b.test").await.unwrap(), "two").await, "b.testtwo");
    assert!(hello(&rig, "c.other").await.is_err(), "no route, no handshake");
    assert_eq!(rig.send("GET / HTTP/1.1\r\n\r\n").await.find("HTTP"), None, "no TLS, no answer");
}

#[tokio::test]
async fn tls_to_the_service_is_verified_where_it_says_so() {
    let (upstream, pem) = secret_repeater("localhost").await;
    let with = |authority: &str| {
        let fields = json!({
            "host": "localhost", "protocol": "tls", "tls_verify": true, "retries": 0,
            "ca_certificates": [uuid(8)],
        });
        let mut config = service(upstream.address, fields, tcp_route());
        config["ca_certificates"] = json!([{ "id": uuid(8), "cert": authority }]);
        config
    };
    let rig = Rig::with(with(&pem), Options::default(), &[streams()]);
    assert_eq!(say(rig.connect().await, "x").await, "localhostx");
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
    rig.reload(&with(&other));
    assert_eq!(say(rig.connect().await, "x").await, "");
}

#[tokio::test]
async fn proxy_protocol_sets_the_client_address_of_a_stream() {
    let upstream = repeater().await;
    let route = json!({ "protocols": ["tcp"], "sources": [{ "ip": "10.1.2.3", "port": 5000 }] });
    let config = service(upstream.address, json!({ "protocol": "tcp" }), route);
    let listener = Listener { proxy_protocol: true, ..streams() };
    let options = Options {
        trusted_ips: vec!["127.0.0.0/8".parse().unwrap()],
        real_ip: RealIp::ProxyProtocol,
        ..Options::default()
    };
    let rig = Rig::with(config, options, &[listener]);
    assert_eq!(say(rig.connect().await, "PROXY TCP4 10.1.2.3 10.0.0.1 5000 80\r\nx").await, "xbye");
    assert_eq!(say(rig.connect().await, "PROXY TCP4 10.1.2.4 10.0.0.1 5000 80\r\nx").await, "");
}

#[tokio::test]
async fn the_proxy_protocol_s_second_version_comes_before_tls() {
    let upstream = repeater().await;
    let route = json!({ "protocols": ["tls"], "snis": ["a.test"], "sources": [{ "ip": "10.1.2.0/24" }] });
    let config = service(upstream.address, json!({ "protocol": "tcp" }), route);
    let listener = Listener { proxy_protocol: true, ..tls() };
    let options = Options {
        trusted_ips: vec!["127.0.0.0/8".parse().unwrap()],
        real_ip: RealIp::ProxyProtocol,
        ..Options::default()
    };
    let rig = Rig::with(config, options, &[listener]);
    // 10.1.2.3 or 10.1.9.3, port 20560, to 10.0.0.1:80.
    for (third, heard) in [(2, Some("xbye")), (9, None)] {
        let mut stream = rig.connect().await;
        let mut head = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
        head.extend([10, 1, third, 3, 10, 0, 0, 1, b'P', b'P', 0, b'P']);
        stream.write_all(&head).await.unwrap();
        let config = Arc::clone(&ClientTls::new(None, None).unwrap().config);
        let name = ServerName::try_from("a.test").unwrap();
        let secret = soon(tokio_rustls::TlsConnector::from(config).connect(name, stream)).await;
        match heard {
            Some(heard) => assert_eq!(say(secret.unwrap(), "x").await, heard),
            None => assert!(secret.is_err(), "no route, no handshake"),
        }
    }
}

#[tokio::test]
async fn datagrams_find_their_route_by_where_they_were_sent() {
    let upstreams = [
        UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap(),
        UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap(),
    ];
    let addresses = [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2)];
    let mut config = json!({ "services": [], "routes": [] });
    for (number, (upstream, address)) in (1..).zip(upstreams.iter().zip(addresses)) {
        let one = service(
            upstream.local_addr().unwrap(),
            json!({ "id": uuid(number), "name": format!("s{number}"), "protocol": "udp" }),
            json!({
                "id": uuid(number + 10), "name": format!("r{number}"), "service": { "id": uuid(number) },
                "protocols": ["udp"], "destinations": [{ "ip": address.to_string() }],
            }),
        );
        for table in ["services", "routes"] {
            config[table].as_array_mut().unwrap().push(one[table][0].clone());
        }
    }
    let listeners = addresses
        .map(|ip| Listener { traffic: Traffic::Datagrams, ..Listener::plain(SocketAddr::new(ip.into(), 0)) });
    let rig = Rig::with(config, Options::default(), &listeners);
    for (number, upstream) in upstreams.iter().enumerate() {
        let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        client.send_to(b"hi", rig.addresses[number]).await.unwrap();
        let mut buffer = [0; 8];
        let (count, from) = soon(upstream.recv_from(&mut buffer)).await.unwrap();
        assert_eq!(&buffer[..count], b"hi");
        upstream.send_to(b"ho", from).await.unwrap();
        let (count, from) = soon(client.recv_from(&mut buffer)).await.unwrap();
        assert_eq!((&buffer[..count], from), (&b"ho"[..], rig.addresses[number]));
    }
}

#[tokio::test]
async fn idle_session_is_replaced_after_its_timeout() {
    let upstream = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let config = service(
        upstream.local_addr().unwrap(),
        json!({ "protocol": "udp", "read_timeout": 50 }),
        json!({ "protocols": ["udp"], "destinations": [{ "ip": "127.0.0.1" }] }),
    );
    let listener = Listener { traffic: Traffic::Datagrams, ..plain() };
    let rig = Rig::with(config, Options::default(), &[listener]);
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    client.connect(rig.addresses[0]).await.unwrap();
    let mut buffer = [0; 8];
    let mut sources = HashSet::new();
    soon(async {
        while sources.len() < 2 {
            client.send(b"hi").await.unwrap();
            sources.insert(upstream.recv_from(&mut buffer).await.unwrap().1);
            // The test needs an idle session, and no event marks the end of the idle time.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn datagrams_keep_to_their_session_until_it_is_silent() {
    let upstream = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let config = service(
        upstream.local_addr().unwrap(),
        json!({ "protocol": "udp", "read_timeout": 300 }),
        json!({ "protocols": ["udp"], "destinations": [{ "ip": "127.0.0.1" }] }),
    );
    let listener = Listener { traffic: Traffic::Datagrams, ..plain() };
    let rig = Rig::with(config, Options::default(), &[listener]);
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    client.connect(rig.addresses[0]).await.unwrap();
    let mut buffer = [0; 64];
    let mut sessions = Vec::new();
    for text in ["one", "two"] {
        client.send(text.as_bytes()).await.unwrap();
        let (count, from) = soon(upstream.recv_from(&mut buffer)).await.unwrap();
        assert_eq!(&buffer[..count], text.as_bytes());
        upstream.send_to(&buffer[..count], from).await.unwrap();
        let count = soon(client.recv(&mut buffer)).await.unwrap();
        assert_eq!(&buffer[..count], text.as_bytes());
        sessions.push(from);
    }
    assert_eq!(sessions[0], sessions[1], "one session");
}

#[tokio::test]
async fn a_stream_at_work_may_end_while_the_gateway_drains() {
    let upstream = repeater().await;
    let mut rig = Rig::with(tcp(&upstream), Options::default(), &[streams()]);
    let mut stream = rig.connect().await;
    stream.write_all(b"a").await.unwrap();
    assert_eq!(soon(stream.read_u8()).await.unwrap(), b'a');
    let workers = rig.workers();
    let drained = tokio::task::spawn_blocking(move || workers.drain(Duration::from_secs(10)));
    assert_eq!(say(stream, "b").await, "bbye");
    assert_eq!(drained.await.unwrap(), 0, "nothing was cut");
}
