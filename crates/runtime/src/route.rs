//! A route as the request path needs it.

use std::sync::Arc;

use http::StatusCode;

use super::chain::Chain;
use model::{Ix, PathHandling, Protocol, Route, Service};

/// What of a route is worked out before any request.
#[derive(Debug)]
pub struct RouteEntry {
    /// The plugins that run.
    pub chain: Arc<Chain>,
    /// Its service.
    pub service: Option<Ix<Service>>,
    /// Whether the matched part of the path is removed.
    pub strip_path: bool,
    /// Whether the client's Host header is passed on.
    pub preserve_host: bool,
    /// Whether the request's body is read before the upstream is asked.
    pub request_buffering: bool,
    /// Whether an answer is read on while its client takes its time, so that the upstream is free sooner.
    pub response_buffering: bool,
    /// How paths are joined.
    pub path_handling: PathHandling,
    /// What clear text is answered on a route for encrypted requests only.
    pub encrypted_only: Option<Encrypted>,
    /// Whether TLS is passed on as it comes.
    pub passthrough: bool,
    /// Whether gRPC requests may pass.
    pub grpc: bool,
    /// Whether no other may.
    pub grpc_only: bool,
}

/// Answer to clear text on a route for encrypted requests only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encrypted {
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
            encrypted_only: if has(Protocol::Https) && !has(Protocol::Http) {
                Some(Encrypted::Https(status.unwrap_or(StatusCode::UPGRADE_REQUIRED)))
            } else if has(Protocol::Grpcs) && !has(Protocol::Grpc) {
                Some(Encrypted::Grpcs)
            } else {
                None
            },
            passthrough: has(Protocol::TlsPassthrough),
            grpc_only: route.protocols.iter().all(|p| matches!(p, Protocol::Grpc | Protocol::Grpcs)),
            grpc: has(Protocol::Grpc) || has(Protocol::Grpcs),
        }
    }
}
