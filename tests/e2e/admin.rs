//! The admin and status APIs of a whole gateway over real sockets.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use gatewayctl::{
    config::{
        Catalog, Input, LoadError, Loaded,
        settings::{self, Sources},
    },
    net::tls::ClientTls,
    router::Flavor,
    runtime::Mock,
    server::{
        ConfigHash, Observer, ReadOptions, ReadyInfo, ServeError, ServeOptions, ServerHandle,
        empty_configuration,
    },
};
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    task::spawn_blocking,
};

use crate::rig::{field, soon, status};

/// An observer that ignores all events.
struct Silent;

impl Observer for Silent {
    fn ready(&self, _: &ReadyInfo<'_>) {}
    fn reloaded(&self, _: &Loaded, _: ConfigHash, _: u64, _: Duration) {}
    fn refused(&self, _: &Loaded, _: bool) {}
    fn unreadable(&self, _: &LoadError) {}
    fn draining(&self, _: &str, _: Duration) {}
    fn stopped(&self, _: usize) {}
}

pub const CONFIG: &str = r#"
_format_version: "3.0"
services:
- name: s
  url: http://127.0.0.1:1
  tags: [a, b]
  routes: [{name: r1, paths: [/1]}, {name: r2, paths: [/2]}, {name: r3, paths: [/3], tags: [a]}]
consumers:
- {username: c, keyauth_credentials: [{key: k-1}]}
"#;

pub fn text(text: &str) -> Input {
    Input::Text { name: "kong.yml".to_owned(), text: text.as_bytes().to_vec() }
}

/// A gateway with its admin API.
pub struct Node(Option<ServerHandle>);

impl Node {
    pub async fn start(input: Input, flags: &[(&str, &str)]) -> Result<Node, ServeError> {
        Self::with_environment(input, flags, &[]).await
    }

    pub async fn with_environment(
        input: Input,
        flags: &[(&str, &str)],
        environment: &'static [(&'static str, &'static str)],
    ) -> Result<Node, ServeError> {
        Self::with_catalog(input, flags, environment, gatewayctl::catalog().unwrap()).await
    }

    /// A gateway with the plugins of a test.
    pub async fn with_catalog(
        input: Input,
        flags: &[(&str, &str)],
        environment: &'static [(&'static str, &'static str)],
        catalog: &'static Catalog,
    ) -> Result<Node, ServeError> {
        let own = [
            ("proxy_listen", "127.0.0.1:0"),
            ("admin_listen", "127.0.0.1:0"),
            ("status_listen", "127.0.0.1:0"),
            ("nginx_worker_processes", "1"),
        ];
        let flags =
            own.iter().chain(flags).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (settings, _) = settings::load(&Sources { flags, ..Sources::default() });
        let node = settings.clone();
        let read = ReadOptions {
            catalog,
            kong_strict: false,
            flavor: Flavor::default(),
            vault_env_prefix: None,
            env: Arc::new(|name| {
                let found = environment.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            }),
            plugin_enabled: Arc::new(move |name| node.allows_plugin(name)),
            allow_unsupported: true,
        };
        let running = spawn_blocking(move || {
            let serve = ServeOptions::new(&settings, input, read, Mock::Off)?;
            ServerHandle::start(
                ServeOptions { watch: false, drain: Duration::ZERO, ..serve },
                Arc::new(Silent),
            )
        });
        Ok(Node(Some(running.await.unwrap()?)))
    }

    pub async fn of(config: &str) -> Node {
        Node::start(text(config), &[]).await.unwrap()
    }

    pub fn running(&self) -> &ServerHandle {
        self.0.as_ref().unwrap()
    }

    pub fn admin(&self) -> SocketAddr {
        self.running().admin_addresses()[0]
    }

    pub fn status_api(&self) -> SocketAddr {
        self.running().status_addresses()[0]
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        ask(self.admin(), &format!("GET {path} HTTP/1.1\r\n\r\n")).await
    }

