//! The admin API: Kong's Admin API in DB-less mode, and the status API.
//!
//! `endpoints` lists every path, `Admin::run` dispatches to the handlers. Responses contain secrets, as Kong's do: `guard`
//! rejects cross-site browser requests and, where a token is set, requests without it. The memory that clients can make
//! the API use is bounded in total: connections (`connections`), bodies (`body_receive`), concurrent work and large
//! responses (`Limits`). Bodies, queries and path parameters are never logged.

mod access_log;
mod body;
mod body_receive;
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
mod reply;
mod schemas;
mod send_timeout;
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
use hyper::body::{Body as _, Incoming};
use serde_json::Value;
use socket2::Socket;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::AbortHandle,
};

pub use config::configuration_document;
pub use guard::Guard;
pub use status::{POSTED, Status};

use self::{
    access_log::{ClientConnection, LoggedRequest},
    body::{Body, Fields},
    connections::{Activity, Connections},
    endpoints::{Endpoint, Endpoints, Handler, RouteMatch},
    guard::Admission,
    reply::Reply,
};
use super::{ReadOptions, access_logs::OpenLogs, reload::ApplyRequest};
use net::{Inherited, MemoryBudget, Role};
use proxy::{Listener, StartError};
use runtime::Gateway;

/// Options of the admin and status APIs.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Listeners of the admin API; disabled if empty.
    pub listeners: Vec<Listener>,
    /// Its certificate: chain and key in PEM. The proxy's default certificate if `None`.
    pub certificate: Option<(String, String)>,
    /// Listeners of the status API: health and metrics only.
    pub status_listeners: Vec<Listener>,
    /// Its certificate: chain and key in PEM.
    pub status_certificate: Option<(String, String)>,
    /// Certificate authorities in PEM. If set, clients of the admin API must present a certificate of one of them.
    pub client_authorities: Option<String>,
    /// Access control of the APIs.
    pub guard: Guard,
    /// Maximum size of a request body in bytes; 0 is no limit.
    pub max_body: u64,
    /// Maximum size of all buffered request bodies in bytes; 0 is no limit.
    pub max_buffered: u64,
    /// The node's settings as `GET /` shows them, with secrets hidden.
    pub settings: Value,
}

/// State shared by all requests of both APIs.
pub struct Admin {
    gateway: Arc<Gateway>,
    status: Arc<Status>,
    read: ReadOptions,
    apply_requests: mpsc::Sender<ApplyRequest>,
    settings: Value,
    guard: Guard,
    max_body: u64,
    limits: Limits,
    /// Warnings about listeners without authentication.
    warnings: Vec<String>,
    logs: OpenLogs,
}

/// Limits shared by all requests.
struct Limits {
    /// Memory budget of request bodies.
    bodies: Arc<MemoryBudget>,
    /// Permits of requests being processed: lists and dumps allocate memory of their own.
    working: Arc<Semaphore>,
    /// Permits of responses larger than [`Limits::LARGE_BYTES`] that are being sent.
    large: Arc<Semaphore>,
}

impl Limits {
    const MAX_WORKING: usize = 4;
    const MAX_LARGE: usize = 8;
    const LARGE_BYTES: usize = 1 << 20;
    /// How long a connection must have been idle to be evicted when memory is short: a client that makes progress sends
    /// the largest body in less.
    const MIN_EVICTION_IDLE: Duration = Duration::from_secs(10);

    fn new(max_buffered: u64) -> Self {
        Limits {
            bodies: MemoryBudget::new(if max_buffered == 0 { u64::MAX / 2 } else { max_buffered }),
            working: Arc::new(Semaphore::new(Self::MAX_WORKING)),
            large: Arc::new(Semaphore::new(Self::MAX_LARGE)),
        }
    }
}

/// The connection of a request.
#[derive(Clone)]
struct Client {
    role: Role,
    endpoints: &'static Endpoints,
    connections: Arc<Connections>,
    activity: Arc<Activity>,
    connection: Arc<ClientConnection>,
}

