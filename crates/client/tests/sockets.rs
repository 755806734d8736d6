//! The client over real sockets: pools, TLS, HTTP/2, limits, cancellation and the address policy.
#![allow(clippy::unwrap_used, missing_docs)]

mod server;

use std::{
    io,
    net::IpAddr,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use client::{Client, ClientOptions, Error, Limits, Protocol, RequestBody, Resolve, ResolveFuture, Stage};
use http::{Request, Response, StatusCode, Version};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use server::{Reply, Server, full};
use tokio::io::AsyncReadExt;

const SHORT: Duration = Duration::from_millis(50);

fn get(url: &str) -> Request<()> {
    Request::get(url).body(()).unwrap()
}

async fn text(client: &Client, url: &str) -> String {
    let response = client.send(get(url)).await.unwrap();
    String::from_utf8(response.into_body().bytes().await.unwrap().to_vec()).unwrap()
}

/// Resolves every name to the next list of addresses; the last one is repeated.
struct Answers(Vec<Vec<IpAddr>>, AtomicUsize);

impl Answers {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |list: &&[&str]| list.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Answers(answers.iter().map(parse).collect(), AtomicUsize::new(0)))
    }
}

impl Resolve for Answers {
    fn resolve<'a>(&'a self, _: &'a str) -> ResolveFuture<'a> {
        let at = self.1.fetch_add(1, Ordering::Relaxed).min(self.0.len() - 1);
        Box::pin(std::future::ready(Ok(self.0[at].clone())))
    }
}

#[tokio::test]
async fn connections_are_reused() {
    let server = Server::clear(|request| full(request.uri().path().to_owned())).await;
    let client = Client::default();
    assert_eq!(text(&client, &server.url("/a")).await, "/a");
    assert_eq!(text(&client.clone(), &server.url("/b")).await, "/b");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_connection_that_the_server_has_closed_is_replaced() {
    let server = Server::clear(|_| full("")).await;
    let client = Client::default();
    for number in 1..4 {
        text(&client, &server.url("/")).await;
        assert_eq!(server.connections(), number);
        server.close_connections().await;
    }
}

#[tokio::test]
async fn tls_negotiates_http2_and_multiplexes() {
    let (server, tls) = Server::tls(|request| full(format!("{:?}", request.version()))).await;
    let client = Client::new(ClientOptions { tls: Some(Arc::clone(&tls)), ..ClientOptions::default() });
    let response = client.send(get(&server.url("/"))).await.unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
    assert_eq!(response.into_body().bytes().await.unwrap(), "HTTP/2.0");
    let url = server.url("/");
    let (a, b) = tokio::join!(text(&client, &url), text(&client, &url));
    assert_eq!((a.as_str(), b.as_str(), server.connections()), ("HTTP/2.0", "HTTP/2.0", 1));
    let protocol = Protocol::Http1;
    let client = Client::new(ClientOptions { tls: Some(tls), protocol, ..ClientOptions::default() });
    assert_eq!(text(&client, &server.url("/")).await, "HTTP/1.1");
}

#[tokio::test]
async fn http2_without_tls_uses_prior_knowledge() {
    let server = Server::clear_http2(|request| full(format!("{:?}", request.version()))).await;
    let client = Client::new(ClientOptions { protocol: Protocol::Http2, ..ClientOptions::default() });
    assert_eq!(text(&client, &server.url("/")).await, "HTTP/2.0");
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_an_error() {
    let (server, _) = Server::tls(|_| full("")).await;
    let error = Client::default().send(get(&server.url("/"))).await.unwrap_err();
    assert!(matches!(error, Error::Tls { .. }) && error.is_unsent(), "{error}");
}

#[tokio::test]
async fn redirects_are_returned() {
    let server = Server::clear(|_| {
        let head = Response::builder().status(StatusCode::FOUND).header("location", "/elsewhere");
        Reply::Response(head.body(Full::new(Bytes::new()).map_err(|never| match never {}).boxed()).unwrap())
    })
    .await;
    let response = Client::default().send(get(&server.url("/"))).await.unwrap();
    assert_eq!(
        (response.status(), &response.headers()["location"]),
        (StatusCode::FOUND, &"/elsewhere".parse().unwrap())
    );
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn bodies_are_streamed_with_trailers() {
    let server = Server::clear_http2(|request| Reply::Echo(request.into_body())).await;
    let client = Client::new(ClientOptions { protocol: Protocol::Http2, ..ClientOptions::default() });
    let frames = [
        Ok::<_, io::Error>(Frame::data(Bytes::from("one "))),
        Ok(Frame::data(Bytes::from("two"))),
        Ok(Frame::trailers([("grpc-status".parse().unwrap(), "0".parse().unwrap())].into_iter().collect())),
    ];
    let body = RequestBody::stream(StreamBody::new(server::iter(frames)));
    let response = client.send(Request::post(server.url("/")).body(body).unwrap()).await.unwrap();
    let collected = response.into_body().collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap()["grpc-status"], "0");
    assert_eq!(collected.to_bytes(), "one two");
}

#[tokio::test]
async fn each_stage_has_a_time_limit() {
    // Connect: the server accepts, and does not answer the handshake.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", silent.local_addr().unwrap());
    let client = Client::new(ClientOptions { connect_timeout: SHORT, ..ClientOptions::default() });
    let error = client.send(get(&url)).await.unwrap_err();
    assert!(matches!(error, Error::Timeout(Stage::Connect)) && error.is_unsent(), "{error}");

    let server = Server::clear(|request| match request.uri().path() {
        "/head" => Reply::Never,
        _ => Reply::Stalled("begun"),
    })
    .await;
    let limits = Limits { head_timeout: SHORT, ..Limits::default() };
    let error = Client::default().send_within(get(&server.url("/head")), limits).await.unwrap_err();
    assert!(matches!(error, Error::Timeout(Stage::Head)) && !error.is_unsent(), "{error}");

    let limits = Limits { total_timeout: 4 * SHORT, ..Limits::default() };
    let response = Client::default().send_within(get(&server.url("/body")), limits).await.unwrap();
    let mut body = response.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "begun");
    let error = body.frame().await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Timeout(Stage::Body)), "{error}");
}

