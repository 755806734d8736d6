//! A gateway built from rows in JSON, scripted upstreams, and a client that sends raw bytes.

use std::{
    future::Future,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use gatewayctl::{
    config::{self, Catalog},
    model::{Row, State, Table},
    net::Inherited,
    plugin::Registry,
    proxy::{Listener, Workers},
    runtime::{self, Gateway, Options},
    store::Stores,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// Maximum time that a test waits for one event.
pub const TEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Awaits a future, and fails the test after `TEST_TIMEOUT`.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(TEST_TIMEOUT, what).await.expect("this should not take that long")
}

/// A running gateway. Dropped, its threads end.
pub struct Rig {
    pub gateway: Arc<Gateway>,
    pub addresses: Vec<SocketAddr>,
    workers: Option<Workers>,
}

impl Rig {
    /// A gateway with a clear-text listener.
    pub fn new(config: Value) -> Rig {
        Self::with(config, Options::default(), &[plain()])
    }

    /// A gateway with a clear-text listener that serves a file, plugins included.
    pub fn of_file(text: &str) -> Rig {
        Self::of_file_with(text, Options::default(), &[plain()])
    }

    /// Waits until no body is counted: the client may have the response before the worker releases the request.
    pub async fn no_bodies_are_counted(&self) {
        soon(async {
            while self.gateway.memory.used_bytes() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    pub fn of_file_with(text: &str, options: Options, listeners: &[Listener]) -> Rig {
        let options = Options { registry: gatewayctl::registry().clone(), ..options };
        Self::of_catalog(text, gatewayctl::catalog().unwrap(), options, listeners)
    }

    /// A gateway with the plugins of a test.
    pub fn of_plugins(text: &str, registry: Registry, listeners: &[Listener]) -> Rig {
        let options = Options { registry: registry.clone(), ..Options::default() };
        Self::of_catalog(text, Catalog::new(registry).unwrap(), options, listeners)
    }

    fn of_catalog(text: &str, catalog: &'static Catalog, options: Options, listeners: &[Listener]) -> Rig {
        let input = config::Input::Text { name: "kong.yml".to_owned(), text: text.as_bytes().to_owned() };
        let loaded = config::load(&input, &config::Options::new(catalog)).unwrap();
        let state = loaded.state.unwrap_or_else(|| panic!("{:?}", loaded.findings));
        Self::of_state(state, options, listeners)
    }

    pub fn with(config: Value, options: Options, listeners: &[Listener]) -> Rig {
        let options = Options { registry: gatewayctl::registry().clone(), ..options };
        Self::of_state(Arc::new(state(&config)), options, listeners)
    }

    fn of_state(state: Arc<State>, options: Options, listeners: &[Listener]) -> Rig {
        let options = Options { workers: 2, ..options };
        let stores = Stores::default();
        let (snapshot, problems) = runtime::compile(state, &options, &stores, None);
        assert!(problems.is_empty(), "{problems:?}");
        let gateway = Gateway::new(options, stores, snapshot);
        let workers = Workers::start(Arc::clone(&gateway), listeners, &mut Inherited::default()).unwrap();
        Rig { gateway, addresses: workers.addresses().to_vec(), workers: Some(workers) }
    }

    /// Puts another configuration in place.
    pub fn reload(&self, config: &Value) {
        let gateway = &self.gateway;
        let (snapshot, problems) =
            runtime::compile(Arc::new(state(config)), &gateway.options, &gateway.stores, None);
        assert!(problems.is_empty(), "{problems:?}");
        gateway.swap(snapshot);
    }

    pub fn workers(&mut self) -> Workers {
        self.workers.take().unwrap()
    }

    /// Sends bytes on a connection of their own and returns all that comes back until it is closed.
    pub async fn send(&self, bytes: &str) -> String {
        let mut stream = TcpStream::connect(self.addresses[0]).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut got = Vec::new();
        // A connection that is cut has said what it had to say.
        let _ = soon(stream.read_to_end(&mut got)).await;
        String::from_utf8_lossy(&got).into_owned()
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addresses[0]).await.unwrap()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(workers) = self.workers.take() {
            workers.drain(Duration::ZERO);
        }
    }
}

pub fn plain() -> Listener {
    Listener::plain((Ipv4Addr::LOCALHOST, 0).into())
}

/// A service at that address with a route for all paths.
pub fn one_service(address: SocketAddr) -> Value {
    service(address, json!({}), json!({ "paths": ["/"] }))
}

/// A service at that address with more fields of its own and of its route's.
pub fn service(address: SocketAddr, service: Value, route: Value) -> Value {
    let mut row = json!({
        "id": uuid(1), "name": "s", "host": address.ip().to_string(), "port": address.port(),
    });
    merge(&mut row, service);
    let mut one = json!({ "id": uuid(2), "name": "r", "service": { "id": uuid(1) } });
    merge(&mut one, route);
    json!({ "services": [row], "routes": [one] })
}

fn merge(row: &mut Value, more: Value) {
    for (name, value) in more.as_object().unwrap() {
        row[name] = value.clone();
    }
}

pub fn uuid(number: u128) -> String {
    format!("{number:032x}").parse::<uuid::Uuid>().unwrap().to_string()
}

fn state(config: &Value) -> State {
    let mut state = State::default();
    state.services = table(config, "services");
    state.routes = table(config, "routes");
    state.upstreams = table(config, "upstreams");
    state.targets = table(config, "targets");
    state.certificates = table(config, "certificates");
    state.snis = table(config, "snis");
    state.ca_certificates = table(config, "ca_certificates");
    state.indexed()
}

fn table<T: Row + DeserializeOwned>(config: &Value, name: &str) -> Table<T> {
    let mut table = Table::default();
    for row in config[name].as_array().into_iter().flatten() {
        table.push(serde_json::from_value(row.clone()).unwrap_or_else(|error| panic!("{name}: {error}")));
    }
    table
}

/// An upstream: for each connection a script runs.
pub struct Upstream {
    pub address: SocketAddr,
    pub seen: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Upstream {
    /// Starts an upstream that reports the arrival of a request, and responds when it is released.
    pub async fn held() -> (Upstream, tokio::sync::oneshot::Receiver<()>, tokio::sync::oneshot::Sender<()>) {
        let (arrived, wait) = tokio::sync::oneshot::channel();
        let (release, go) = tokio::sync::oneshot::channel::<()>();
        let once = std::sync::Mutex::new(Some((arrived, go)));
        let upstream = Upstream::script(move |mut stream, _| {
            let once = once.lock().unwrap().take();
            async move {
                read_message(&mut stream).await;
                if let Some((arrived, go)) = once {
                    let _ = arrived.send(());
                    let _ = go.await;
                }
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone").await;
            }
        })
        .await;
        (upstream, wait, release)
    }

    /// One that plays that script on every connection; the number counts connections from 0.
    pub async fn script<F, Fut>(script: F) -> Upstream
    where
        F: Fn(TcpStream, usize) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let number = count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(script(stream, number));
            }
        });
        Upstream { address, seen, task }
    }

    /// One that answers each request with what it got: head and body as text.
    pub async fn echo() -> Upstream {
        Self::script(|mut stream, _| async move {
            while let Some((head, body)) = read_message(&mut stream).await {
                let text = format!("{head}{body}");
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        })
        .await
    }

    /// One that gives those bytes to every request and closes.
    pub async fn raw(answer: &'static str) -> Upstream {
        Self::script(move |mut stream, _| async move {
            if read_message(&mut stream).await.is_some() {
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        })
        .await
    }

    pub fn connections(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Returns an address on which no socket listens.
pub async fn unused_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap()
}

/// Reads a head up to its empty line.
pub async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match soon(stream.read_u8()).await {
            Ok(byte) => head.push(byte),
            Err(_) => return None,
        }
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

async fn read_line(stream: &mut TcpStream) -> Option<String> {
    let mut line = String::new();
    while !line.ends_with("\r\n") {
        line.push(soon(stream.read_u8()).await.ok()?.into());
    }
    Some(line)
}

/// Reads a message with its body, by length or in chunks.
pub async fn read_message(stream: &mut TcpStream) -> Option<(String, String)> {
    let head = read_head(stream).await?;
    let mut body = Vec::new();
    if let Some(length) = field(&head, "content-length") {
        body.resize(length.parse().unwrap(), 0);
        soon(stream.read_exact(&mut body)).await.ok()?;
    } else if field(&head, "transfer-encoding").is_some() {
        loop {
            let size = read_line(stream).await?;
            let size = usize::from_str_radix(size.trim(), 16).unwrap();
            if size == 0 {
                break;
            }
            let mut chunk = vec![0; size + 2];
            soon(stream.read_exact(&mut chunk)).await.ok()?;
            body.extend_from_slice(&chunk[..size]);
        }
        // The trailers.
        while read_line(stream).await? != "\r\n" {}
    }
    Some((head, String::from_utf8_lossy(&body).into_owned()))
}

/// A field of a head written as text.
pub fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(n, _)| n.eq_ignore_ascii_case(name))
        .map(|(_, v)| v.trim())
}

/// The fields of a head as they are written, without its first line.
pub fn lines(head: &str) -> Vec<&str> {
    head.split("\r\n\r\n").next().unwrap().lines().skip(1).collect()
}

/// The status of an answer.
pub fn status(answer: &str) -> u16 {
    answer
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or_else(|| panic!("no answer: {answer:?}"))
}
