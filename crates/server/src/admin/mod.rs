//! The admin API: what runs, since when, and another configuration in its place; Kong's, without a database.
//!
//! `endpoints` lists every path, `Admin::run` says what answers it. A client that reaches this API sees secrets, as
//! with Kong: `guard` refuses browsers and, where a token is set, all who do not show it. What clients make the API
//! hold is bounded in sum: connections (`connections`), bodies (`receive`), work and large responses (`Limits`).
//! Nothing here logs a body, a query or an open part of a path.

mod answer;
mod body;
mod collections;
mod config;
mod connections;
mod endpoints;
mod entities;
mod guard;
mod health;
mod listen;
mod node;
mod page;
mod receive;
mod schemas;
mod send;
mod status;

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header, request::Parts};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::Value;
use socket2::Socket;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::AbortHandle,
};

pub use config::document;
pub use guard::Guard;
pub use status::{POSTED, Status};

use self::{
    answer::Answer,
    body::{Body, Fields},
    connections::{Activity, Connections},
    endpoints::{Endpoint, Endpoints, Found, To},
    guard::Admission,
};
use super::{Read, reload::Post};
use net::{Inherited, MemoryBudget, Role};
use proxy::{Listener, StartError};
use runtime::Gateway;

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
    /// Authorities in PEM whose certificates clients of the admin API have to show over TLS.
    pub client_authorities: Option<String>,
    /// Who may use the APIs.
    pub guard: Guard,
    /// Longest body taken, in bytes; 0 is no limit.
    pub max_body: u64,
    /// Bytes that bodies may take together; 0 is no limit.
    pub max_buffered: u64,
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
    guard: Guard,
    max_body: u64,
    limits: Limits,
    /// What an operator should know of how the APIs are reached.
    warnings: Vec<String>,
}

/// What all requests share.
struct Limits {
    /// Bytes of bodies.
    bodies: Arc<MemoryBudget>,
    /// Requests whose response is being made: lists and dumps take memory of their own.
    working: Arc<Semaphore>,
    /// Responses larger than [`Limits::LARGE_BYTES`] that were not sent to their end yet.
    large: Arc<Semaphore>,
}

impl Limits {
    const MAX_WORKING: usize = 4;
    const MAX_LARGE: usize = 8;
    const LARGE_BYTES: usize = 1 << 20;
    /// How long a client must have been waited for to be cut where memory is short: a client in earnest sends the
    /// largest body in less.
    const SLOW: Duration = Duration::from_secs(10);

    fn new(max_buffered: u64) -> Self {
        Limits {
            bodies: MemoryBudget::new(if max_buffered == 0 { u64::MAX / 2 } else { max_buffered }),
            working: Arc::new(Semaphore::new(Self::MAX_WORKING)),
            large: Arc::new(Semaphore::new(Self::MAX_LARGE)),
        }
    }
}

/// The connection a request came by.
#[derive(Clone)]
struct Client {
    role: Role,
    endpoints: &'static Endpoints,
    connections: Arc<Connections>,
    activity: Arc<Activity>,
}

/// Both APIs, bound but not served yet: connections wait.
pub struct Bound {
    admin: Arc<Admin>,
    sockets: Vec<listen::Bound>,
    /// The real addresses of the admin API.
    pub addresses: Vec<SocketAddr>,
    /// Those of the status API.
    pub status_addresses: Vec<SocketAddr>,
}

/// Warns of addresses that other hosts reach without showing who they are.
pub fn warnings(options: &Options) -> Vec<String> {
    let open = |listeners: &[Listener], asks_for_certificates: bool| -> Vec<SocketAddr> {
        let open = listeners.iter().filter(|listener| {
            !(listener.address.ip().is_loopback() || listener.tls && asks_for_certificates)
        });
        open.map(|listener| listener.address).collect()
    };
    if options.guard.token.is_some() {
        return Vec::new();
    }
    let admin = open(&options.listeners, options.client_authorities.is_some()).into_iter().map(|address| {
        format!(
            "the admin API listens on {address} without authentication: set admin_token or \
             admin_ssl_client_certificate, or listen on a loopback address"
        )
    });
    let status = open(&options.status_listeners, false).into_iter().map(|address| {
        format!(
            "the status API listens on {address} and there is no admin_token: any client that reaches it can take this \
             node out of rotation with POST /status/ready"
        )
    });
    admin.chain(status).collect()
}

/// Everything that [`bind`] does before it opens a socket.
///
/// # Errors
/// When there is no usable certificate.
pub fn check(options: &Options, gateway: &Gateway) -> Result<(), StartError> {
    listen::check(gateway, Role::Admin, &options.listeners, options.tls())?;
    listen::check(gateway, Role::Status, &options.status_listeners, options.status_tls())
}

