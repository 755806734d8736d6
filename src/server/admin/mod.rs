//! The admin API: what runs, since when, and another configuration in its place.

mod status;

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Instant};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};

pub use status::Status;

use super::{
    Read,
    reload::{Outcome, Post},
};
use crate::{config::Input, runtime::Gateway};

/// Longest body taken, in bytes.
const BODY_LIMIT: usize = 256 << 20;

/// What admin requests are answered from.
pub struct Admin {
    gateway: Arc<Gateway>,
    status: Arc<Status>,
    read: Read,
    posts: mpsc::Sender<Post>,
}

/// An answer: status and JSON.
struct Answer(StatusCode, Option<Value>);

impl Admin {
    /// The admin API of a gateway.
    pub fn new(
        gateway: Arc<Gateway>,
        status: Arc<Status>,
        read: Read,
        posts: mpsc::Sender<Post>,
    ) -> Arc<Self> {
        Arc::new(Admin { gateway, status, read, posts })
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let begun = Instant::now();
        let Answer(status, body) = self.route(request).await;
        let mut response = Response::new(match body {
            Some(json) => Full::from(json.to_string()),
            None => Full::default(),
        });
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::SERVER, HeaderValue::from_static("kong/3.9.3"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert("x-kong-admin-latency", HeaderValue::from(begun.elapsed().as_millis() as u64));
        if status != StatusCode::NOT_MODIFIED && status != StatusCode::NO_CONTENT {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        }
        response
    }

    async fn route(&self, request: Request<Incoming>) -> Answer {
        let path = request.uri().path().trim_end_matches('/').to_owned();
        match (request.method(), path.as_str()) {
            (&Method::GET, "/status") => Answer(StatusCode::OK, Some(self.status.told(&self.gateway))),
            (&Method::POST, "/config") => self.post_config(request).await,
            _ => Answer(StatusCode::NOT_FOUND, Some(json!({ "message": "Not found" }))),
        }
    }

    async fn post_config(&self, request: Request<Incoming>) -> Answer {
        let check_hash = request.uri().query().is_some_and(|q| q.contains("check_hash=1"));
        let Ok(body) = Limited::new(request.into_body(), BODY_LIMIT).collect().await else {
            return Answer(StatusCode::PAYLOAD_TOO_LARGE, Some(json!({ "message": "Payload too large" })));
        };
        let input = Input::Text { name: "POST /config".to_owned(), text: body.to_bytes().to_vec() };
        let (answer, outcome) = oneshot::channel();
        if self.posts.send(Post { input, check_hash, answer }).await.is_err() {
            return Answer(
                StatusCode::SERVICE_UNAVAILABLE,
                Some(json!({ "message": "Kong currently exiting" })),
            );
        }
        let _ = &self.read;
        match outcome.await {
            Ok(Outcome::Applied(_)) => Answer(StatusCode::CREATED, Some(json!({}))),
            Ok(Outcome::Unchanged) => Answer(StatusCode::NOT_MODIFIED, None),
            Ok(Outcome::Refused(loaded)) => {
                let findings: Vec<Value> =
                    loaded.findings.iter().map(|f| f.to_json(&loaded.sources)).collect();
                Answer(StatusCode::BAD_REQUEST, Some(json!({ "code": 14, "findings": findings })))
            }
            Ok(Outcome::Unreadable(error)) => {
                Answer(StatusCode::BAD_REQUEST, Some(json!({ "code": 14, "message": error.to_string() })))
            }
            Err(_) => Answer(
                StatusCode::INTERNAL_SERVER_ERROR,
                Some(json!({ "message": "An unexpected error occurred" })),
            ),
        }
    }
}

/// Listens at those addresses and answers until the runtime ends; returns the real addresses.
///
/// # Errors
/// When an address cannot be listened at.
pub async fn listen(admin: Arc<Admin>, addresses: &[SocketAddr]) -> io::Result<Vec<SocketAddr>> {
    let mut bound = Vec::new();
    for address in addresses {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|e| io::Error::new(e.kind(), format!("admin API at {address}: {e}")))?;
        bound.push(listener.local_addr()?);
        tokio::spawn(accept(Arc::clone(&admin), listener));
    }
    Ok(bound)
}

async fn accept(admin: Arc<Admin>, listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, mostly: others are given back in a moment.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let admin = Arc::clone(&admin);
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request| {
                let admin = Arc::clone(&admin);
                async move { Ok::<_, Infallible>(admin.answer(request).await) }
            });
            // A client that breaks off is its own business.
            let _ = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
