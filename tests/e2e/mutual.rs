//! Certificates on both sides: what upstreams are shown and verified with, and what a reload changes.

use std::{net::Ipv4Addr, net::SocketAddr, sync::Arc};

use gatewayctl::{
    net::tls::{crypto_provider, parse_certificates},
    proxy::{Listener, Traffic},
    runtime::Options,
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::Semaphore,
};

use crate::{rig::*, tls};

/// A certificate authority.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    /// Creates an authority: self-signed, or signed by another one.
    fn new(name: &str, above: Option<&Authority>) -> Authority {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let cert = match above {
            None => params.self_signed(&key),
            Some(above) => params.signed_by(&key, &above.issuer),
        };
        Authority { issuer: Issuer::new(params, key), pem: cert.unwrap().pem() }
    }

    /// A certificate and its key for that name.
    fn pair(&self, name: &str) -> (String, String) {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// An upstream with that certificate, which wants one of its clients if `clients` vouches for any. It answers
/// each request with the name on the client's certificate, one for each permit.
async fn upstream(
    (cert, key): (String, String),
    clients: Option<&Authority>,
    permits: Arc<Semaphore>,
) -> SocketAddr {
    let builder =
        ServerConfig::builder_with_provider(crypto_provider()).with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(parse_certificates(&authority.pem).unwrap());
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), crypto_provider());
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = builder.with_single_cert(parse_certificates(&cert).unwrap(), key).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, permits) = (acceptor.clone(), Arc::clone(&permits));
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let shown = stream.get_ref().1.peer_certificates().map(|chain| {
                    let (_, cert) = x509_parser::parse_x509_certificate(&chain[0]).unwrap();
                    cert.subject().to_string()
                });
                let shown = shown.unwrap_or_else(|| "no certificate".to_owned());
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {
                    permits.acquire().await.unwrap().forget();
                    let length = shown.len();
                    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{shown}");
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
            });
        }
    });
    address
}

fn plenty() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(1000))
}

/// A service at that address by that name, over TLS.
fn https(address: SocketAddr, authority: &Authority, more: Value) -> Value {
    let mut fields = json!({ "protocol": "https", "host": "localhost", "retries": 0, "tls_verify": true,
        "ca_certificates": [uuid(9)] });
    for (name, value) in more.as_object().unwrap() {
        fields[name] = value.clone();
    }
    let mut config = service(address, fields, json!({ "paths": ["/"] }));
    config["ca_certificates"] = json!([{ "id": uuid(9), "cert": authority.pem }]);
    config
}

