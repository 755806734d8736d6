//! The admin API: what runs, since when, and another configuration in its place; Kong's, without a database.
//!
//! `endpoints` lists every path, `Admin::run` says who answers it. Whoever reaches this API sees secrets, as
//! with Kong: bind it where only operators do. Nothing here logs a body or a query.

mod answer;
mod body;
mod collections;
mod config;
mod endpoints;
mod entities;
mod health;
mod listen;
mod node;
mod page;
mod schemas;
mod status;

use std::{io, net::SocketAddr, sync::Arc, time::Duration, time::Instant};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body::Body as _;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::Value;
use socket2::Socket;
use tokio::{sync::mpsc, task::AbortHandle};

pub use config::document;
pub use status::{POSTED, Status};

use self::{
    answer::Answer,
    body::{Body, Fields},
    endpoints::{Endpoint, Endpoints, Found, To},
};
use super::{Read, reload::Post};
use crate::{
    net::{Inherited, Role},
    proxy::Listener,
    runtime::Gateway,
};

/// How the APIs are served.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where the admin API is served; nowhere if empty.
    pub listeners: Vec<Listener>,
    /// The certificate shown there, chain and key in PEM; the proxy's default one if absent.
    pub certificate: Option<(String, String)>,
    /// Where health and metrics alone are served.
    pub status_listeners: Vec<Listener>,
    /// The certificate shown there.
    pub status_certificate: Option<(String, String)>,
    /// Longest body taken, in bytes; 0 is no limit.
    pub max_body: u64,
    /// The node's settings as `/` tells them, secrets hidden.
    pub settings: Value,
}

/// What requests are answered from.
pub struct Admin {
    gateway: Arc<Gateway>,
    status: Arc<Status>,
    read: Read,
    posts: mpsc::Sender<Post>,
    settings: Value,
    max_body: u64,
}

/// How long a client may pause while it sends a body.
const PAUSE: Duration = Duration::from_secs(60);
/// How long a whole body may take.
const BODY: Duration = Duration::from_secs(600);

/// Both APIs, bound but not served yet: connections wait.
pub struct Bound {
    admin: Arc<Admin>,
    sockets: Vec<listen::Bound>,
    /// The real addresses of the admin API.
    pub addresses: Vec<SocketAddr>,
    /// Those of the status API.
    pub status_addresses: Vec<SocketAddr>,
}

/// Listens where the options say. Before the proxy does: who can reach the one finds the other.
///
/// # Errors
/// When an address cannot be listened at, or there is no usable certificate.
pub async fn bind(
    options: Options,
    gateway: Arc<Gateway>,
    status: Arc<Status>,
    read: Read,
    posts: mpsc::Sender<Post>,
    inherited: &mut Inherited,
) -> io::Result<Bound> {
    let Options { listeners, certificate, status_listeners, status_certificate, max_body, settings } =
        options;
    let admin = Arc::new(Admin { gateway, status, read, posts, settings, max_body });
    let mut sockets =
        listen::bind(&admin, (Role::Admin, &endpoints::ADMIN), &listeners, certificate.as_ref(), inherited)
            .await?;
    let addresses = sockets.iter().map(listen::Bound::address).collect::<io::Result<_>>()?;
    let more = listen::bind(
        &admin,
        (Role::Status, &endpoints::STATUS_ONLY),
        &status_listeners,
        status_certificate.as_ref(),
        inherited,
    )
    .await?;
    let status_addresses = more.iter().map(listen::Bound::address).collect::<io::Result<_>>()?;
    sockets.extend(more);
    Ok(Bound { admin, sockets, addresses, status_addresses })
}

impl Bound {
    /// All listening sockets.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub fn share(&self) -> io::Result<Vec<(Role, Socket)>> {
        self.sockets.iter().map(listen::Bound::share).collect()
    }

    /// Answers until that is aborted or the runtime ends. To be called on it.
    pub fn serve(self) -> Vec<AbortHandle> {
        self.sockets.into_iter().map(|socket| socket.serve(&self.admin)).collect()
    }
}

