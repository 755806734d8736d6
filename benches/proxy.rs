//! What a proxied request costs in processor time: `cargo bench --bench proxy [requests]`.
//!
//! One worker, 32 keep-alive connections, answers of 1 KiB. Each row is the median of seven rounds in which all
//! rows take their turn, so that a slow spell of the machine hits all of them; the ratio is against a relay
//! that copies bytes and reads none of them, which is the floor under any proxy, and against nginx, where that
//! is installed. Time is what the kernel counts for the worker's thread, sockets included.

#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a bench reads its switches, prints, and ends when something is amiss"
)]

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
};

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gatewayctl::{
    config::{self, Input},
    net::Inherited,
    proxy::{Listener, Workers},
    runtime::{self, Gateway, Options},
    store::Stores,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    task::LocalSet,
};

const CONNECTIONS: usize = 32;
const ROUNDS: usize = 7;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Serves connections on a thread of its own, forever.
fn serve<F: Future<Output = ()> + 'static>(
    name: &str,
    each: impl Fn(TcpStream) -> F + Send + 'static,
) -> SocketAddr {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let serving = move || {
        LocalSet::new().block_on(&runtime(), async move {
            let listener = TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                tokio::task::spawn_local(each(stream));
            }
        });
    };
    thread::Builder::new().name(name.to_owned()).spawn(serving).unwrap();
    address
}

