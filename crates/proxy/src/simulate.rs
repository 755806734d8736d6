//! Simulates requests: runs the pipeline up to the point where the upstream would be contacted.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    rc::Rc,
    sync::Arc,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, StatusCode};
use smallvec::SmallVec;
use tokio::task::LocalSet;

use super::{
    error, forward,
    handle::{check_protocol, find_route},
    headers::{self, BodyLength},
    pipeline::{EarlyExit, PipelineState},
    worker::{ConnContext, Peer, Worker},
};
use http_codec::{HeaderSpelling, KnownHeader};
use model::{Consumer, Ix};
use net::Body;
use plugin::{self, Ctx, Exchange, Phase};
use runtime::{Gateway, RouteEntry, Snapshot};

/// A request to simulate.
#[derive(Debug)]
pub struct SimulatedRequest {
    /// Its head; it has no body.
    pub head: Request<()>,
    /// The spelling of its headers' names.
    pub spellings: Vec<HeaderSpelling>,
    /// Whether the client uses TLS.
    pub tls: bool,
    /// Server name (SNI).
    pub sni: Option<Arc<str>>,
    /// The client's address.
    pub client: IpAddr,
    /// The consumer that authentication would find.
    pub consumer: Option<Ix<Consumer>>,
}

/// Outcome of a simulated request.
#[derive(Debug)]
pub enum SimulatedOutcome {
    /// It is forwarded with this head. The target is path and query.
    Forwarded {
        /// Target of the upstream's request.
        target: String,
        /// Its method.
        method: http::Method,
        /// Its headers, `Host` included.
        headers: HeaderMap,
        /// The names as HTTP/1 spells them, in order.
        names: Vec<String>,
        /// Whether TLS is used.
        tls: bool,
        /// Host and port that a plugin set in place of the service's.
        address: Option<(String, u16)>,
        /// The authenticated consumer.
        consumer: Option<Ix<Consumer>>,
    },
    /// The gateway responds by itself.
    Responded {
        /// The plugin that responds; `None` if it is the gateway.
        plugin: Option<String>,
        /// Status.
        status: StatusCode,
        /// Headers.
        headers: HeaderMap,
        /// Body.
        body: Bytes,
    },
}

/// Simulates requests on a worker that serves none.
#[derive(Debug)]
pub struct Simulator {
    runtime: tokio::runtime::Runtime,
    worker: Rc<Worker>,
}

impl Simulator {
    /// Creates a simulator for that gateway.
    ///
    /// # Errors
    /// If the event loop cannot be created.
    pub fn new(gateway: &Arc<Gateway>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Simulator { runtime, worker: Worker::new(Arc::clone(gateway)) })
    }

    /// Simulates a request with the gateway's snapshot; its id is all zeros. Access phases of plugins for
    /// which `is_skipped` holds are skipped.
    pub fn run(&self, input: SimulatedRequest, is_skipped: impl Fn(&str) -> bool) -> SimulatedOutcome {
        LocalSet::new().block_on(&self.runtime, simulate(&self.worker, input, is_skipped))
    }
}

async fn simulate(
    worker: &Rc<Worker>,
    input: SimulatedRequest,
    is_skipped: impl Fn(&str) -> bool,
) -> SimulatedOutcome {
    let local = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), if input.tls { 443 } else { 80 });
    let from = Peer { socket: SocketAddr::new(input.client, 40_000), proxy_source: None };
    let conn_ctx = Rc::new(ConnContext::new(Rc::clone(worker), from, local, input.tls, input.sni));
    let snap = worker.gateway.snapshot();
    let mut request = plugin::Request::from_parts(input.head.into_parts().0, Body::Empty);
    input.spellings.iter().for_each(|name| request.headers.set_spelling(name));
    // HTTP/1's parser drops them.
    let is_look_alike =
        |name: &&HeaderName| KnownHeader::from_name(name.as_str().as_bytes()) == Some(KnownHeader::LookAlike);
    let look_alikes: Vec<HeaderName> = request.headers.keys().filter(is_look_alike).cloned().collect();
    look_alikes.iter().for_each(|name| drop(request.headers.remove(name)));
    let mut exchange = Exchange::new(conn_ctx.client.clone(), request, plugin::RequestId(0));
    exchange.consumer = input.consumer;
    let mut pipeline = PipelineState { exchange, selected: SmallVec::new() };
    let mut current_plugin = None;
    match run_pipeline(&conn_ctx, &snap, &mut pipeline, &mut current_plugin, is_skipped).await {
        Ok(outcome) => outcome,
        Err(early) => responded(&conn_ctx, &mut pipeline.exchange, early, current_plugin),
    }
}

