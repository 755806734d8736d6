//! The record of a request: one line of the access log for each, however the request ends.

use std::{path::PathBuf, process::Command, time::Duration};

use gatewayctl::{
    runtime::Options,
    telemetry::{AccessLog, Destination, Format, Registry},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    net::{TcpStream, unix::pipe},
};

use crate::{frames, rig::*, tls};

/// The lines of an access log, read from a named pipe.
pub struct Log {
    lines: Lines<BufReader<pipe::Receiver>>,
    _folder: tempfile::TempDir,
}

impl Log {
    /// Creates a named pipe; it ends when its writers have closed it.
    pub fn pipe() -> (Log, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path: PathBuf = folder.path().join("access.log");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let reader = pipe::OpenOptions::new().open_receiver(&path).unwrap();
        (Log { lines: BufReader::new(reader).lines(), _folder: folder }, path)
    }

    /// Opens a log in the format `json`.
    fn open() -> (Log, AccessLog) {
        let (log, path) = Log::pipe();
        let format = Format::predefined("json").unwrap();
        let access_log =
            AccessLog::open(Destination { name: "proxy", path, format }, &Registry::default()).unwrap();
        (log, access_log)
    }

    /// The next line.
    pub async fn line(&mut self) -> String {
        soon(self.lines.next_line()).await.unwrap().expect("a line")
    }

