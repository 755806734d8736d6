//! gRPC: HTTP/2 on both sides, trailers, and how an error looks.

use std::convert::Infallible;

use bytes::Bytes;
use gatewayctl::{proxy::Listener, runtime::Options};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, StreamBody, combinators::BoxBody};
use hyper::{
    body::{Frame, Incoming},
    client::conn::http2::SendRequest,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::sync::mpsc;

use crate::rig::*;

type Body = BoxBody<Bytes, Infallible>;

fn clear() -> Listener {
    Listener { http2: true, ..plain() }
}

/// A server that sends every message back as it comes, then its headers' `te` as a trailer.
async fn echo() -> Upstream {
    Upstream::script(|stream, _| async move {
        let service = service_fn(|request: Request<Incoming>| async move {
            assert_eq!(request.version(), http::Version::HTTP_2);
            let te = request.headers().get("te").cloned().unwrap_or(HeaderValue::from_static("none"));
            let deadline = request.headers().get("grpc-timeout").cloned();
            let mut body = request.into_body();
            let (frames, mut queue) = mpsc::channel(1);
            tokio::spawn(async move {
                while let Some(Ok(frame)) = body.frame().await {
                    let _ = frames.send(frame).await;
                }
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", HeaderValue::from_static("0"));
                trailers.insert("x-te", te);
                let _ = frames.send(Frame::trailers(trailers)).await;
            });
            let mut stream =
                Response::new(BodyExt::boxed(StreamBody::new(futures_util::stream::poll_fn(move |cx| {
                    queue.poll_recv(cx).map(|frame| frame.map(Ok::<_, Infallible>))
                }))));
            if let Some(deadline) = deadline {
                stream.headers_mut().insert("x-deadline", deadline);
            }
            Ok::<Response<Body>, Infallible>(stream)
        });
        let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service)
            .await;
    })
    .await
}

#[tokio::test]
async fn a_head_without_bounds_does_not_reach_the_client() {
    let upstream = Upstream::script(|stream, _| async move {
        let service = service_fn(|_: Request<Incoming>| async {
            let long = HeaderValue::try_from("x".repeat(60_000)).unwrap();
            let answer = Response::builder().header("x-1", &long).header("x-2", &long);
            Ok::<_, Infallible>(answer.body(http_body_util::Empty::<Bytes>::new()).unwrap())
        });
        let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service)
            .await;
    })
    .await;
    let rig = gateway(upstream.address);
    let body = BodyExt::boxed(http_body_util::Empty::new());
    let request = Request::builder().uri("http://a.test/t.T/m").header("content-type", "application/grpc");
    let answer = soon(client(&rig).await.send_request(request.body(body).unwrap())).await.unwrap();
    assert_eq!(answer.status(), 502);
}

/// A server that gives that status, and trailers of which some have no place there.
async fn odd(status: u16) -> Upstream {
    Upstream::script(move |stream, _| async move {
        let service = service_fn(move |_: Request<Incoming>| async move {
            let mut trailers = HeaderMap::new();
            for name in ["grpc-status", "content-length", "set-cookie", "x_real_ip"] {
                trailers.insert(name, HeaderValue::from_static("0"));
            }
            let frames = [Frame::data(Bytes::from_static(b"x")), Frame::trailers(trailers)];
            let body =
                BodyExt::boxed(StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, Infallible>))));
            Ok::<Response<Body>, Infallible>(Response::builder().status(status).body(body).unwrap())
        });
        let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service)
            .await;
    })
    .await
}

#[tokio::test]
async fn what_no_answer_has_does_not_reach_the_client() {
    for (status, expected) in [(200, 200), (599, 599), (600, 502), (999, 502)] {
        let upstream = odd(status).await;
        let rig = gateway(upstream.address);
        let body = BodyExt::boxed(http_body_util::Empty::new());
        let request =
            Request::builder().uri("http://a.test/t.T/m").header("content-type", "application/grpc");
        let answer = soon(client(&rig).await.send_request(request.body(body).unwrap())).await.unwrap();
        assert_eq!(answer.status(), expected);
        if expected == status {
            let trailers = soon(answer.into_body().collect()).await.unwrap().trailers().cloned().unwrap();
            assert_eq!(trailers.keys().collect::<Vec<_>>(), ["grpc-status"]);
        }
    }
}

fn gateway(upstream: std::net::SocketAddr) -> Rig {
    let config = service(
        upstream,
        json!({ "protocol": "grpc", "retries": 0 }),
        json!({ "protocols": ["grpc", "grpcs"], "paths": ["/t.T/"] }),
    );
    Rig::with(config, Options::default(), &[clear()])
}