async fn run_pipeline(
    conn_ctx: &ConnContext,
    snap: &Snapshot,
    pipeline: &mut PipelineState,
    current_plugin: &mut Option<String>,
    is_skipped: impl Fn(&str) -> bool,
) -> Result<SimulatedOutcome, EarlyExit> {
    super::validate::validate_request(&mut pipeline.exchange, conn_ctx)?;
    pipeline.rewrite(snap).await?;
    let uri = pipeline.exchange.request.uri.clone();
    let path = router::normalize(uri.path());
    let route = find_route(conn_ctx, snap, &mut pipeline.exchange, &path)?;
    check_protocol(&pipeline.exchange, route)?;
    for slot in &route.chain.slots {
        let Some(row) = slot.select(pipeline.exchange.consumer) else { continue };
        let name = &snap.state.plugins[row].name;
        if let (false, Some(plugin)) = (is_skipped(name), snap.plugin(row, Phase::Access)) {
            *current_plugin = Some(name.clone());
            plugin.access(Ctx { exchange: &mut pipeline.exchange, state: &snap.state }).finish().await?;
        }
    }
    *current_plugin = None;
    forwarded(conn_ctx, snap, route, &mut pipeline.exchange, &path)
}

fn forwarded(
    conn_ctx: &ConnContext,
    snap: &Snapshot,
    route: &RouteEntry,
    exchange: &mut Exchange,
    path: &[u8],
) -> Result<SimulatedOutcome, EarlyExit> {
    let service = exchange
        .upstream_overrides
        .service
        .or(route.service)
        .map(|service| snap.service(service))
        .ok_or(error::ProxyError::NoService)?;
    let target = forward::upstream_target(exchange, route, service, path);
    let id = headers::request_id_value(exchange.id);
    let header_ctx = forward::upstream_header_context(exchange, conn_ctx, route, path, &id);
    // The target is not selected: the Host is shown as if no target had its own.
    let host = forward::upstream_host(exchange, route, service, &service.destination, None);
    let (mut headers, mut head) = (HeaderMap::new(), Vec::new());
    headers::for_upstream(exchange, conn_ctx, host, &header_ctx, BodyLength::Known(0), &mut headers);
    headers::for_upstream(exchange, conn_ctx, host, &header_ctx, BodyLength::Known(0), &mut head);
    // Each line starts with the CRLF of the previous one.
    let lines = head.split(|&byte| byte == b'\n').skip(1);
    let names = lines.map(|line| {
        String::from_utf8_lossy(line.split(|&byte| byte == b':').next().unwrap_or(line)).into_owned()
    });
    Ok(SimulatedOutcome::Forwarded {
        target: target.to_string(),
        method: exchange.request.method.clone(),
        headers,
        names: names.collect(),
        tls: exchange.upstream_overrides.tls.unwrap_or(service.tls.is_some()),
        address: exchange.upstream_overrides.address.take(),
        consumer: exchange.consumer,
    })
}

fn responded(
    conn_ctx: &ConnContext,
    exchange: &mut Exchange,
    early: EarlyExit,
    plugin: Option<String>,
) -> SimulatedOutcome {
    let options = &conn_ctx.worker.options;
    let reply = match early {
        EarlyExit::Reply(reply) | EarlyExit::Stream(reply, _) => *reply,
        EarlyExit::Error(error) => error.to_reply(exchange, options),
    };
    let mut headers = reply.headers;
    let body =
        error::render_reply_body(reply.body, reply.status, exchange, &options.error_templates, &mut headers);
    SimulatedOutcome::Responded { plugin, status: reply.status, headers, body }
}
