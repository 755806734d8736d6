//! What becomes of a request, told without asking an upstream: the request path up to the point where it
//! would be sent.

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
    admit, fault, forward,
    handle::{find, protocol},
    headers::{self, Length},
    run::{Early, Flow},
    worker::{Link, Peer, Worker},
};
use http_codec::{Known, Spelling};
use model::{Consumer, Ix};
use net::Body;
use plugin::{self, Call, Exchange};
use runtime::{Gateway, RouteEntry, Snapshot};

/// A request to rehearse.
#[derive(Debug)]
pub struct Asked {
    /// Its head; it has no body.
    pub head: Request<()>,
    /// How its headers' names are spelled.
    pub spelled: Vec<Spelling>,
    /// Whether the client speaks TLS.
    pub tls: bool,
    /// Server name it asked for.
    pub sni: Option<Arc<str>>,
    /// Its address.
    pub client: IpAddr,
    /// The consumer that authentication would find.
    pub consumer: Option<Ix<Consumer>>,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Fate {
    /// It goes to an upstream, with this head. The target is its path and query.
    Sent {
        /// Target on the wire.
        target: String,
        /// Method on the wire.
        method: http::Method,
        /// Headers on the wire, `Host` among them.
        headers: HeaderMap,
        /// Their names as HTTP/1 spells them there, in order.
        names: Vec<String>,
        /// Whether TLS is spoken.
        tls: bool,
        /// Host and port that a plugin chose in place of the service's.
        address: Option<(String, u16)>,
        /// Who authentication found.
        consumer: Option<Ix<Consumer>>,
    },
    /// The gateway answers it by itself.
    Answered {
        /// The plugin that does; none if it is the gateway itself.
        plugin: Option<String>,
        /// Status.
        status: StatusCode,
        /// Headers.
        headers: HeaderMap,
        /// Body.
        body: Bytes,
    },
}

/// A worker that rehearses requests and serves none.
#[derive(Debug)]
pub struct Rehearsal {
    runtime: tokio::runtime::Runtime,
    worker: Rc<Worker>,
}

impl Rehearsal {
    /// A worker of that gateway.
    ///
    /// # Errors
    /// When the system gives no event loop.
    pub fn new(gateway: &Arc<Gateway>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Rehearsal { runtime, worker: Worker::new(Arc::clone(gateway)) })
    }

    /// Rehearses a request with the gateway's snapshot; its id is all zeros. Access phases of plugins for whose name
    /// `is_skipped` holds are skipped.
    pub fn run(&self, asked: Asked, is_skipped: impl Fn(&str) -> bool) -> Fate {
        LocalSet::new().block_on(&self.runtime, rehearse(&self.worker, asked, is_skipped))
    }
}

async fn rehearse(worker: &Rc<Worker>, asked: Asked, is_skipped: impl Fn(&str) -> bool) -> Fate {
    let local = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), if asked.tls { 443 } else { 80 });
    let from = Peer { socket: SocketAddr::new(asked.client, 40_000), told: None };
    let link = Rc::new(Link::new(Rc::clone(worker), from, local, asked.tls, asked.sni));
    let snap = worker.gateway.snapshot();
    let mut request = plugin::Request::from_parts(asked.head.into_parts().0, Body::Empty);
    asked.spelled.iter().for_each(|name| request.headers.spell(name));
    // The reader of a head drops them.
    let is_look_alike = |name: &&HeaderName| Known::of(name.as_str().as_bytes()) == Some(Known::LookAlike);
    let look_alikes: Vec<HeaderName> = request.headers.keys().filter(is_look_alike).cloned().collect();
    look_alikes.iter().for_each(|name| drop(request.headers.remove(name)));
    let mut exchange = Exchange::new(link.client.clone(), request, plugin::RequestId(0));
    exchange.consumer = asked.consumer;
    let mut flow = Flow { exchange, picks: SmallVec::new() };
    let mut at = None;
    match run(&link, &snap, &mut flow, &mut at, is_skipped).await {
        Ok(fate) => fate,
        Err(early) => answered(&link, &mut flow.exchange, early, at),
    }
}

async fn run(
    link: &Link,
    snap: &Snapshot,
    flow: &mut Flow,
    at: &mut Option<String>,
    is_skipped: impl Fn(&str) -> bool,
) -> Result<Fate, Early> {
    admit::admit(&mut flow.exchange, link)?;
    flow.rewrite(snap).await?;
    let uri = flow.exchange.request.uri.clone();
    let path = router::normalize(uri.path());
    let route = find(link, snap, &mut flow.exchange, &path)?;
    protocol(&flow.exchange, route)?;
    for slot in &route.chain.slots {
        let Some(row) = slot.pick(flow.exchange.consumer) else { continue };
        let name = &snap.state.plugins[row].name;
        if let (true, false, Some(plugin)) = (slot.phases.access, is_skipped(name), snap.plugin(row)) {
            *at = Some(name.clone());
            plugin.access(Call { exchange: &mut flow.exchange, state: &snap.state }).finish().await?;
        }
    }
    *at = None;
    sent(link, snap, route, &mut flow.exchange, &path)
}

fn sent(
    link: &Link,
    snap: &Snapshot,
    route: &RouteEntry,
    exchange: &mut Exchange,
    path: &[u8],
) -> Result<Fate, Early> {
    let service = route.service.map(|service| snap.service(service)).ok_or(fault::Fault::NoService)?;
    let target = forward::target(exchange, route, service, path);
    let id = headers::id_value(exchange.id);
    let out = forward::outgoing(exchange, link, route, path, &id);
    // Which target of an upstream it will be is not known: its host shows where the upstream has none of its own.
    let nowhere = upstream::Pick { address: (Ipv4Addr::UNSPECIFIED, 0).into(), peer: None };
    let host = forward::host(exchange, route, service, &service.destination, &nowhere);
    let (mut headers, mut head) = (HeaderMap::new(), Vec::new());
    headers::for_upstream(exchange, link, host, &out, Length::Known(0), &mut headers);
    headers::for_upstream(exchange, link, host, &out, Length::Known(0), &mut head);
    // Each line of a head begins with the end of the one before.
    let lines = head.split(|&byte| byte == b'\n').skip(1);
    let names = lines.map(|line| {
        String::from_utf8_lossy(line.split(|&byte| byte == b':').next().unwrap_or(line)).into_owned()
    });
    Ok(Fate::Sent {
        target: target.to_string(),
        method: exchange.request.method.clone(),
        headers,
        names: names.collect(),
        tls: exchange.upstream.tls.unwrap_or(service.tls.is_some()),
        address: exchange.upstream.address.take(),
        consumer: exchange.consumer,
    })
}

fn answered(link: &Link, exchange: &mut Exchange, early: Early, plugin: Option<String>) -> Fate {
    let options = &link.worker.options;
    let reply = match early {
        Early::Reply(reply) => *reply,
        Early::Fault(fault) => fault.reply(exchange, options),
    };
    let mut headers = reply.headers;
    let body = fault::render(reply.body, reply.status, exchange, &options.templates, &mut headers);
    Fate::Answered { plugin, status: reply.status, headers, body }
}