fn shows(mut config: Value, (cert, key): &(String, String)) -> Value {
    config["certificates"] = json!([{ "id": uuid(7), "cert": cert, "key": key }]);
    config["services"][0]["client_certificate"] = json!({ "id": uuid(7) });
    config
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn an_upstream_that_wants_a_certificate_is_shown_the_service_s() {
    let (server, clients) = (Authority::new("servers", None), Authority::new("clients", None));
    let address = upstream(server.pair("localhost"), Some(&clients), plenty()).await;
    let without = Rig::new(https(address, &server, json!({})));
    assert_eq!(status(&without.send(GET).await), 502);
    let stranger = Authority::new("others", None).pair("gateway");
    assert_eq!(status(&Rig::new(shows(https(address, &server, json!({})), &stranger)).send(GET).await), 502);
    let known = clients.pair("gateway");
    let answer = Rig::new(shows(https(address, &server, json!({})), &known)).send(GET).await;
    assert!(status(&answer) == 200 && answer.ends_with("CN=gateway"), "{answer}");
    // The node's own, where the service has none.
    let options = Options { client_certificate: Some(clients.pair("node")), ..Options::default() };
    let answer = Rig::with(https(address, &server, json!({})), options, &[plain()]).send(GET).await;
    assert!(answer.ends_with("CN=node"), "{answer}");
}

#[tokio::test]
async fn as_many_authorities_may_stand_between_as_the_service_says() {
    let root = Authority::new("root", None);
    let (upper, lower);
    upper = Authority::new("upper", Some(&root));
    lower = Authority::new("lower", Some(&upper));
    let (cert, key) = lower.pair("localhost");
    let chain = format!("{cert}{}{}", lower.pem, upper.pem);
    let address = upstream((chain, key), None, plenty()).await;
    for (depth, code) in [(json!(0), 502), (json!(null), 502), (json!(1), 502), (json!(2), 200)] {
        let rig = Rig::new(https(address, &root, json!({ "tls_verify_depth": depth })));
        assert_eq!(status(&rig.send(GET).await), code, "{depth}");
    }
    let options = Options { verify_depth: 2, ..Options::default() };
    let rig = Rig::with(https(address, &root, json!({})), options, &[plain()]);
    assert_eq!(status(&rig.send(GET).await), 200);
}

#[tokio::test]
async fn a_new_certificate_is_shown_after_a_reload_while_the_request_before_it_ends() {
    let authority = Authority::new("all", None);
    let permits = Arc::new(Semaphore::new(0));
    let address = upstream(authority.pair("localhost"), Some(&authority), Arc::clone(&permits)).await;
    let with = |name: &str| shows(https(address, &authority, json!({})), &authority.pair(name));
    let rig = Rig::new(with("before"));
    let mut held = rig.connect().await;
    held.write_all(GET.as_bytes()).await.unwrap();
    // The other worker may have it: both show the old one until the reload.
    permits.add_permits(1);
    let mut first = String::new();
    soon(held.read_to_string(&mut first)).await.unwrap();
    assert!(first.ends_with("CN=before"), "{first}");
    let mut held = rig.connect().await;
    held.write_all(GET.as_bytes()).await.unwrap();
    rig.reload(&with("after"));
    let mut next = rig.connect().await;
    next.write_all(GET.as_bytes()).await.unwrap();
    permits.add_permits(2);
    let (mut old, mut new) = (String::new(), String::new());
    soon(held.read_to_string(&mut old)).await.unwrap();
    soon(next.read_to_string(&mut new)).await.unwrap();
    assert_eq!(status(&old), 200);
    assert!(new.ends_with("CN=after"), "{new}");
}

#[tokio::test]
async fn a_client_s_connection_outlives_a_reload_of_the_certificate_it_was_shown() {
    let upstream = Upstream::echo().await;
    let with = |(cert, key): (String, String)| {
        let mut config = one_service(upstream.address);
        config["certificates"] = json!([{ "id": uuid(3), "cert": cert, "key": key }]);
        config["snis"] = json!([{ "id": uuid(4), "name": "a.test", "certificate": { "id": uuid(3) } }]);
        config
    };
    let (old, new) = (tls::pair("a.test"), tls::pair("a.test"));
    let listener = Listener { tls: true, ..plain() };
    let rig = Rig::with(with(old.clone()), Options::default(), &[listener]);
    let mut stream = tls::connect(&rig, "a.test", b"http/1.1").await;
    for config in [None, Some(with(new.clone())), Some(one_service(upstream.address))] {
        if let Some(config) = config {
            rig.reload(&config);
        }
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(soon(stream.read_u8()).await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        assert_eq!(status(&head), 200);
        let mut body = vec![0; field(&head, "content-length").unwrap().parse().unwrap()];
        soon(stream.read_exact(&mut body)).await.unwrap();
    }
    assert_eq!(tls::shown(&stream), *parse_certificates(&old.0).unwrap()[0]);
    rig.reload(&with(new.clone()));
    let next = tls::connect(&rig, "a.test", b"http/1.1").await;
    assert_eq!(tls::shown(&next), *parse_certificates(&new.0).unwrap()[0]);
}

#[tokio::test]
async fn a_stream_s_service_is_shown_a_certificate_too() {
    let authority = Authority::new("all", None);
    let address = upstream(authority.pair("localhost"), Some(&authority), plenty()).await;
    let mut config =
        shows(https(address, &authority, json!({ "protocol": "tls" })), &authority.pair("stream"));
    config["routes"][0] = json!({
        "id": uuid(2), "name": "r", "service": { "id": uuid(1) },
        "protocols": ["tcp"], "destinations": [{ "ip": "127.0.0.1" }],
    });
    let listener = Listener { traffic: Traffic::Streams, ..plain() };
    let rig = Rig::with(config, Options::default(), &[listener]);
    let mut stream = rig.connect().await;
    stream.write_all(b"hello").await.unwrap();
    let (_, body) = soon(read_message(&mut stream)).await.unwrap();
    assert_eq!(body, "CN=stream");
}