    pub async fn post(&self, path: &str, kind: &str, body: &str) -> (u16, Value) {
        let length = body.len();
        let head =
            format!("POST {path} HTTP/1.1\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n");
        ask(self.admin(), &format!("{head}{body}")).await
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(running) = self.0.take() {
            std::thread::spawn(|| running.stop("the end of the test"));
        }
    }
}

/// Sends a request, its head without `Host` and `Connection`, and returns all that comes back.
pub async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, request: &str) -> String {
    let request = request.replacen("\r\n", "\r\nHost: a\r\nConnection: close\r\n", 1);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut got = Vec::new();
    let _ = soon(stream.read_to_end(&mut got)).await;
    String::from_utf8(got).unwrap()
}

pub async fn raw(address: SocketAddr, request: &str) -> String {
    exchange(TcpStream::connect(address).await.unwrap(), request).await
}

/// Status and body of an answer; null if it is not JSON.
pub async fn ask(address: SocketAddr, request: &str) -> (u16, Value) {
    parsed(&raw(address, request).await)
}

pub fn parsed(answer: &str) -> (u16, Value) {
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status(answer), serde_json::from_str(body).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_a_nested_list_can_be_walked() {
    let node = Node::of(CONFIG).await;
    let (_, first) = node.get("/services/s/routes?size=2").await;
    assert_eq!(first["data"].as_array().unwrap().len(), 2);
    let next = first["next"].as_str().unwrap();
    assert!(next.starts_with("/services/s/routes?offset="), "{next}");
    let (_, second) = node.get(next).await;
    assert_eq!(second["data"].as_array().unwrap().len(), 1);
    assert_eq!(second["next"], Value::Null);
    for row in second["data"].as_array().unwrap() {
        assert!(!first["data"].as_array().unwrap().contains(row), "nothing stands on two pages");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entities_are_found_by_name_by_tag_and_through_others() {
    let node = Node::of(CONFIG).await;
    let (_, service) = node.get("/services/s").await;
    assert_eq!(node.get("/routes/r1/service").await, (200, service.clone()));
    assert_eq!(node.get("/key-auths/k-1/consumer").await.1["username"], "c");
    assert_eq!(node.get("/routes?tags=a").await.1["data"][0]["name"], "r3");
    assert_eq!(node.get("/tags/b").await.1["data"][0]["entity_id"], service["id"]);
    assert_eq!(node.get("/routes/nope").await, (404, json!({ "message": "Not found" })));
    assert_eq!(node.get("/services?size=0").await.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_are_rejected_and_options_lists_the_methods() {
    let node = Node::of(CONFIG).await;
    let (code, reply) = node.post("/services", "application/json", r#"{"name": "x"}"#).await;
    assert_eq!(code, 405);
    assert_eq!(reply["message"], "cannot create 'services' entities when not using a database");
    let (code, reply) = ask(node.admin(), "PATCH /services HTTP/1.1\r\n\r\n").await;
    assert_eq!((code, reply), (405, json!({ "message": "Method not allowed" })));
    let options = raw(node.admin(), "OPTIONS /services HTTP/1.1\r\n\r\n").await;
    assert_eq!(status(&options), 204);
    assert_eq!(field(&options, "allow"), Some("GET, HEAD, OPTIONS, POST"));
    let head = raw(node.admin(), "HEAD /services HTTP/1.1\r\n\r\n").await;
    assert_eq!(status(&head), 200);
    assert!(head.ends_with("\r\n\r\n"), "a head has no body: {head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_is_taken_in_every_form() {
    let node = Node::of(CONFIG).await;
    let yaml = |name: &str| format!("_format_version: \"3.0\"\nconsumers: [{{username: {name}}}]\n");
    let parts = format!(
        "--x\r\nContent-Disposition: form-data; name=\"config\"; filename=\"kong.yml\"\r\n\r\n{}\r\n--x--\r\n",
        yaml("in-parts")
    );
    let form: String =
        form_urlencoded::Serializer::new(String::new()).append_pair("config", &yaml("in-a-form")).finish();
    for (name, kind, body) in [
        ("raw", "text/yaml", yaml("raw")),
        ("in-json", "application/json", json!({ "config": yaml("in-json") }).to_string()),
        ("in-a-form", "application/x-www-form-urlencoded", form),
        ("in-parts", "multipart/form-data; boundary=x", parts),
    ] {
        let (code, reply) = node.post("/config", kind, &body).await;
        assert_eq!(code, 201, "{kind}: {reply}");
        assert_eq!(node.get(&format!("/consumers/{name}")).await.0, 200, "{kind}");
    }
    assert_eq!(node.post("/config", "text/plain", "x").await.0, 415);
    assert_eq!(node.post("/config", "text/yaml", "").await.0, 400);
    let again = yaml("raw");
    assert_eq!(node.post("/config?check_hash=1", "text/yaml", &again).await.0, 201);
    assert_eq!(node.post("/config?check_hash=1", "text/yaml", &again).await.0, 304);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_get_config_gives_can_be_posted_again() {
    let node = Node::of(CONFIG).await;
    let (_, before) = node.get("/routes/r1").await;
    let (_, reply) = node.get("/config").await;
    let (code, answer) = node.post("/config", "application/json", &reply.to_string()).await;
    assert_eq!(code, 201, "{answer}");
    assert_eq!(node.get("/routes/r1").await.1["id"], before["id"]);
    assert_eq!(node.get("/key-auths/k-1").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_configuration_leaves_the_running_one_and_its_findings() {
    let node = Node::of(CONFIG).await;
    let (_, before) = node.get("/status").await;
    assert_eq!(before["configuration"]["generation"], 1);
    assert_eq!(before["configuration"]["last_error"], Value::Null);
    let bad = r#"{"_format_version": "3.0", "services": [{"name": "x", "host": 3}]}"#;
    let (code, reply) = node.post("/config?flatten_errors=1", "application/json", bad).await;
    assert_eq!(code, 400);
    assert_eq!(reply["flattened_errors"][0]["entity_name"], "x");
    let (_, after) = node.get("/status").await;
    assert_eq!(after["configuration"]["generation"], 1);
    assert_eq!(after["configuration_hash"], before["configuration_hash"]);
    let finding = &after["configuration"]["last_error"]["findings"][0];
    assert_eq!(finding["code"], "config/wrong-type");
    assert_eq!(finding["place"]["line"], 1);
    assert_eq!(node.get("/services/s").await.0, 200, "the old one still serves");
    let (_, outside) = ask(node.status_api(), "GET /status HTTP/1.1\r\n\r\n").await;
    assert!(outside["configuration"]["last_error"]["message"].is_string());
    assert_eq!(outside["configuration"]["last_error"].get("findings"), None, "they quote the configuration");
    let (code, _) = node.post("/config", "text/yaml", CONFIG).await;
    assert_eq!(code, 201);
    let (_, end) = node.get("/status").await;
    assert_eq!(end["configuration"]["generation"], 2);
    assert_eq!(end["configuration"]["last_error"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn gateway_is_ready_from_its_first_configuration_until_a_drain_is_requested() {
    let node = Node::start(empty_configuration(), &[]).await.unwrap();
    let ready = "GET /status/ready HTTP/1.1\r\n\r\n";
    let (code, reply) = ask(node.status_api(), ready).await;
    assert_eq!(code, 503, "{reply}");
    assert_eq!(node.post("/config", "text/yaml", CONFIG).await.0, 201);
    assert_eq!(ask(node.status_api(), ready).await, (200, json!({ "message": "ready" })));
    let body = "status=draining";
    let drain = format!(
        "POST /status/ready HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    assert_eq!(ask(node.status_api(), &drain).await.0, 204);
    assert_eq!(ask(node.status_api(), ready).await, (503, json!({ "message": "draining" })));
    assert_eq!(ask(node.status_api(), "GET /services HTTP/1.1\r\n\r\n").await.0, 404, "health alone is here");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_too_long_is_not_taken() {
    let node = Node::start(text(CONFIG), &[("admin_client_max_body_size", "1k")]).await.unwrap();
    let long = "x".repeat(2000);
    let (code, reply) = node.post("/config", "text/yaml", &long).await;
    assert_eq!(code, 413, "{reply}");
    let chunked = format!(
        "POST /config HTTP/1.1\r\nContent-Type: text/yaml\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n0\r\n\r\n",
        long.len()
    );
    assert_eq!(status(&raw(node.admin(), &chunked).await), 413, "with content-length and chunked");
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_api_uses_tls_with_its_own_certificate() {
    let made = rcgen::generate_simple_self_signed(["admin.test".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (cert, key) = (file("cert.pem", made.cert.pem()), file("key.pem", made.signing_key.serialize_pem()));
    let flags = [
        ("admin_listen", "127.0.0.1:0 http2 ssl"),
        ("admin_ssl_cert", cert.as_str()),
        ("admin_ssl_cert_key", key.as_str()),
    ];
    let node = Node::start(text(CONFIG), &flags).await.unwrap();
    for (alpn, chosen) in [(&b"h2"[..], &b"h2"[..]), (b"http/1.1", b"http/1.1")] {
        let mut config = (*ClientTls::new(None, None).unwrap().config).clone();
        config.alpn_protocols = vec![alpn.to_vec()];
        let name = ServerName::try_from("admin.test").unwrap();
        let tcp = TcpStream::connect(node.admin()).await.unwrap();
        let stream =
            soon(tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp)).await.unwrap();
        let session = stream.get_ref().1;
        assert_eq!(session.alpn_protocol(), Some(chosen));
        assert_eq!(session.peer_certificates().unwrap()[0].as_ref(), made.cert.der().as_ref());
        if chosen == b"http/1.1" {
            let answer = exchange(stream, "GET /status HTTP/1.1\r\n\r\n").await;
            assert_eq!(parsed(&answer).0, 200);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_can_be_turned_off() {
    let flags = [("admin_listen", "off"), ("status_listen", "off")];
    let node = Node::start(text(CONFIG), &flags).await.unwrap();
    assert!(node.running().admin_addresses().is_empty());
    assert!(node.running().status_addresses().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_root_hides_secrets() {
    let secret = r#"{"_format_version": "3.0", "consumers": [{"username": "hush"}]}"#;
    let node = Node::start(text(CONFIG), &[("declarative_config_string", secret)]).await.unwrap();
    let answer = raw(node.admin(), "GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(status(&answer), 200);
    assert!(!answer.contains("hush"));
    assert_eq!(parsed(&answer).1["configuration"]["declarative_config_string"], "******");
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_api_lists_only_enabled_plugins() {
    let node = Node::start(text(CONFIG), &[("plugins", "cors,key-auth")]).await.unwrap();
    assert_eq!(node.get("/plugins/enabled").await.1["enabled_plugins"], json!(["cors", "key-auth"]));
    assert_eq!(node.get("/schemas/plugins/cors").await.0, 200);
    let (code, reply) = node.get("/schemas/plugins/acl").await;
    assert_eq!((code, reply), (404, json!({ "message": "No plugin named 'acl'" })));
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_have_the_names_and_types_that_prometheus_expects() {
    let node = Node::of(CONFIG).await;
    let response = raw(node.admin(), "GET /metrics HTTP/1.1\r\n\r\n").await;
    let (_, body) = response.split_once("\r\n\r\n").unwrap();
    let mut lines = body.lines().peekable();
    let mut families = 0;
    while let Some(help) = lines.next() {
        let name = help.strip_prefix("# HELP ").and_then(|rest| rest.split(' ').next()).unwrap();
        let kind = lines.next().and_then(|line| line.strip_prefix(&format!("# TYPE {name} "))).unwrap();
        let mut samples = 0;
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let sample = line.strip_prefix(name).unwrap();
            assert!(
                sample.starts_with([' ', '{']) && sample.rsplit(' ').next().unwrap().parse::<f64>().is_ok()
            );
            samples += 1;
        }
        let expected = if name.ends_with("_total") { "counter" } else { "gauge" };
        assert_eq!(kind, expected, "{name}");
        assert!(samples > 0, "{name}");
        families += 1;
    }
    assert!(families >= 10, "{body}");
    assert!(body.contains("# TYPE gatewayctl_buffered_bodies_refused_total counter\n"), "{body}");
}