    /// The next record.
    async fn next(&mut self) -> Value {
        let line = self.line().await;
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Checks that there is no further record once the gateway has ended.
    async fn ends(mut self, rig: Rig) {
        drop(rig);
        let rest = soon(self.lines.next_line()).await.unwrap();
        assert_eq!(rest, None, "each request has one record");
    }
}

fn rig(config: Value, options: Options) -> (Rig, Log) {
    let (log, access_log) = Log::open();
    let options = Options { access_log: Some(access_log), ..options };
    (Rig::with(config, options, &[plain()]), log)
}

/// The fields of a record that a test names.
fn fields(record: &Value, names: &[&str]) -> Value {
    names.iter().map(|name| ((*name).to_owned(), record[*name].clone())).collect()
}

const END: [&str; 5] = ["status", "source", "ended_by", "error", "route"];

#[tokio::test]
async fn a_proxied_request_is_recorded_with_all_facts() {
    let upstream = Upstream::raw("HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\ndone").await;
    let (rig, mut log) = rig(one_service(upstream.address), Options::default());
    let request = "POST /a?key=secret HTTP/1.1\r\nHost: A.test\r\nUser-Agent: \"x\"\r\nConnection: close\r\n\
        Content-Length: 5\r\n\r\nhello";
    let answer = rig.send(request).await;
    let record = log.next().await;
    let names = [
        "client",
        "connection_request",
        "protocol",
        "scheme",
        "method",
        "uri",
        "host",
        "user_agent",
        "request_bytes",
        "status",
        "sent_bytes",
        "sent_body_bytes",
        "route",
        "service",
        "source",
        "ended_by",
        "error",
        "consumer",
    ];
    let expected = json!({
        "client": "127.0.0.1", "connection_request": 1, "protocol": "HTTP/1.1", "scheme": "http",
        "method": "POST", "uri": "/a?key=***", "host": "A.test", "user_agent": "\"x\"",
        "request_bytes": request.len(), "status": 201, "sent_bytes": answer.len(), "sent_body_bytes": 4,
        "route": "r", "service": "s", "source": "upstream", "ended_by": "complete", "error": null,
        "consumer": null,
    });
    assert_eq!(fields(&record, &names), expected, "{record}");
    let id = field(&answer, "x-kong-request-id");
    assert_eq!(record["request_id"].as_str(), id, "{answer}");
    assert_eq!(record["local"], rig.addresses[0].to_string());
    let tries = record["tries"].as_array().unwrap();
    assert_eq!(tries.len(), 1);
    let expected = json!({ "address": upstream.address.to_string(), "status": 201 });
    assert_eq!(fields(&tries[0], &["address", "status"]), expected);
    let duration = |name: &str| tries[0][name].as_f64().unwrap();
    assert!(duration("response") <= record["duration"].as_f64().unwrap() && duration("connect") >= 0.0);
    log.ends(rig).await;
}

#[tokio::test]
async fn requests_without_an_upstream_response_are_recorded_with_their_error() {
    let silent = Upstream::script(|mut stream, _| async move {
        read_message(&mut stream).await;
        let _ = stream.read_u8().await;
    })
    .await;
    for (config, options, request, expected, tries) in [
        (
            service(unused_address().await, json!({ "retries": 1 }), json!({ "paths": ["/"] })),
            Options::default(),
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            json!({ "status": 502, "source": "gateway", "ended_by": "complete", "error": "upstream_failed", "route": "r" }),
            json!(["connect", "connect"]),
        ),
        (
            service(silent.address, json!({ "retries": 0, "read_timeout": 50 }), json!({ "paths": ["/"] })),
            Options::default(),
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            json!({ "status": 504, "source": "gateway", "ended_by": "complete", "error": "upstream_timeout", "route": "r" }),
            json!(["timeout"]),
        ),
        (
            json!({}),
            Options::default(),
            "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            json!({ "status": 404, "source": "gateway", "ended_by": "complete", "error": "no_route", "route": null }),
            json!([]),
        ),
        (
            json!({}),
            Options::default(),
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            json!({ "status": 400, "source": "gateway", "ended_by": "complete", "error": "bad_request", "route": null }),
            json!([]),
        ),
        (
            json!({}),
            Options { header_timeout: Duration::from_millis(50), ..Options::default() },
            "GET / HTTP/1.1\r\nHos",
            json!({ "status": 408, "source": "gateway", "ended_by": "client", "error": "client_timeout", "route": null }),
            json!([]),
        ),
        (
            one_service(silent.address),
            Options { max_body: 3, ..Options::default() },
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
            json!({ "status": 413, "source": "gateway", "ended_by": "complete", "error": "body_too_long", "route": "r" }),
            json!([]),
        ),
    ] {
        let (rig, mut log) = rig(config, options);
        rig.send(request).await;
        let record = log.next().await;
        assert_eq!(fields(&record, &END), expected, "{record}");
        let errors = |record: &Value| -> Value {
            record["tries"].as_array().into_iter().flatten().map(|one| one["error"].clone()).collect()
        };
        assert_eq!(errors(&record), tries, "{record}");
        let refused = matches!(record["status"].as_u64(), Some(400 | 408));
        assert_eq!(record.get("uri").is_none(), refused, "{record}");
        log.ends(rig).await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_is_recorded_once() {
    // Within the head.
    let (first, mut log) = rig(json!({}), Options::default());
    let mut client = first.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    drop(client);
    let record = log.next().await;
    let expected =
        json!({ "status": 499, "source": "gateway", "ended_by": "client", "error": null, "route": null });
    assert_eq!(fields(&record, &END), expected);
    log.ends(first).await;
    // Before the response.
    let (upstream, arrived, _release) = Upstream::held().await;
    let (second, mut log) = rig(one_service(upstream.address), Options::default());
    let mut client = second.connect().await;
    client.write_all(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    soon(arrived).await.unwrap();
    drop(client);
    let record = log.next().await;
    let expected =
        json!({ "status": 499, "source": "gateway", "ended_by": "client", "error": null, "route": "r" });
    assert_eq!(fields(&record, &END), expected);
    assert_eq!(record["uri"], "/held");
    let attempt = &record["tries"][0];
    assert_eq!(
        (attempt["address"].as_str(), attempt.get("status")),
        (Some(&*upstream.address.to_string()), None)
    );
    log.ends(second).await;
    // Within the body.
    let endless = Upstream::script(|mut stream, _| async move {
        read_message(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n").await;
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    })
    .await;
    let (third, mut log) = rig(one_service(endless.address), Options::default());
    let mut client = third.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    read_head(&mut client).await.unwrap();
    drop(client);
    let record = log.next().await;
    let expected =
        json!({ "status": 200, "source": "upstream", "ended_by": "client", "error": null, "route": "r" });
    assert_eq!(fields(&record, &END), expected);
    let bytes = |name: &str| record[name].as_u64().unwrap();
    assert!(bytes("sent_bytes") > bytes("sent_body_bytes") && bytes("sent_body_bytes") < 999_999_999);
    log.ends(third).await;
}

#[tokio::test]
async fn a_response_that_the_upstream_breaks_off_is_recorded_as_its_fault() {
    let upstream = Upstream::raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await;
    let (rig, mut log) = rig(one_service(upstream.address), Options::default());
    rig.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let record = log.next().await;
    let expected =
        json!({ "status": 200, "source": "upstream", "ended_by": "upstream", "error": null, "route": "r" });
    assert_eq!(fields(&record, &END), expected);
    assert_eq!(record["sent_body_bytes"], 4);
    log.ends(rig).await;
}

#[tokio::test]
async fn each_request_of_a_connection_has_its_record() {
    let upstream = Upstream::echo().await;
    let (rig, mut log) = rig(one_service(upstream.address), Options::default());
    let request =
        |path: &str, option: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: {option}\r\n\r\n");
    let pipelined =
        [request("/1", "keep-alive"), request("/2", "keep-alive"), request("/3", "close")].concat();
    let answer = rig.send(&pipelined).await;
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 3);
    let mut sent = 0;
    let mut connections = Vec::new();
    for number in 1..=3 {
        let record = log.next().await;
        assert_eq!(record["uri"], format!("/{number}"));
        assert_eq!(record["connection_request"], number);
        sent += record["sent_bytes"].as_u64().unwrap();
        connections.push(record["connection"].clone());
    }
    assert_eq!(sent, answer.len() as u64);
    assert!(connections.iter().all(|one| *one == connections[0]));
    log.ends(rig).await;
}

#[tokio::test]
async fn a_websocket_is_recorded_when_its_tunnel_ends() {
    let upstream = Upstream::script(|mut stream, _| async move {
        read_head(&mut stream).await.unwrap();
        let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut bytes = [0; 5];
        stream.read_exact(&mut bytes).await.unwrap();
        stream.write_all(b"HELLO!").await.unwrap();
    })
    .await;
    let (rig, mut log) = rig(one_service(upstream.address), Options::default());
    let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello";
    let answer = rig.send(request).await;
    assert!(answer.ends_with("HELLO!"), "{answer}");
    let record = log.next().await;
    let expected =
        json!({ "status": 101, "source": "upstream", "ended_by": "complete", "error": null, "route": "r" });
    assert_eq!(fields(&record, &END), expected);
    assert_eq!(
        (&record["request_bytes"], &record["sent_bytes"]),
        (&json!(request.len()), &json!(answer.len()))
    );
    assert_eq!(record["sent_body_bytes"], 6);
    log.ends(rig).await;
}

#[tokio::test]
async fn http2_requests_are_recorded() {
    let (upstream, arrived, _release) = Upstream::held().await;
    let (log, access_log) = Log::open();
    let options = Options { access_log: Some(access_log), ..Options::default() };
    let config = json!({
        "services": [{ "id": uuid(1), "name": "s", "host": "127.0.0.1", "port": upstream.address.port() }],
        "routes": [{ "id": uuid(2), "name": "r", "service": { "id": uuid(1) }, "paths": ["/"] }],
    });
    let (rig, mut log) = (Rig::with(config, options, &[frames::clear()]), log);
    let mut client = frames::Client::new(&rig, &[]).await;
    // Reset while the upstream works.
    client.send(&frames::get(1)).await;
    soon(arrived).await.unwrap();
    client.send(&frames::frame(frames::RST_STREAM, 0, 1, &8u32.to_be_bytes())).await;
    let record = log.next().await;
    let expected =
        json!({ "status": 499, "source": "gateway", "ended_by": "client", "error": null, "route": "r" });
    assert_eq!(fields(&record, &END), expected);
    assert_eq!(
        (&record["protocol"], &record["request_bytes"]),
        (&json!("HTTP/2.0"), &json!(frames::GET.len()))
    );
    // A head without a method.
    let flags = frames::END_STREAM | frames::END_HEADERS;
    client.send(&frames::frame(frames::HEADERS, flags, 3, &frames::GET[1..])).await;
    let record = log.next().await;
    let expected = json!({ "status": 400, "source": "gateway", "ended_by": "gateway", "error": "bad_request", "route": null });
    assert_eq!(fields(&record, &END), expected);
    // Served.
    client.send(&frames::get(5)).await;
    client.until(|frame| frame.stream == 5 && frame.ends()).await;
    let record = log.next().await;
    let expected =
        json!({ "status": 200, "source": "upstream", "ended_by": "complete", "error": null, "route": "r" });
    assert_eq!(fields(&record, &END), expected);
    assert_eq!(record["sent_body_bytes"], 4);
    log.ends(rig).await;
}

#[tokio::test]
async fn tls_plugins_and_consumers_are_recorded() {
    let (log, access_log) = Log::open();
    let options = Options { access_log: Some(access_log), ..Options::default() };
    let config = r#"
_format_version: "3.0"
routes:
- name: r
  paths: [/]
  plugins:
  - {name: key-auth, config: {key_names: [apikey]}}
  - {name: request-termination, config: {status_code: 418}}
consumers:
- {username: alice, keyauth_credentials: [{key: secret}]}
"#;
    let listener = gatewayctl::proxy::Listener { tls: true, ..plain() };
    let (rig, mut log) = (Rig::of_file_with(config, options, &[listener]), log);
    let mut stream = tls::connect(&rig, "a.test", b"http/1.1").await;
    stream
        .write_all(b"GET /?apikey=secret HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let _ = soon(stream.read_to_end(&mut Vec::new())).await;
    let record = log.next().await;
    let names =
        ["status", "source", "consumer", "scheme", "tls_version", "tls_cipher", "tls_server_name", "uri"];
    let expected = json!({
        "status": 418, "source": "plugin", "consumer": "alice", "scheme": "https", "tls_version": "TLSv1.3",
        "tls_cipher": record["tls_cipher"], "tls_server_name": "a.test", "uri": "/?apikey=***",
    });
    assert_eq!(fields(&record, &names), expected);
    assert!(record["tls_cipher"].as_str().unwrap().starts_with("TLS_"), "{record}");
    assert!(!record.to_string().contains("secret"));
    log.ends(rig).await;
}

#[tokio::test]
async fn connections_without_a_request_are_not_recorded() {
    let (rig, log) =
        rig(json!({}), Options { header_timeout: Duration::from_millis(20), ..Options::default() });
    assert_eq!(rig.send("").await, "");
    drop(TcpStream::connect(rig.addresses[0]).await.unwrap());
    log.ends(rig).await;
}
