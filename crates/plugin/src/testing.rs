//! Drives one plugin through its phases: no sockets, the clock in hand.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use uuid::Uuid;

use super::{
    Build, BuildError, Call, Chunk, Client, Exchange, Instance, Outcome, Plugin, Reply, Request, RequestId,
    ResponseSource, Stop,
};
use model::{Plugin as Row, Set, State};
use net::Body;
use store::{Clock, Stores};

/// A plugin on its own: its configuration's data, its stores, and the built instance.
pub struct Bench {
    /// The data it sees; change before requests are made.
    pub state: State,
    /// Its stores; the clock stands until it is moved.
    pub stores: Stores,
    plugin: Arc<dyn Instance>,
}

impl Bench {
    /// Builds a plugin from settings written as JSON, over that data.
    ///
    /// # Errors
    /// When the plugin refuses them.
    ///
    /// # Panics
    /// When they do not fit the plugin's type.
    pub fn new<P: Plugin>(config: serde_json::Value, state: State) -> Result<Self, BuildError> {
        let stores = Stores { clock: Clock::manual(Duration::from_secs(1_700_000_000)), ..Stores::default() };
        let config: P::Config = serde_json::from_value(config).expect("settings fit the plugin's type");
        let row = Row {
            id: Uuid::from_u128(1),
            name: P::NAME.to_owned(),
            instance_name: None,
            service: None,
            route: None,
            consumer: None,
            config: Arc::new(config.clone()),
            protocols: Set(P::PROTOCOLS.into()),
            enabled: true,
            tags: None,
            created_at: 0,
            updated_at: 0,
            origin: None,
        };
        let plugin = Arc::new(P::build(config, &mut Build::new(&row, &state, &stores))?);
        Ok(Bench { state, stores, plugin })
    }

    /// Runs the access hook to its end.
    ///
    /// # Errors
    /// When the plugin stopped the request.
    pub fn access(&self, exchange: &mut Exchange) -> Outcome {
        let step = self.plugin.access(Call { exchange, state: &self.state });
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime for the test")
            .block_on(step.finish())
    }

    /// Runs the access hook, which must answer.
    ///
    /// # Panics
    /// When it lets the request pass, or fails.
    pub fn reply(&self, exchange: &mut Exchange) -> Reply {
        match self.access(exchange) {
            Err(Stop::Reply(reply)) => *reply,
            other => panic!("expected an answer, got {other:?}"),
        }
    }

    /// Runs the header filter on an answer of the upstream.
    pub fn header_filter(&self, exchange: &mut Exchange, status: StatusCode, headers: HeaderMap) {
        exchange.response.status = status;
        exchange.response.source = ResponseSource::Upstream;
        for (name, value) in &headers {
            exchange.response.headers.append(name, value.clone());
        }
        self.plugin.header_filter(Call { exchange, state: &self.state });
    }

    /// Runs the body filter on pieces of a body and returns what comes out.
    pub fn body_filter(&self, exchange: &mut Exchange, pieces: &[&str]) -> String {
        let mut out = Vec::new();
        for piece in pieces.iter().map(Some).chain([None]) {
            let data = piece.map_or_else(Bytes::new, |p| Bytes::copy_from_slice(p.as_bytes()));
            let mut chunk = Chunk { data, last: piece.is_none() };
            self.plugin.body_filter(Call { exchange, state: &self.state }, &mut chunk);
            out.extend_from_slice(&chunk.data);
        }
        String::from_utf8_lossy(&out).into_owned()
    }
}

/// A request as it comes from 127.0.0.1.
///
/// # Panics
/// When method, target or headers are malformed.
pub fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Exchange {
    let mut builder = http::Request::builder().method(method).uri(target);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    let (parts, ()) = builder.body(()).expect("a well-formed request").into_parts();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000));
    let client = Client {
        peer: address,
        ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        local: SocketAddr::from((Ipv4Addr::LOCALHOST, 8000)),
        tls: false,
        sni: None,
        trusted: false,
        connection: 7,
        request: 1,
    };
    Exchange::new(client, Request::from_parts(parts, Body::whole(body.to_owned())), RequestId(0xabc))
}