#[tokio::test]
async fn the_length_of_a_response_body_is_limited() {
    let server = Server::clear(|request| match request.uri().path() {
        "/declared" => full("x".repeat(1001)),
        "/chunked" => Reply::Chunks(std::iter::repeat_n("x".repeat(100), 11).collect()),
        _ => full("x".repeat(1000)),
    })
    .await;
    let limits = Limits { max_response_bytes: 1000, ..Limits::default() };
    for (path, fits) in [("/fits", true), ("/declared", false), ("/chunked", false)] {
        let response = Client::default().send_within(get(&server.url(path)), limits).await.unwrap();
        match response.into_body().bytes().await {
            Ok(bytes) => assert!(fits && bytes.len() == 1000, "{path}"),
            Err(error) => {
                assert!(!fits && matches!(error, Error::BodyTooLarge { max_bytes: 1000 }), "{path}: {error}")
            }
        }
    }
}

#[tokio::test]
async fn the_length_of_a_response_head_is_limited() {
    let server = Server::clear(|_| {
        let head = Response::builder().header("x-long", "x".repeat(300_000));
        Reply::Response(head.body(Full::new(Bytes::new()).map_err(|never| match never {}).boxed()).unwrap())
    })
    .await;
    let error = Client::default().send(get(&server.url("/"))).await.unwrap_err();
    assert!(matches!(error, Error::Http(_)), "{error}");
}

#[tokio::test]
async fn dropping_a_future_or_a_body_cancels_the_request() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let client = Client::default();
    let request = {
        let (client, url) = (client.clone(), url.clone());
        tokio::spawn(async move { client.send(get(&url)).await.map(drop) })
    };
    let (mut connection, _) = listener.accept().await.unwrap();
    let mut received = [0; 1024];
    assert!(connection.read(&mut received).await.unwrap() > 0);
    request.abort();
    let ended = tokio::time::timeout(Duration::from_secs(30), connection.read(&mut received)).await.unwrap();
    assert!(matches!(ended, Ok(0) | Err(_)), "the connection is closed: {ended:?}");

    let server = Server::clear(|_| Reply::Stalled("begun")).await;
    let response = client.send(get(&server.url("/"))).await.unwrap();
    drop(response);
    server.all_closed().await;
}