/// Both APIs, bound but not served yet: connections wait in the accept queues.
pub struct Bound {
    admin: Arc<Admin>,
    sockets: Vec<listen::Bound>,
    /// Bound addresses of the admin API.
    pub addresses: Vec<SocketAddr>,
    /// Bound addresses of the status API.
    pub status_addresses: Vec<SocketAddr>,
}

/// Warns of listeners that other hosts reach without authentication.
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

/// Performs the checks of [`bind`] without opening a socket.
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

/// Binds the listeners of both APIs. Called before the proxy listens, so that the APIs are reachable whenever the proxy
/// is.
///
/// # Errors
/// When an address cannot be listened at, or there is no usable certificate.
pub async fn bind(
    options: Options,
    gateway: Arc<Gateway>,
    status: Arc<Status>,
    read: ReadOptions,
    apply_requests: mpsc::Sender<ApplyRequest>,
    logs: &OpenLogs,
    inherited: &mut Inherited,
) -> Result<Bound, StartError> {
    let descriptors = read.catalog.registry().descriptors();
    let enabled = descriptors.filter(|descriptor| (read.plugin_enabled)(&descriptor.name));
    // Leaked: a process binds the API once, and each of its requests refers to them.
    let endpoints = endpoints::admin(enabled.flat_map(|plugin| plugin.admin_routes));
    let endpoints: &'static Endpoints = Box::leak(Box::new(endpoints));
    let of = (Role::Admin, endpoints);
    let mut sockets = listen::bind(&gateway, of, &options.listeners, options.tls(), inherited).await?;
    let addresses = sockets.iter().map(listen::Bound::address).collect::<io::Result<_>>()?;
    let of = (Role::Status, &*endpoints::STATUS_ONLY);
    let more = listen::bind(&gateway, of, &options.status_listeners, options.status_tls(), inherited).await?;
    let status_addresses = more.iter().map(listen::Bound::address).collect::<io::Result<_>>()?;
    sockets.extend(more);
    let warnings = warnings(&options);
    let Options { guard, max_body, max_buffered, settings, .. } = options;
    let limits = Limits::new(max_buffered);
    let admin = Arc::new(Admin {
        gateway,
        status,
        read,
        apply_requests,
        settings,
        guard,
        max_body,
        limits,
        warnings,
        logs: logs.clone(),
    });
    Ok(Bound { admin, sockets, addresses, status_addresses })
}

impl Bound {
    /// Duplicates all listening sockets.
    ///
    /// # Errors
    /// When no file descriptor is available.
    pub fn share(&self) -> io::Result<Vec<(Role, Socket)>> {
        self.sockets.iter().map(listen::Bound::share).collect()
    }

    /// Spawns the accept loops, which run until they are aborted or the runtime stops. Must be called on the runtime.
    pub fn serve(self) -> Vec<AbortHandle> {
        self.sockets.into_iter().map(|socket| socket.serve(&self.admin)).collect()
    }
}

