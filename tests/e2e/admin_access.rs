//! Access control of the admin API, and masking of secrets in its responses.

use std::sync::Arc;

use gatewayctl::net::tls::{ClientTls, TrustRoots};
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::{io::AsyncReadExt, net::TcpStream};

use super::admin::{CONFIG, Node, ask, exchange, parsed, raw, text};
use crate::rig::{field, soon, status};

/// A request with a body, as a page of another site can send it without being asked about.
fn multipart(fields: &str) -> String {
    let body =
        "--x\r\nContent-Disposition: form-data; name=\"config\"\r\n\r\n_format_version: '3.0'\r\n--x--\r\n";
    let length = body.len();
    format!(
        "POST /config HTTP/1.1\r\n{fields}Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_web_pages_are_refused_unless_listed() {
    let flags = [
        ("admin_allowed_hosts", "gw.example.com"),
        ("admin_allowed_origins", "https://gui.example.com"),
        ("admin_gui_url", "https://manager.example.com/manager"),
    ];
    let node = Node::start(text(CONFIG), &flags).await.unwrap();
    for fields in [
        "Origin: http://evil.test\r\n",
        "Origin: null\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Host: rebound.evil.net\r\n",
    ] {
        for address in [node.admin(), node.status_api()] {
            let answer = raw(address, &multipart(fields)).await;
            assert_eq!(status(&answer), 403, "{fields}");
            assert_eq!(field(&answer, "access-control-allow-origin"), None, "{fields}");
        }
    }
    let (_, reply) = ask(node.admin(), "GET / HTTP/1.1\r\nHost: rebound.evil.net\r\n\r\n").await;
    assert!(reply["message"].as_str().unwrap().contains("admin_allowed_hosts"), "{reply}");
    assert_eq!(node.get("/routes/r1").await.0, 200, "the configuration is still there");
    assert_eq!(ask(node.admin(), "GET / HTTP/1.1\r\nHost: gw.example.com:8001\r\n\r\n").await.0, 200);
    for page in ["https://gui.example.com", "https://manager.example.com"] {
        let request =
            format!("GET /services HTTP/1.1\r\nOrigin: {page}\r\nSec-Fetch-Site: cross-site\r\n\r\n");
        let answer = raw(node.admin(), &request).await;
        assert_eq!(status(&answer), 200);
        assert_eq!(field(&answer, "access-control-allow-origin"), Some(page));
    }
    let answer = raw(node.admin(), "GET /services HTTP/1.1\r\n\r\n").await;
    assert_eq!((status(&answer), field(&answer, "access-control-allow-origin")), (200, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_asked_for_where_one_is_set() {
    let token = "0123456789abcdef";
    let node = Node::start(text(CONFIG), &[("admin_token", token)]).await.unwrap();
    let answer = raw(node.admin(), "GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!((status(&answer), field(&answer, "www-authenticate")), (401, Some("Bearer")));
    assert_eq!(node.post("/config", "text/yaml", CONFIG).await.0, 401);
    for header in [format!("Authorization: Bearer {token}"), format!("Kong-Admin-Token: {token}")] {
        let answer = raw(node.admin(), &format!("GET / HTTP/1.1\r\n{header}\r\n\r\n")).await;
        assert_eq!(status(&answer), 200);
        assert_eq!(parsed(&answer).1["configuration"]["admin_token"], "******");
        assert!(!answer.contains(token));
    }
    assert_eq!(ask(node.status_api(), "GET /status HTTP/1.1\r\n\r\n").await.0, 200, "probes have none");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_listener_without_authentication_is_warned_of() {
    let warnings = |reply: &Value| reply["warnings"].as_array().map_or(0, Vec::len);
    let open = ("admin_listen", "0.0.0.0:0");
    let node = Node::start(text(CONFIG), &[open]).await.unwrap();
    let port = node.admin().port();
    let get = "GET /status HTTP/1.1\r\nKong-Admin-Token: 0123456789abcdef\r\n\r\n";
    let (_, reply) = ask(([127, 0, 0, 1], port).into(), get).await;
    assert_eq!(warnings(&reply), 1, "{reply}");
    assert_eq!(warnings(&ask(node.status_api(), get).await.1), 0, "not there");
    let node = Node::start(text(CONFIG), &[open, ("admin_token", "0123456789abcdef")]).await.unwrap();
    let (code, reply) = ask(([127, 0, 0, 1], node.admin().port()).into(), get).await;
    assert_eq!((code, warnings(&reply)), (200, 0), "{reply}");
    let node = Node::of(CONFIG).await;
    assert_eq!(warnings(&node.get("/status").await.1), 0, "loopback");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_status_api_without_a_token_is_warned_of() {
    let open = ("status_listen", "0.0.0.0:0");
    let node = Node::start(text(CONFIG), &[open]).await.unwrap();
    let (_, reply) = node.get("/status").await;
    let warning = reply["warnings"][0].as_str().unwrap();
    assert!(
        warning.starts_with("the status API listens on 0.0.0.0:0") && warning.contains("POST /status/ready")
    );
    let node = Node::start(text(CONFIG), &[open, ("admin_token", "0123456789abcdef")]).await.unwrap();
    let get = "GET /status HTTP/1.1\r\nKong-Admin-Token: 0123456789abcdef\r\n\r\n";
    assert_eq!(ask(node.admin(), get).await.1.get("warnings"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn client_certificates_are_asked_for_where_authorities_are_set() {
    let made = rcgen::generate_simple_self_signed(["admin.test".to_owned()]).unwrap();
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let flags = [
        ("admin_listen", "0.0.0.0:0 ssl"),
        ("admin_ssl_cert", cert.as_str()),
        ("admin_ssl_cert_key", key.as_str()),
        ("admin_ssl_client_certificate", cert.as_str()),
    ];
    let node = Node::start(text(CONFIG), &flags).await.unwrap();
    for (client, expected) in [(None, None), (Some((cert.as_str(), key.as_str())), Some(200))] {
        let trusted = TrustRoots { authorities: &[&cert], max_depth: 1 };
        let config = ClientTls::new(Some(trusted), client).unwrap().config.clone();
        let tcp = TcpStream::connect(("127.0.0.1", node.admin().port())).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(config);
        let mut stream =
            soon(connector.connect(ServerName::try_from("admin.test").unwrap(), tcp)).await.unwrap();
        if expected.is_none() {
            // The client learns of it with the first read (RFC 8446, section 4.4.2.4).
            assert!(soon(stream.read_u8()).await.is_err(), "no certificate, no connection");
            continue;
        }
        let answer = exchange(stream, "GET /status HTTP/1.1\r\n\r\n").await;
        let (code, reply) = parsed(&answer);
        assert_eq!(Some(code), expected);
        assert_eq!(reply.get("warnings"), None, "clients are authenticated");
    }
}

const REFERENCES: &str = r#"
_format_version: "3.0"
services:
- {name: s, url: "http://127.0.0.1:1"}
consumers:
- username: c
  basicauth_credentials: [{username: u, password: "hashed-later"}]
plugins:
- name: rate-limiting
  config: {minute: 1, redis: {host: h.test, username: "{vault://env/user}", password: "{vault://env/pw}"}}
"#;
const ENVIRONMENT: &[(&str, &str)] = &[("PW", "s3cret-password"), ("USER", "s3cret-user")];

#[tokio::test(flavor = "multi_thread")]
async fn vault_references_are_shown_as_they_are_written() {
    let node = Node::with_environment(text(REFERENCES), &[], ENVIRONMENT).await.unwrap();
    let (_, list) = node.get("/plugins").await;
    let id = list["data"][0]["id"].as_str().unwrap().to_owned();
    let (_, posted) = node.post("/config", "text/yaml", REFERENCES).await;
    let mut replies = vec![list, posted];
    for path in [format!("/plugins/{id}"), "/config".to_owned(), "/status".to_owned(), "/".to_owned()] {
        replies.push(node.get(&path).await.1);
    }
    for reply in &replies {
        assert!(!reply.to_string().contains("s3cret"), "{reply}");
    }
    assert_eq!(replies[2]["config"]["redis"]["password"], "{vault://env/pw}");
    assert_eq!(replies[2]["config"]["redis"]["username"], "{vault://env/user}");
    let dump = replies[3]["config"].as_str().unwrap();
    assert!(dump.contains("{vault://env/pw}"), "{dump}");
    assert!(!dump.contains("hashed-later"), "what is hashed is shown as a hash: {dump}");
    let (code, again) =
        node.post("/config", "application/json", &json!({ "config": dump }).to_string()).await;
    assert_eq!(code, 201, "{again}");
    let state = Arc::clone(&node.running().gateway().snapshot().state);
    let served = state.plugins.rows()[0].config.json();
    assert_eq!(served["redis"]["password"], "s3cret-password", "what is served is the value");
}