#[tokio::test]
async fn urls_from_outside_reach_no_private_address() {
    let server = Server::clear(|_| full("private")).await;
    let client = Client::default();
    let port = server.address.port();
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "0x7f.1"] {
        let error = client.external().send(get(&format!("http://{host}:{port}/"))).await.unwrap_err();
        // Some systems do not resolve the numeric notations.
        let may_be_unresolved = matches!(host, "2130706433" | "0x7f.1");
        let is_refused = match error {
            Error::AddressNotPermitted { .. } => true,
            Error::Resolve { .. } => may_be_unresolved,
            _ => false,
        };
        assert!(is_refused && error.is_unsent(), "{host}: {error}");
    }
    assert_eq!(server.connections(), 0, "no connection was opened");
    // Neither through a connection that was opened for a URL of the configuration.
    assert_eq!(text(&client, &server.url("/")).await, "private");
    let error = client.external().send(get(&server.url("/"))).await.unwrap_err();
    assert!(matches!(error, Error::AddressNotPermitted { .. }), "{error}");
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn a_name_that_is_bound_to_a_private_address_later_is_refused() {
    let server = Server::clear(|_| full("private")).await;
    // Documentation addresses are not routed; the policy has to be passed by an address that is not reachable either.
    let resolver = Answers::new(&[&["8.8.8.8"], &["127.0.0.1"]]);
    let options = ClientOptions { resolver, connect_timeout: SHORT, ..ClientOptions::default() };
    let client = Client::new(options);
    let url = format!("http://rebound.test:{}/", server.address.port());
    let first = client.external().send(get(&url)).await.unwrap_err();
    assert!(matches!(first, Error::Timeout(Stage::Connect) | Error::Connect { .. }), "{first}");
    let second = client.external().send(get(&url)).await.unwrap_err();
    assert!(matches!(second, Error::AddressNotPermitted { .. }), "{second}");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn of_several_addresses_only_permitted_ones_are_dialled_until_one_accepts() {
    let server = Server::clear(|_| full("found")).await;
    let url = format!("http://several.test:{}/", server.address.port());
    // Nothing listens at 127.0.0.2.
    let resolver = Answers::new(&[&["127.0.0.2", "127.0.0.1"]]);
    let client = Client::new(ClientOptions { resolver, ..ClientOptions::default() });
    assert_eq!(text(&client, &url).await, "found");

    let resolver = Answers::new(&[&["127.0.0.1", "8.8.8.8"]]);
    let client = Client::new(ClientOptions { resolver, connect_timeout: SHORT, ..ClientOptions::default() });
    let error = client.external().send(get(&url)).await.unwrap_err();
    assert!(matches!(error, Error::Timeout(Stage::Connect) | Error::Connect { .. }), "{error}");
    assert_eq!(server.connections(), 1);
}

#[test]
fn it_runs_on_the_runtime_of_a_worker() {
    let options = tokio::runtime::LocalOptions::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build_local(options).unwrap();
    runtime.block_on(async {
        let server = Server::clear(|_| full("hello")).await;
        let client = Rc::new(Client::default());
        // The future holds an `Rc`, and is not `Send`.
        let task = tokio::task::spawn_local(async move { text(&client, &server.url("/")).await });
        assert_eq!(task.await.unwrap(), "hello");
    });
}

#[tokio::test]
async fn a_client_outlives_the_runtime_that_opened_its_connections() {
    let server = Server::clear(|_| full("hello")).await;
    let (client, url) = (Client::default(), server.url("/"));
    let (other, first) = (client.clone(), url.clone());
    let ended = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(text(&other, &first))
    });
    assert_eq!(tokio::task::spawn_blocking(|| ended.join().unwrap()).await.unwrap(), "hello");
    assert_eq!(text(&client, &url).await, "hello");
}