/// Answers each head it reads with 1 KiB.
async fn answer(mut stream: TcpStream) {
    let answer = format!(
        "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n{}",
        "x".repeat(1024)
    );
    let (mut buffer, mut held) = ([0; 4096], 0);
    while let Ok(length @ 1..) = stream.read(&mut buffer[held..]).await {
        held += length;
        if buffer[..held].ends_with(b"\r\n\r\n") {
            held = 0;
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

/// Whoever is measured: where it takes requests, and where the kernel counts its time.
struct Peer {
    name: &'static str,
    address: SocketAddr,
    count: PathBuf,
    request: String,
    costs: Vec<f64>,
    _held: Held,
}

/// What ends with the bench.
enum Held {
    Nothing,
    Workers { _workers: Workers, _gateway: Arc<Gateway> },
    Process { child: Child, _folder: tempfile::TempDir },
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Held::Process { child, .. } = self {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The newest of this process' threads with that name.
fn thread_named(name: &str) -> PathBuf {
    let tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let named =
        tasks.filter(|task| fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name));
    let newest = named.max_by_key(|task| task.file_name().unwrap().to_str().unwrap().parse::<u32>().unwrap());
    newest.expect("the thread has started").join("schedstat")
}

/// Nanoseconds on a processor so far.
fn spent(count: &PathBuf) -> f64 {
    fs::read_to_string(count).unwrap().split(' ').next().unwrap().parse().unwrap()
}

fn request(path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: api.test\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) bench/1.0\r\n\
         Accept: application/json, text/plain, */*\r\nAccept-Language: en-GB,en;q=0.9\r\n{more}\r\n"
    )
}

fn gateway(name: &'static str, file: &str, request: String) -> Peer {
    let input = Input::Text { name: "bench.yml".to_owned(), text: file.as_bytes().to_owned() };
    let loaded =
        config::load(&input, &config::Options::new(gatewayctl::catalog().expect("a catalog"))).unwrap();
    let state = loaded.state.expect("the bench's file is valid");
    let options = Options { workers: 1, registry: gatewayctl::registry().clone(), ..Options::default() };
    let stores = Stores::default();
    let (snapshot, problems) = runtime::compile(state, &options, &stores, None);
    assert!(problems.is_empty(), "{problems:?}");
    let gateway = Gateway::new(options, stores, snapshot);
    let listener = Listener::plain((Ipv4Addr::LOCALHOST, 0).into());
    let workers = Workers::start(Arc::clone(&gateway), &[listener], &mut Inherited::default()).unwrap();
    let address = workers.addresses()[0];
    let count = thread_named("worker-0");
    let held = Held::Workers { _workers: workers, _gateway: gateway };
    Peer { name, address, count, request, costs: Vec::new(), _held: held }
}

fn relay(upstream: SocketAddr) -> Peer {
    let address = serve("relay", move |mut client| async move {
        let mut upstream = TcpStream::connect(upstream).await.unwrap();
        upstream.set_nodelay(true).unwrap();
        let _ = copy_bidirectional(&mut client, &mut upstream).await;
    });
    let count = thread_named("relay");
    Peer {
        name: "relay",
        address,
        count,
        request: request("/a", ""),
        costs: Vec::new(),
        _held: Held::Nothing,
    }
}

fn nginx(upstream: SocketAddr) -> Option<Peer> {
    let folder = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {kind};"))
        .join(" ");
    let text = format!(
        "daemon off; master_process off; pid nginx.pid; error_log error.log; events {{}}\n\
         http {{ access_log off; keepalive_requests 1000000000; {temp}\n\
         upstream up {{ server {upstream}; keepalive 64; keepalive_requests 1000000000; }}\n\
         server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://up; proxy_http_version 1.1;\n\
         proxy_set_header Connection ''; proxy_set_header Host $host; proxy_set_header X-Real-IP $remote_addr;\n\
         proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }} }} }}"
    );
    fs::write(folder.path().join("nginx.conf"), text).unwrap();
    let started = Command::new("nginx")
        .args(["-e", "error.log", "-c", "nginx.conf", "-p"])
        .arg(folder.path())
        .stderr(Stdio::null())
        .spawn();
    let child = started.ok()?;
    let count = PathBuf::from(format!("/proc/{}/schedstat", child.id()));
    let address = (Ipv4Addr::LOCALHOST, port).into();
    while std::net::TcpStream::connect(address).is_err() {
        thread::yield_now();
    }
    let held = Held::Process { child, _folder: folder };
    Some(Peer { name: "nginx", address, count, request: request("/a", ""), costs: Vec::new(), _held: held })
}

impl Peer {
    /// Makes so many requests; what one costs, in microseconds.
    fn round(&self, requests: usize) -> f64 {
        let each = requests / CONNECTIONS;
        LocalSet::new().block_on(&runtime(), async {
            let mut streams = Vec::new();
            for _ in 0..CONNECTIONS {
                let stream = TcpStream::connect(self.address).await.unwrap();
                stream.set_nodelay(true).unwrap();
                streams.push(stream);
            }
            let before = spent(&self.count);
            let clients = streams.into_iter().map(|stream| {
                let request = self.request.clone();
                tokio::task::spawn_local(ask(stream, request, each))
            });
            for client in clients.collect::<Vec<_>>() {
                client.await.unwrap();
            }
            (spent(&self.count) - before) / 1000.0 / (each * CONNECTIONS) as f64
        })
    }

    fn median(&self) -> f64 {
        let mut costs = self.costs.clone();
        costs.sort_by(f64::total_cmp);
        costs[costs.len() / 2]
    }
}

async fn ask(mut stream: TcpStream, request: String, times: usize) {
    let mut buffer = vec![0; 8192];
    for _ in 0..times {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut held = 0;
        loop {
            let length = stream.read(&mut buffer[held..]).await.unwrap();
            held += length;
            let head = buffer[..held].windows(4).position(|w| w == b"\r\n\r\n");
            assert!(length > 0 && buffer.starts_with(b"HTTP/1.1 200"), "{}", buffer[..held].escape_ascii());
            if head.is_some_and(|head| held >= head + 4 + 1024) {
                break;
            }
        }
    }
}

fn token(key: &str, secret: &str) -> String {
    let text = |json: String| URL_SAFE_NO_PAD.encode(json);
    let head = text(r#"{"alg":"HS256","typ":"JWT"}"#.to_owned());
    let claims = text(format!(r#"{{"iss":"{key}","sub":"1","exp":4102444800}}"#));
    let signed = format!("{head}.{claims}");
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn file(upstream: SocketAddr, routes: usize, authentication: Option<&str>) -> String {
    let mut text =
        format!("_format_version: '3.0'\nservices:\n- name: s\n  url: http://{upstream}\n  routes:\n");
    for route in 0..routes {
        text += &format!("  - {{ name: r{route}, paths: [/v{}/r{route}], strip_path: false }}\n", route % 7);
    }
    if let Some(authentication) = authentication {
        text += "consumers:\n";
        for consumer in 0..1000 {
            text += &format!(
                "- username: c{consumer}\n  keyauth_credentials: [{{ key: key-{consumer} }}]\n  \
                 jwt_secrets: [{{ key: iss-{consumer}, secret: secret-{consumer}, algorithm: HS256 }}]\n"
            );
        }
        text += &format!(
            "plugins:\n- name: {authentication}\n- name: rate-limiting\n  config: {{ minute: 1000000000, policy: local }}\n\
             - name: cors\n  config: {{ origins: ['https://app.test'], credentials: true }}\n\
             - name: request-transformer\n  config: {{ add: {{ headers: ['x-gateway:bench'] }} }}\n\
             - name: response-transformer\n  config: {{ add: {{ headers: ['x-served-by:bench'] }} }}\n"
        );
    }
    text
}

fn main() {
    let requests = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(20_000);
    let upstream = serve("upstream", answer);
    let origin = "Origin: https://app.test\r\n";
    let key = format!("{origin}apikey: key-7\r\n");
    let jwt = format!("{origin}Authorization: Bearer {}\r\n", token("iss-7", "secret-7"));
    let mut peers = vec![
        relay(upstream),
        gateway("plain", &file(upstream, 1, None), request("/v0/r0/item/7", "")),
        gateway("10,000 routes", &file(upstream, 10_000, None), request("/v4/r4321/item/7", "")),
        gateway(
            "key-auth and four more",
            &file(upstream, 100, Some("key-auth")),
            request("/v0/r7/item", &key),
        ),
        gateway("jwt and four more", &file(upstream, 100, Some("jwt")), request("/v0/r7/item", &jwt)),
    ];
    peers.extend(nginx(upstream));
    for round in 0..=ROUNDS {
        for peer in &mut peers {
            let cost = peer.round(requests);
            // The first round warms up.
            if round > 0 {
                peer.costs.push(cost);
            }
        }
    }
    let median = |name: &str| peers.iter().find(|peer| peer.name == name).map(Peer::median);
    let (relay, nginx) = (median("relay").unwrap(), median("nginx"));
    println!("{:<24} {:>10} {:>10} {:>10}", "", "us/request", "x relay", "x nginx");
    for peer in &peers {
        let cost = peer.median();
        let nginx = nginx.map_or("-".to_owned(), |nginx| format!("{:.2}", cost / nginx));
        println!("{:<24} {cost:>10.1} {:>10.2} {nginx:>10}", peer.name, cost / relay);
    }
}