impl Admin {
    /// Number of worker threads.
    fn workers(&self) -> usize {
        match self.gateway.options.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            count => count,
        }
    }

    /// Handles a request.
    async fn respond(self: Arc<Self>, client: Client, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let started_at = Instant::now();
        client.activity.record_progress();
        let (head, body) = request.into_parts();
        let method = head.method.clone();
        let log = if client.role == Role::Admin { &self.logs.admin } else { &self.logs.status };
        let mut logged = LoggedRequest::start(log.as_ref(), &client.connection, &head);
        let last = self.status.handed_over() && head.version < Version::HTTP_2;
        let Admission { origin, refusal } = self.guard.admit(client.role, &head);
        let found = client.endpoints.find(head.uri.path());
        let endpoint = found.as_ref().map_or("none", |found| found.endpoint.path.as_str());
        let reply = match (refusal, found) {
            (Some(refusal), _) => refusal,
            (None, Some(found)) => Arc::clone(&self).endpoint(found, &client, head, body).await,
            (None, None) => Reply::not_found(),
        };
        let reply = match reply.len() > Limits::LARGE_BYTES {
            true => match self.large_response(&client).await {
                Some(permit) => reply.with_permit(permit),
                None => Reply::overloaded("too many large responses are being sent"),
            },
            false => reply,
        };
        let mut response = reply.into_response();
        tracing::debug!(%method, endpoint, status = response.status().as_u16(), "admin request");
        let headers = response.headers_mut();
        if last {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        // Clients of Kong's admin API read its version here too, as in `GET /`.
        headers.insert(header::SERVER, HeaderValue::from_static("kong/3.9.3"));
        if let Some(origin) = origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        headers.insert("x-kong-admin-latency", HeaderValue::from(started_at.elapsed().as_millis() as u64));
        if let Some(logged) = &mut logged {
            let length = if method == Method::HEAD { None } else { response.body().size_hint().exact() };
            logged.respond(response.status().as_u16(), length.unwrap_or(0));
        }
        response
    }

    /// Acquires a permit to send a large response: a free one, or that of the slowest client, which is evicted.
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
        found: RouteMatch<'static>,
        client: &Client,
        head: Parts,
        body: Incoming,
    ) -> Reply {
        let RouteMatch { endpoint, parts } = found;
        let writes = matches!(head.method, Method::POST | Method::PUT | Method::PATCH);
        let mut parsed_body = match Body::expected(&head.headers, endpoint.handler == Handler::Config) {
            Err(refusal) if writes => return refusal,
            Err(_) => Body::default(),
            Ok(parsed_body) => parsed_body,
        };
        if !endpoint.supports(&head.method) {
            return Reply::not_allowed();
        }
        if head.method == Method::OPTIONS {
            return preflight(endpoint, &head.headers);
        }
        let query = Fields::of_query(head.uri.query().unwrap_or_default());
        if writes {
            parsed_body.raw = match self.receive(client, body).await {
                Ok(raw) => raw,
                Err(refusal) => return refusal,
            };
        }
        let _working = client.activity.start_request();
        if writes && endpoint.handler == Handler::Config {
            return config::post(parsed_body, &query, &self.apply_requests).await;
        }
        let failed = || Reply::message(StatusCode::INTERNAL_SERVER_ERROR, "An unexpected error occurred");
        let Ok(permit) = Arc::clone(&self.limits.working).acquire_owned().await else { return failed() };
        // Lists and schemas may be large: they are rendered off the thread that accepts connections.
        let endpoints = client.endpoints;
        let work = move || {
            let _permit = permit;
            let request = AdminRequest { method: head.method, parts, query, body: parsed_body };
            self.run(endpoint, endpoints, &request).unwrap_or_else(|refusal| refusal)
        };
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| failed())
    }

    /// Dispatches to the handler of an endpoint.
    fn run(
        &self,
        endpoint: &Endpoint,
        endpoints: &Endpoints,
        request: &AdminRequest,
    ) -> Result<Reply, Reply> {
        let AdminRequest { method, parts, query, body } = request;
        let snapshot = self.gateway.snapshot();
        let state = snapshot.state.display();
        let part = |n: usize| parts.get(n).map_or("", String::as_str);
        if body.is_json() {
            body.object()?;
        }
        match endpoint.handler {
            Handler::Node => Ok(node::root(self, &state)),
            Handler::Status => {
                let warnings = endpoints.exposes_config.then_some(self.warnings.as_slice());
                Ok(self.status.render(&self.gateway, query, warnings))
            }
            Handler::Ready if *method == Method::POST => {
                let fields = body.object()?;
                let wanted = fields["status"].as_str().or(query.get("status"));
                Ok(self.status.retire(wanted))
            }
            Handler::Ready => Ok(self.status.ready()),
            Handler::Config => Ok(config::get(&state)),
            Handler::Endpoints => Ok(Reply::ok(&serde_json::json!({ "data": endpoints.paths() }))),
            Handler::Timers => Ok(node::timers(self)),
            Handler::Metrics => Ok(node::metrics(self)),
            Handler::Dns => {
                Ok(Reply::message(StatusCode::NOT_IMPLEMENTED, "not implemented with the legacy DNS client"))
            }
            Handler::LogLevel => Ok(node::log_level(self)),
            Handler::SetLogLevel => Ok(Reply::message(
                StatusCode::METHOD_NOT_ALLOWED,
                "cannot change log level when not using a database",
            )),
            // There is no cache of database rows here, so there is nothing to purge or to find.
            Handler::Cache if *method == Method::DELETE => Ok(Reply::empty(StatusCode::NO_CONTENT)),
            Handler::Cache => Ok(Reply::not_found()),
            Handler::ControlPlaneOnly => Ok(Reply::bad_request(
                "this endpoint is only available when Kong is configured to run as Control Plane for the cluster",
            )),
            Handler::WasmOnly => {
                Ok(Reply::bad_request("this endpoint is only available when wasm is enabled"))
            }
            Handler::PluginsEnabled => Ok(node::plugins_enabled(self)),
            Handler::PluginSettingsSchema | Handler::PluginSchema if !(self.read.plugin_enabled)(part(0)) => {
                Ok(schemas::unknown("plugin", part(0)))
            }
            Handler::PluginSettingsSchema => Ok(schemas::of_settings(self.read.catalog.registry(), part(0))),
            Handler::Schema => Ok(schemas::of_entity(part(0))),
            Handler::PluginSchema => Ok(schemas::of_plugin(self.read.catalog.registry(), part(0))),
            Handler::VaultSchema => Ok(schemas::of_vault(part(0))),
            Handler::FilterSchema => {
                let missing = format!("Filter '{}' not found", part(0));
                Ok(Reply::message(StatusCode::NOT_FOUND, missing))
            }
            Handler::Validate => Ok(schemas::validate(&self.read, part(0), body.object()?)),
            Handler::ValidatePlugin => Ok(schemas::validate(&self.read, "plugins", body.object()?)),
            Handler::ValidateVault => Ok(schemas::validate(&self.read, "vaults", body.object()?)),
            Handler::Tags => entities::tags(state, None, query),
            Handler::Tag => entities::tags(state, Some(part(0)), query),
            Handler::Health => health::of_upstream(state, self.gateway.stores.node.id, part(0), query),
            Handler::TargetsAll => entities::all_targets(state, part(0), query),
            Handler::Target => entities::target(state, method, part(0), part(1)),
            Handler::TargetHealth => health::set(state, part(0), part(1)),
            Handler::List(of) => entities::list(state, method, of, query),
            Handler::Entity(of) => entities::entity(state, method, of, part(0)),
            Handler::Foreign(of, field, other) => {
                entities::foreign(state, method, (of, field, other), part(0))
            }
            Handler::Children(parent, of, field) => {
                entities::children(state, method, (parent, of, field), part(0), query)
            }
            Handler::Child(parent, of, field) => {
                entities::child(state, method, (parent, of, field), part(0), part(1))
            }
            Handler::Plugin(route) => {
                let reply = (route.handle)(&plugin::AdminRequest {
                    method,
                    parameters: parts,
                    query: &|name| query.get(name).map(str::to_owned),
                    body: &body.object()?,
                    state: &state,
                    stores: &self.gateway.stores,
                });
                Ok(match reply.body {
                    Value::Null => Reply::empty(reply.status),
                    body => Reply::json(reply.status, &body),
                })
            }
        }
    }
}

impl Client {
    /// Closes the connection that has been idle for longest, which releases its memory; returns whether there was one.
    async fn evict_slowest(&self) -> bool {
        let evicted = self.connections.evict(Limits::MIN_EVICTION_IDLE);
        if evicted {
            // The aborted task needs the runtime to be dropped.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        evicted
    }
}

/// A parsed request.
struct AdminRequest {
    method: Method,
    /// The path parameters, in order.
    parts: Vec<String>,
    query: Fields,
    body: Body,
}

/// Responds to `OPTIONS`, among them CORS preflight requests.
fn preflight(endpoint: &Endpoint, headers: &HeaderMap) -> Reply {
    let allow = endpoint.allow();
    let requested = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    Reply::empty(StatusCode::NO_CONTENT)
        .with(header::ALLOW, allow.clone())
        .with(header::ACCESS_CONTROL_ALLOW_METHODS, allow)
        .with(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            requested.unwrap_or(HeaderValue::from_static("Content-Type")),
        )
}
