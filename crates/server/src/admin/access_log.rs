//! Access logs of the admin and status APIs.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Instant, SystemTime},
};

use http::{HeaderMap, HeaderValue, Method, Uri, Version, request::Parts};

use telemetry::{AccessLog, EndedBy, Record, RequestLine, Source, Tls};

/// A connection of a client, for records.
#[derive(Debug)]
pub struct ClientConnection {
    peer: SocketAddr,
    local: SocketAddr,
    tls: Option<(&'static str, &'static str)>,
    number: u64,
    requests: AtomicU64,
}

impl ClientConnection {
    /// Creates the next connection.
    pub fn new(peer: SocketAddr, local: SocketAddr, tls: Option<(&'static str, &'static str)>) -> Arc<Self> {
        static CONNECTIONS: AtomicU64 = AtomicU64::new(0);
        let number = CONNECTIONS.fetch_add(1, Ordering::Relaxed) + 1;
        Arc::new(ClientConnection { peer, local, tls, number, requests: AtomicU64::new(0) })
    }
}

/// A request whose line is written when it is dropped: with the status of its response, or with 499 if the client left
/// before it.
pub struct LoggedRequest {
    log: AccessLog,
    connection: Arc<ClientConnection>,
    number: u64,
    started_at: Instant,
    method: Method,
    uri: Uri,
    version: Version,
    headers: HeaderMap,
    /// Status and length of the body.
    response: Option<(u16, u64)>,
}

impl LoggedRequest {
    /// Starts a request, if there is a log.
    pub fn start(log: Option<&AccessLog>, connection: &Arc<ClientConnection>, head: &Parts) -> Option<Self> {
        Some(LoggedRequest {
            log: log?.clone(),
            number: connection.requests.fetch_add(1, Ordering::Relaxed) + 1,
            connection: Arc::clone(connection),
            started_at: Instant::now(),
            method: head.method.clone(),
            uri: head.uri.clone(),
            version: head.version,
            headers: head.headers.clone(),
            response: None,
        })
    }

    /// Sets the response: its status and the length of its body.
    pub fn respond(&mut self, status: u16, body_bytes: u64) {
        self.response = Some((status, body_bytes));
    }
}

impl Drop for LoggedRequest {
    fn drop(&mut self) {
        let ClientConnection { peer, local, tls, number, .. } = *self.connection;
        let (status, body_bytes) = self.response.unwrap_or((499, 0));
        let received = self.headers.get(http::header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        self.log.log(&Record {
            ended_at: SystemTime::now(),
            duration: self.started_at.elapsed(),
            request_id: uuid::Uuid::new_v4().as_u128(),
            client: peer.ip().to_canonical(),
            peer,
            local,
            connection: number,
            connection_request: self.number,
            tls: tls.map(|(version, cipher)| Tls { version, cipher, server_name: None }),
            protocol: match self.version {
                Version::HTTP_10 => "HTTP/1.0",
                Version::HTTP_2 => "HTTP/2.0",
                _ => "HTTP/1.1",
            },
            scheme: if tls.is_some() { "https" } else { "http" },
            request: Some(RequestLine {
                method: self.method.as_str(),
                path: self.uri.path(),
                query: self.uri.query(),
            }),
            request_headers: &Fields(&self.headers),
            request_bytes: received.and_then(|length| length.parse().ok()).unwrap_or(0),
            status,
            response_headers: &(),
            sent_bytes: body_bytes,
            sent_body_bytes: body_bytes,
            tries: &[],
            route: None,
            service: None,
            consumer: None,
            source: Source::Gateway,
            ended_by: if self.response.is_some() { EndedBy::Complete } else { EndedBy::Client },
            error: None,
            limited_by: None,
        });
    }
}

struct Fields<'a>(&'a HeaderMap);

impl telemetry::Headers for Fields<'_> {
    fn value(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(HeaderValue::as_bytes)
    }
}