impl Admin {
    /// Worker threads.
    fn workers(&self) -> usize {
        match self.gateway.options.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            count => count,
        }
    }

    /// From a request to its answer.
    async fn answer(
        self: Arc<Self>,
        endpoints: &'static Endpoints,
        request: Request<Incoming>,
    ) -> Response<Full<Bytes>> {
        let begun = Instant::now();
        let origin = request.headers().get(header::ORIGIN).cloned();
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let last = self.status.handed_over() && request.version() < Version::HTTP_2;
        let answer = match endpoints.find(request.uri().path()) {
            Some(found) => self.endpoint(found, endpoints, request).await,
            None => Answer::not_found(),
        };
        let mut response = answer.into_response();
        tracing::debug!(%method, path, status = response.status().as_u16(), "admin request");
        let headers = response.headers_mut();
        if last {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        headers.insert(header::SERVER, HeaderValue::from_static("kong/3.9.3"));
        let any = HeaderValue::from_static("*");
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.unwrap_or(any));
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.insert("x-kong-admin-latency", HeaderValue::from(begun.elapsed().as_millis() as u64));
        response
    }

    async fn endpoint(
        self: Arc<Self>,
        found: Found<'static>,
        endpoints: &'static Endpoints,
        request: Request<Incoming>,
    ) -> Answer {
        let Found { endpoint, parts } = found;
        let (head, body) = request.into_parts();
        let writes = matches!(head.method, Method::POST | Method::PUT | Method::PATCH);
        let mut told = match Body::expected(&head.headers, endpoint.to == To::Config) {
            Err(refusal) if writes => return refusal,
            Err(_) => Body::default(),
            Ok(told) => told,
        };
        if !endpoint.knows(&head.method) {
            return Answer::not_allowed();
        }
        if head.method == Method::OPTIONS {
            return preflight(endpoint, &head.headers);
        }
        let query = Fields::of_query(head.uri.query().unwrap_or_default());
        if writes {
            told.raw = match self.collect(body).await {
                Ok(raw) => raw,
                Err(refusal) => return refusal,
            };
            if endpoint.to == To::Config {
                return config::post(told, &query, &self.posts).await;
            }
        }
        // Lists and schemas may be long: not on the thread that takes connections.
        let work = move || {
            let asked = Asked { method: head.method, parts, query, body: told };
            self.run(endpoint, endpoints, &asked).unwrap_or_else(|refusal| refusal)
        };
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
            Answer::message(StatusCode::INTERNAL_SERVER_ERROR, "An unexpected error occurred")
        })
    }

    /// Reads a body to its end.
    async fn collect(&self, body: Incoming) -> Result<Bytes, Answer> {
        let whole = tokio::time::timeout(BODY, self.collect_all(body)).await;
        whole.unwrap_or_else(|_| Err(timed_out()))
    }

    async fn collect_all(&self, mut body: Incoming) -> Result<Bytes, Answer> {
        let too_large = || Answer::message(StatusCode::PAYLOAD_TOO_LARGE, "Request body too large");
        let limit = if self.max_body == 0 { u64::MAX } else { self.max_body };
        if body.size_hint().lower() > limit {
            return Err(too_large());
        }
        let mut raw = BytesMut::new();
        loop {
            let frame = match tokio::time::timeout(PAUSE, body.frame()).await {
                Ok(None) => return Ok(raw.freeze()),
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(_))) => return Err(Answer::bad_request("the body broke off")),
                Err(_) => return Err(timed_out()),
            };
            if let Some(data) = frame.data_ref() {
                if raw.len() as u64 + data.len() as u64 > limit {
                    return Err(too_large());
                }
                raw.extend_from_slice(data);
            }
        }
    }

    /// Who answers which endpoint.
    fn run(&self, endpoint: &Endpoint, endpoints: &Endpoints, asked: &Asked) -> Result<Answer, Answer> {
        let Asked { method, parts, query, body } = asked;
        let snapshot = self.gateway.snapshot();
        let state = snapshot.state.display();
        let part = |n: usize| parts.get(n).map_or("", String::as_str);
        if body.is_json() {
            body.object()?;
        }
        match endpoint.to {
            To::Node => Ok(node::root(self, &state)),
            To::Status => Ok(self.status.answer(&self.gateway, query, endpoints.tell_all)),
            To::Ready if *method == Method::POST => {
                let told = body.object()?;
                let wanted = told["status"].as_str().or(query.get("status"));
                Ok(self.status.retire(wanted))
            }
            To::Ready => Ok(self.status.ready()),
            To::Config => Ok(config::get(&state)),
            To::Endpoints => Ok(Answer::ok(&serde_json::json!({ "data": endpoints.paths() }))),
            To::Timers => Ok(node::timers(self)),
            To::Metrics => Ok(node::metrics(self)),
            To::Dns => {
                Ok(Answer::message(StatusCode::NOT_IMPLEMENTED, "not implemented with the legacy DNS client"))
            }
            To::LogLevel => Ok(node::log_level(self)),
            To::SetLogLevel => Ok(Answer::message(
                StatusCode::METHOD_NOT_ALLOWED,
                "cannot change log level when not using a database",
            )),
            // What Kong caches of its database is at hand here.
            To::Cache if *method == Method::DELETE => Ok(Answer::empty(StatusCode::NO_CONTENT)),
            To::Cache => Ok(Answer::not_found()),
            To::ControlPlaneOnly => Ok(Answer::bad_request(
                "this endpoint is only available when Kong is configured to run as Control Plane for the cluster",
            )),
            To::WasmOnly => Ok(Answer::bad_request("this endpoint is only available when wasm is enabled")),
            To::PluginsEnabled => Ok(node::plugins_enabled(self)),
            To::PluginSettingsSchema | To::PluginSchema if !(self.read.plugin_enabled)(part(0)) => {
                Ok(schemas::unknown("plugin", part(0)))
            }
            To::PluginSettingsSchema => Ok(schemas::of_settings(part(0))),
            To::Schema => Ok(schemas::of_entity(part(0))),
            To::PluginSchema => Ok(schemas::of_plugin(part(0))),
            To::VaultSchema => Ok(schemas::of_vault(part(0))),
            To::FilterSchema => {
                let missing = format!("Filter '{}' not found", part(0));
                Ok(Answer::message(StatusCode::NOT_FOUND, missing))
            }
            To::Validate => Ok(schemas::validate(&self.read, part(0), body.object()?)),
            To::ValidatePlugin => Ok(schemas::validate(&self.read, "plugins", body.object()?)),
            To::ValidateVault => Ok(schemas::validate(&self.read, "vaults", body.object()?)),
            To::Tags => entities::tags(state, None, query),
            To::Tag => entities::tags(state, Some(part(0)), query),
            To::Health => health::of_upstream(state, self.gateway.stores.node.id, part(0), query),
            To::TargetsAll => entities::all_targets(state, part(0), query),
            To::Target => entities::target(state, method, part(0), part(1)),
            To::TargetHealth => health::set(state, part(0), part(1)),
            To::List(of) => entities::list(state, method, of, query),
            To::One(of) => entities::one(state, method, of, part(0)),
            To::Referred(of, field, other) => entities::referred(state, method, (of, field, other), part(0)),
            To::Children(parent, of, field) => {
                entities::children(state, method, (parent, of, field), part(0), query)
            }
            To::Child(parent, of, field) => {
                entities::child(state, method, (parent, of, field), part(0), part(1))
            }
        }
    }
}

/// The answer for a client that is too slow.
fn timed_out() -> Answer {
    Answer::message(StatusCode::REQUEST_TIMEOUT, "Request Timeout")
}

/// A request as endpoints see it.
struct Asked {
    method: Method,
    /// What the path leaves open, in order.
    parts: Vec<String>,
    query: Fields,
    body: Body,
}

/// `OPTIONS`: what browsers ask before they send a request.
fn preflight(endpoint: &Endpoint, headers: &HeaderMap) -> Answer {
    let allow = endpoint.allow();
    let asked = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    Answer::empty(StatusCode::NO_CONTENT)
        .with(header::ALLOW, allow.clone())
        .with(header::ACCESS_CONTROL_ALLOW_METHODS, allow)
        .with(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.unwrap_or(HeaderValue::from_static("Content-Type")))
}
