//! A route as the request path needs it.

use std::sync::Arc;

use http::StatusCode;

use super::chain::Chain;
use model::{Ix, PathHandling, Protocol, Route, Service};

/// A compiled route.
#[derive(Debug)]
pub struct RouteEntry {
    /// The plugin chain.
    pub chain: Arc<Chain>,
    /// Its service.
    pub service: Option<Ix<Service>>,
    /// Whether the matched part of the path is removed.
    pub strip_path: bool,
    /// Whether the client's Host header is forwarded.
    pub preserve_host: bool,
    /// Whether the request's body is buffered before the request is sent to the upstream.
    pub request_buffering: bool,
    /// Whether a response is buffered while the client reads slowly, so that the upstream connection is released sooner.
    pub response_buffering: bool,
    /// Rule for joining the paths of service and request.
    pub path_handling: PathHandling,
    /// The response to requests without TLS, if the route requires TLS.
    pub tls_required: Option<TlsRequired>,
    /// Whether TLS is passed through without termination.
    pub passthrough: bool,
    /// Whether gRPC requests are accepted.
    pub grpc: bool,
    /// Whether only gRPC requests are accepted.
    pub grpc_only: bool,
}

/// Response to a request without TLS on a route that requires TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsRequired {
    /// 426, or a redirect with this status.
    Https(StatusCode),
    /// A gRPC error.
    Grpcs,
}

impl RouteEntry {
    pub(super) fn new(
        route: &Route,
        service: Option<Ix<Service>>,
        chain: Arc<Chain>,
        traditional: bool,
    ) -> Self {
        let has = |protocol| route.protocols.contains(&protocol);
        let status = StatusCode::from_u16(route.https_redirect_status_code);
        RouteEntry {
            chain,
            service,
            strip_path: route.strip_path,
            preserve_host: route.preserve_host,
            request_buffering: route.request_buffering,
            response_buffering: route.response_buffering,
            path_handling: match route.path_handling {
                Some(handling) if traditional => handling,
                _ => PathHandling::V0,
            },
            tls_required: if has(Protocol::Https) && !has(Protocol::Http) {
                Some(TlsRequired::Https(status.unwrap_or(StatusCode::UPGRADE_REQUIRED)))
            } else if has(Protocol::Grpcs) && !has(Protocol::Grpc) {
                Some(TlsRequired::Grpcs)
            } else {
                None
            },
            passthrough: has(Protocol::TlsPassthrough),
            grpc_only: route.protocols.iter().all(|p| matches!(p, Protocol::Grpc | Protocol::Grpcs)),
            grpc: has(Protocol::Grpc) || has(Protocol::Grpcs),
        }
    }
}
