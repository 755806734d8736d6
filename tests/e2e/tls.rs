//! TLS towards clients and upstreams, HTTP/2 by ALPN.

use std::{net::Ipv4Addr, sync::Arc};

use bytes::Bytes;
use gatewayctl::{
    net::tls::{ClientTls, crypto_provider},
    proxy::Listener,
    runtime::Options,
};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::rig::*;

fn listener() -> Listener {
    Listener { tls: true, http2: true, ..Listener::plain((Ipv4Addr::LOCALHOST, 0).into()) }
}

pub async fn connect(rig: &Rig, name: &str, alpn: &[u8]) -> tokio_rustls::client::TlsStream<TcpStream> {
    let mut config = (*ClientTls::new(None, None).unwrap().config).clone();
    config.alpn_protocols = vec![alpn.to_vec()];
    let name = ServerName::try_from(name.to_owned()).unwrap();
    soon(tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, rig.connect().await)).await.unwrap()
}

pub fn pair(name: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// The certificate that the gateway has shown.
pub fn shown(stream: &tokio_rustls::client::TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn https_is_served_with_a_certificate_made_for_the_occasion() {
    let upstream = Upstream::echo().await;
    let rig = Rig::with(one_service(upstream.address), Options::default(), &[listener()]);
    let mut stream = connect(&rig, "a.test", b"http/1.1").await;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    let _ = soon(stream.read_to_string(&mut answer)).await;
    assert_eq!(status(&answer), 200);
    assert_eq!(field(answer.split_once("\r\n\r\n").unwrap().1, "x-forwarded-proto"), Some("https"));
}

#[tokio::test]
async fn the_certificate_follows_the_server_name_and_the_configuration() {
    let (cert, key) = pair("b.test");
    let with = |cert: &str, key: &str| {
        json!({
            "certificates": [{ "id": uuid(3), "cert": cert, "key": key }],
            "snis": [{ "id": uuid(4), "name": "*.b.test", "certificate": { "id": uuid(3) } }],
        })
    };
    let rig = Rig::with(with(&cert, &key), Options::default(), &[listener()]);
    let b = shown(&connect(&rig, "x.b.test", b"http/1.1").await);
    assert_eq!(b, *gatewayctl::net::tls::parse_certificates(&cert).unwrap()[0]);
    assert_ne!(b, shown(&connect(&rig, "c.test", b"http/1.1").await));
    let (cert, key) = pair("b.test");
    rig.reload(&with(&cert, &key));
    let b = shown(&connect(&rig, "x.b.test", b"http/1.1").await);
    assert_eq!(b, *gatewayctl::net::tls::parse_certificates(&cert).unwrap()[0]);
}

#[tokio::test]
async fn gateway_uses_http2_if_alpn_negotiates_it() {
    let upstream = Upstream::echo().await;
    let rig = Rig::with(one_service(upstream.address), Options::default(), &[listener()]);
    let stream = connect(&rig, "a.test", b"h2").await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let driver = tokio::spawn(connection);
    for _ in 0..3 {
        let request = http::Request::get("https://a.test/x").body(Empty::<Bytes>::new()).unwrap();
        let answer = soon(sender.send_request(request)).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.headers().contains_key("x-kong-request-id"));
        let body = soon(answer.into_body().collect()).await.unwrap().to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        assert!(body.starts_with("GET /x HTTP/1.1\r\n"), "{body}");
        assert_eq!(field(&body, "x-forwarded-host"), Some("a.test"));
        assert_eq!(field(&body, "via"), Some(concat!("2 gatewayctl/", env!("CARGO_PKG_VERSION"))));
    }
    assert_eq!(upstream.connections(), 1);
    driver.abort();
}

#[tokio::test]
async fn an_upstream_over_tls_is_verified_when_the_service_says_so() {
    let (cert, key) = pair("localhost");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let chain = gatewayctl::net::tls::parse_certificates(&cert).unwrap();
    let key = rustls::pki_types::pem::PemObject::from_pem_slice(key.as_bytes()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(crypto_provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let serving = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
                let _ = stream.shutdown().await;
            });
        }
    });
    let get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let https = |more: serde_json::Value| {
        let mut service_fields = json!({ "protocol": "https", "host": "localhost", "retries": 0 });
        for (name, value) in more.as_object().unwrap() {
            service_fields[name] = value.clone();
        }
        let mut config = service(address, service_fields, json!({ "paths": ["/"] }));
        config["ca_certificates"] = json!([{ "id": uuid(9), "cert": cert }]);
        config
    };
    assert_eq!(status(&Rig::new(https(json!({}))).send(get).await), 200);
    assert_eq!(status(&Rig::new(https(json!({ "tls_verify": true }))).send(get).await), 502);
    let trusting = https(json!({ "tls_verify": true, "ca_certificates": [uuid(9)] }));
    assert_eq!(status(&Rig::new(trusting).send(get).await), 200);
    serving.abort();
}