impl Options {
    fn tls(&self) -> listen::Tls<'_> {
        let client_authorities = self.client_authorities.as_deref();
        listen::Tls { certificate: self.certificate.as_ref(), client_authorities }
    }

    fn status_tls(&self) -> listen::Tls<'_> {
        listen::Tls { certificate: self.status_certificate.as_ref(), client_authorities: None }
    }
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
) -> Result<Bound, StartError> {
    let of = (Role::Admin, &*endpoints::ADMIN);
    let mut sockets = listen::bind(&gateway, of, &options.listeners, options.tls(), inherited).await?;
    let addresses = sockets.iter().map(listen::Bound::address).collect::<io::Result<_>>()?;
    let of = (Role::Status, &*endpoints::STATUS_ONLY);
    let more = listen::bind(&gateway, of, &options.status_listeners, options.status_tls(), inherited).await?;
    let status_addresses = more.iter().map(listen::Bound::address).collect::<io::Result<_>>()?;
    sockets.extend(more);
    let warnings = warnings(&options);
    let Options { guard, max_body, max_buffered, settings, .. } = options;
    let limits = Limits::new(max_buffered);
    let admin = Arc::new(Admin { gateway, status, read, posts, settings, guard, max_body, limits, warnings });
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

    /// From a request to its response.
    async fn answer(self: Arc<Self>, client: Client, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let begun = Instant::now();
        client.activity.moved();
        let (head, body) = request.into_parts();
        let method = head.method.clone();
        let last = self.status.handed_over() && head.version < Version::HTTP_2;
        let Admission { origin, refusal } = self.guard.admit(client.role, &head);
        let found = client.endpoints.find(head.uri.path());
        let endpoint = found.as_ref().map_or("none", |found| found.endpoint.path.as_str());
        let answer = match (refusal, found) {
            (Some(refusal), _) => refusal,
            (None, Some(found)) => Arc::clone(&self).endpoint(found, &client, head, body).await,
            (None, None) => Answer::not_found(),
        };
        let answer = match answer.len() > Limits::LARGE_BYTES {
            true => match self.large_response(&client).await {
                Some(permit) => answer.with_permit(permit),
                None => Answer::overloaded("too many large responses are being sent"),
            },
            false => answer,
        };
        let mut response = answer.into_response();
        tracing::debug!(%method, endpoint, status = response.status().as_u16(), "admin request");
        let headers = response.headers_mut();
        if last {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        headers.insert(header::SERVER, HeaderValue::from_static("kong/3.9.3"));
        if let Some(origin) = origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        headers.insert("x-kong-admin-latency", HeaderValue::from(begun.elapsed().as_millis() as u64));
        response
    }

    /// A permit to send a large response: one that is free, or that of the slowest client.
    async fn large_response(&self, client: &Client) -> Option<OwnedSemaphorePermit> {
        loop {
            if let Ok(permit) = Arc::clone(&self.limits.large).try_acquire_owned() {
                return Some(permit);
            }
            client.evict_slowest().await.then_some(())?;
        }
    }

    async fn endpoint(
        self: Arc<Self>,
        found: Found<'static>,
        client: &Client,
        head: Parts,
        body: Incoming,
    ) -> Answer {
        let Found { endpoint, parts } = found;
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
            told.raw = match self.receive(client, body).await {
                Ok(raw) => raw,
                Err(refusal) => return refusal,
            };
        }
        let _working = client.activity.work();
        if writes && endpoint.to == To::Config {
            return config::post(told, &query, &self.posts).await;
        }
        let failed = || Answer::message(StatusCode::INTERNAL_SERVER_ERROR, "An unexpected error occurred");
        let Ok(permit) = Arc::clone(&self.limits.working).acquire_owned().await else { return failed() };
        // Lists and schemas may be long: not on the thread that takes connections.
        let endpoints = client.endpoints;
        let work = move || {
            let _permit = permit;
            let asked = Asked { method: head.method, parts, query, body: told };
            self.run(endpoint, endpoints, &asked).unwrap_or_else(|refusal| refusal)
        };
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| failed())
    }

    /// The response of each endpoint.
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
            To::Status => {
                let warnings = endpoints.tell_all.then_some(self.warnings.as_slice());
                Ok(self.status.answer(&self.gateway, query, warnings))
            }
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
            To::PluginSettingsSchema => Ok(schemas::of_settings(self.read.catalog.registry(), part(0))),
            To::Schema => Ok(schemas::of_entity(part(0))),
            To::PluginSchema => Ok(schemas::of_plugin(self.read.catalog.registry(), part(0))),
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

impl Client {
    /// Closes the connection that has been slow for longest; whether there is one. Its memory is free then.
    async fn evict_slowest(&self) -> bool {
        let evicted = self.connections.evict(Limits::SLOW);
        if evicted {
            // Its task ends on this runtime.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        evicted
    }
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