async fn client(rig: &Rig) -> SendRequest<Body> {
    let stream = TokioIo::new(rig.connect().await);
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// A call whose messages are sent one by one.
fn call(path: &str) -> (mpsc::Sender<Frame<Bytes>>, Request<Body>) {
    let (messages, mut queue) = mpsc::channel(1);
    let body = BodyExt::boxed(StreamBody::new(futures_util::stream::poll_fn(move |cx| {
        queue.poll_recv(cx).map(|frame| frame.map(Ok::<_, Infallible>))
    })));
    let request = Request::post(format!("http://a.test{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", "5S")
        .body(body)
        .unwrap();
    (messages, request)
}

#[tokio::test]
async fn messages_pass_both_ways_while_the_call_is_open_and_trailers_end_it() {
    let upstream = echo().await;
    let rig = gateway(upstream.address);
    let mut client = client(&rig).await;
    let (messages, request) = call("/t.T/Chat");
    let answer = tokio::spawn(client.send_request(request));
    messages.send(Frame::data(Bytes::from_static(b"one"))).await.unwrap();
    let answer = soon(answer).await.unwrap().unwrap();
    assert_eq!(answer.headers()["x-deadline"], "5S");
    let mut body = answer.into_body();
    assert_eq!(soon(body.frame()).await.unwrap().unwrap().into_data().unwrap(), "one");
    messages.send(Frame::data(Bytes::from_static(b"two"))).await.unwrap();
    assert_eq!(soon(body.frame()).await.unwrap().unwrap().into_data().unwrap(), "two");
    drop(messages);
    let trailers = soon(body.frame()).await.unwrap().unwrap().into_trailers().unwrap();
    assert_eq!(trailers["grpc-status"], "0");
    assert_eq!(trailers["x-te"], "trailers");
}

#[tokio::test]
async fn failures_are_reported_in_grpc_headers() {
    let rig = gateway(unused_address().await);
    let mut client = client(&rig).await;
    for (path, status, code, message) in [
        ("/t.T/Dead", 502, "13", "An invalid response was received from the upstream server"),
        ("/other.T/X", 404, "5", "no Route matched with those values"),
    ] {
        let (messages, request) = call(path);
        drop(messages);
        let answer = soon(client.send_request(request)).await.unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["grpc-status"], code);
        assert_eq!(answer.headers()["grpc-message"], message);
        assert!(soon(answer.into_body().collect()).await.unwrap().to_bytes().is_empty());
    }
}

#[tokio::test]
async fn a_route_for_grpc_refuses_what_is_not() {
    let rig = gateway(unused_address().await);
    let get = "GET /t.T/X HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert_eq!(status(&rig.send(get).await), 415);
    let post = "POST /t.T/X HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assert_eq!(status(&rig.send(post).await), 426);
}

#[tokio::test]
async fn a_clear_text_listener_with_http2_serves_both_versions() {
    let upstream = Upstream::echo().await;
    let rig = Rig::with(one_service(upstream.address), Options::default(), &[clear()]);
    let mut client = client(&rig).await;
    let body = BodyExt::boxed(http_body_util::Empty::new());
    let request =
        Request::get("http://a.test/x").header("cookie", "a=1").header("cookie", "b=2").body(body).unwrap();
    let answer = soon(client.send_request(request)).await.unwrap();
    let body = soon(answer.into_body().collect()).await.unwrap().to_bytes();
    let body = String::from_utf8_lossy(&body).into_owned();
    assert_eq!(field(&body, "cookie"), Some("a=1; b=2"), "{body}");
    let answer = rig.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert_eq!(status(&answer), 200);
}

#[tokio::test]
async fn a_drain_lets_streams_end_and_takes_no_more() {
    let upstream = echo().await;
    let mut rig = gateway(upstream.address);
    let mut client = client(&rig).await;
    let (messages, request) = call("/t.T/Chat");
    let answer = tokio::spawn(client.send_request(request));
    messages.send(Frame::data(Bytes::from_static(b"one"))).await.unwrap();
    let answer = soon(answer).await.unwrap().unwrap();
    let workers = rig.workers();
    let drained = tokio::task::spawn_blocking(move || workers.drain(TEST_TIMEOUT));
    // GOAWAY has arrived when the client's connection takes no new streams.
    soon(async {
        while client.ready().await.is_ok() {
            let (messages, request) = call("/t.T/Other");
            drop(messages);
            if client.send_request(request).await.is_err() {
                break;
            }
        }
    })
    .await;
    messages.send(Frame::data(Bytes::from_static(b"two"))).await.unwrap();
    drop(messages);
    let whole = soon(answer.into_body().collect()).await.unwrap();
    assert_eq!(whole.trailers().unwrap()["grpc-status"], "0");
    assert_eq!(whole.to_bytes(), "onetwo");
    assert_eq!(soon(drained).await.unwrap(), 0);
}
