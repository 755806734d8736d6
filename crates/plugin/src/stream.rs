//! Streams: connections and datagrams of routes with `tcp`, `tls`, `tls_passthrough` and `udp`. Plugins see a session
//! of its own type, since there is no request.

use std::time::{Duration, Instant};

use super::{Client, Extensions, RequestId};
use model::{Ix, Protocol, Route, Service, State};

/// State of one stream, from the choice of its route to its end.
#[derive(Debug)]
pub struct StreamSession {
    /// The client.
    pub client: Client,
    /// Id of the session.
    pub id: RequestId,
    /// `Tcp`, `Tls`, `TlsPassthrough` or `Udp`.
    pub protocol: Protocol,
    /// The matched route.
    pub route: Ix<Route>,
    /// The route's service, if any.
    pub service: Option<Ix<Service>>,
    /// When the route was found.
    pub started_at: Instant,
    /// How the session ended; `None` until then.
    pub end: Option<StreamEnd>,
    extensions: Extensions,
}

/// End of a stream.
#[derive(Debug, Default)]
pub struct StreamEnd {
    /// Bytes received from the client and sent to the upstream.
    pub bytes_from_client: u64,
    /// Bytes received from the upstream and sent to the client.
    pub bytes_from_upstream: u64,
    /// Time from the choice of the route to the end.
    pub duration: Duration,
    /// The error that ended the session, if any: a rejection by a plugin, a failed connection, a timeout.
    pub error: Option<String>,
}

impl StreamSession {
    /// Creates the session of a stream whose route has been found.
    pub fn new(
        client: Client,
        id: RequestId,
        protocol: Protocol,
        route: Ix<Route>,
        service: Option<Ix<Service>>,
    ) -> Self {
        StreamSession {
            client,
            id,
            protocol,
            route,
            service,
            started_at: Instant::now(),
            end: None,
            extensions: Extensions::default(),
        }
    }

    /// Returns the value of a type that a plugin carries from `preread` to `log`; inserts its default if absent.
    pub fn extension_mut<T: Default + 'static>(&mut self) -> &mut T {
        self.extensions.get_or_default()
    }
}

/// Arguments of a hook of a stream.
pub struct StreamCtx<'a> {
    /// The session.
    pub session: &'a mut StreamSession,
    /// The configuration.
    pub state: &'a State,
}

/// Reason why a plugin closes a stream, for the log.
#[derive(Debug)]
pub struct StreamRejection(pub String);

/// Result of a `preread` hook.
pub type StreamResult = Result<(), StreamRejection>;
