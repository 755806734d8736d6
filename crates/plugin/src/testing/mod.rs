//! Test harness that runs the hooks of one plugin without sockets and with a manual clock.

pub mod facts;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use uuid::Uuid;

use crate::{
    BodyFlow, BuildContext, BuildError, Chunk, Client, Ctx, DynPlugin, Exchange, Gate, Handshake, HookFuture,
    HookResult, LocalReply, Phase, Plugin, PluginType, Request, RequestId, ResponseSource, ShortCircuit,
    StreamCtx, StreamResult, StreamSession, native,
};
use model::{Ix, PluginConfig, PluginEntity as Row, Protocol, Set, State};
use net::{Body, BodyError};
use store::{Clock, Stores};

/// A built plugin with the configuration and the stores that its hooks use.
pub struct PluginHarness {
    /// Configuration passed to each hook.
    pub state: State,
    /// Stores of the plugin. The clock is manual.
    pub stores: Stores,
    plugin: Arc<dyn DynPlugin>,
    facts: Option<Vec<Gate>>,
}

impl PluginHarness {
    /// Builds a plugin from JSON configuration.
    ///
    /// # Errors
    /// If the plugin rejects the configuration.
    ///
    /// # Panics
    /// If the configuration does not deserialise to the plugin's type.
    pub fn new<P: Plugin>(config: serde_json::Value, state: State) -> Result<Self, BuildError> {
        let config: P::Config = serde_json::from_value(config).expect("configuration of the plugin's type");
        Self::with_type(&*native::<P>(), Arc::new(config), state)
    }

    /// Builds a plugin of any type from its parsed configuration.
    ///
    /// # Errors
    /// If the plugin rejects the configuration.
    pub fn with_type(
        plugin_type: &dyn PluginType,
        config: Arc<dyn PluginConfig>,
        state: State,
    ) -> Result<Self, BuildError> {
        let stores = Stores { clock: Clock::manual(Duration::from_secs(1_700_000_000)), ..Stores::default() };
        let descriptor = plugin_type.descriptor();
        let row = Row {
            id: Uuid::from_u128(1),
            name: descriptor.name.to_string(),
            instance_name: None,
            service: None,
            route: None,
            consumer: None,
            config: Arc::clone(&config),
            protocols: Set(descriptor.protocols.as_ref().into()),
            enabled: true,
            tags: None,
            created_at: 0,
            updated_at: 0,
            origin: None,
        };
        let plugin = plugin_type.build(&*config, &mut BuildContext::new(&row, &state, &stores))?;
        Ok(PluginHarness { state, stores, plugin, facts: plugin_type.facts(&*config) })
    }

    /// Returns the facts of the configuration; `None` if the plugin is opaque.
    pub fn facts(&self) -> Option<Vec<Gate>> {
        self.facts.clone()
    }

    /// Runs the certificate hook for a server name.
    pub fn certificate(&self, server_name: Option<&str>) -> Option<Arc<rustls::sign::CertifiedKey>> {
        self.plugin.certificate(&Handshake { server_name })
    }

    /// Runs the access hook to completion.
    ///
    /// # Errors
    /// If the plugin short-circuits the request.
    pub fn access(&self, exchange: &mut Exchange) -> HookResult {
        block_on(self.plugin.access(Ctx { exchange, state: &self.state }))
    }

    /// Runs the access hook and returns the reply that it generates.
    ///
    /// # Panics
    /// If the hook lets the request pass, or fails.
    pub fn reply(&self, exchange: &mut Exchange) -> LocalReply {
        match self.access(exchange) {
            Err(ShortCircuit::Respond(reply)) => *reply,
            other => panic!("expected a reply, got {other:?}"),
        }
    }

    /// Runs the header filter on an upstream response.
    pub fn header_filter(&self, exchange: &mut Exchange, status: StatusCode, headers: HeaderMap) {
        exchange.response.status = status;
        exchange.response.source = ResponseSource::Upstream;
        for (name, value) in &headers {
            exchange.response.headers.append(name, value.clone());
        }
        if self.plugin.phases().contains(Phase::HeaderFilter) {
            self.plugin.header_filter(Ctx { exchange, state: &self.state });
        }
    }

    /// Runs the body filter on the chunks of a body, then on the empty last chunk, and returns the filtered body.
    pub fn body_filter(&self, exchange: &mut Exchange, chunks: &[&str]) -> String {
        let mut out = Vec::new();
        for text in chunks.iter().map(Some).chain([None]) {
            let data = text.map_or_else(Bytes::new, |text| Bytes::copy_from_slice(text.as_bytes()));
            let mut chunk = Chunk { data, last: text.is_none(), trailers: None };
            let flow = self.plugin.body_filter(Ctx { exchange, state: &self.state }, &mut chunk);
            out.extend_from_slice(&chunk.data);
            if matches!(flow, BodyFlow::End | BodyFlow::Abort(_)) {
                break;
            }
        }
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Passes chunks of a request body through the plugin's filter and returns what the upstream receives, and the error
    /// that ended the body, if any.
    pub fn request_body(&self, exchange: &mut Exchange, chunks: &[&str]) -> (String, Option<BodyError>) {
        let filter = self.plugin.request_body(Ctx { exchange, state: &self.state });
        let Some(mut filter) = filter else { return (chunks.concat(), None) };
        let mut out = Vec::new();
        for (at, text) in chunks.iter().enumerate() {
            let data = Bytes::copy_from_slice(text.as_bytes());
            let mut chunk = Chunk { data, last: at + 1 == chunks.len(), trailers: None };
            let flow = filter.filter(&mut chunk);
            if let BodyFlow::Abort(error) = flow {
                return (String::from_utf8_lossy(&out).into_owned(), Some(error));
            }
            out.extend_from_slice(&chunk.data);
            if matches!(flow, BodyFlow::End) {
                break;
            }
        }
        (String::from_utf8_lossy(&out).into_owned(), None)
    }

    /// Runs the response hook on a whole response of the upstream.
    ///
    /// # Errors
    /// If the plugin responds instead.
    pub fn response(&self, exchange: &mut Exchange, status: StatusCode, body: &str) -> HookResult {
        exchange.response.status = status;
        exchange.response.source = ResponseSource::Upstream;
        exchange.response.body = Bytes::copy_from_slice(body.as_bytes());
        block_on(self.plugin.response(Ctx { exchange, state: &self.state }))
    }

    /// Runs the preread hook of a stream.
    ///
    /// # Errors
    /// If the plugin closes the stream.
    pub fn preread(&self, session: &mut StreamSession) -> StreamResult {
        block_on(self.plugin.preread(StreamCtx { session, state: &self.state }))
    }

    /// Runs the log hook of a stream.
    pub fn stream_log(&self, session: &mut StreamSession) {
        self.plugin.stream_log(StreamCtx { session, state: &self.state });
    }
}

/// Runs a hook to completion.
fn block_on<T>(hook: HookFuture<'_, T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime for the test")
        .block_on(hook.finish())
}

/// Creates the client of a test: 127.0.0.1.
pub fn client() -> Client {
    Client {
        peer: SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000)),
        ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        local: SocketAddr::from((Ipv4Addr::LOCALHOST, 8000)),
        is_tls: false,
        sni: None,
        is_trusted: false,
        connection_number: 7,
        request_number: 1,
    }
}

/// Creates the session of a TCP stream from 127.0.0.1, of the first route and without a service.
pub fn stream_session() -> StreamSession {
    StreamSession::new(client(), RequestId(0xabc), Protocol::Tcp, Ix::new(0), None)
}

/// Creates the exchange of a request from 127.0.0.1.
///
/// # Panics
/// If method, target or headers are malformed.
pub fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Exchange {
    let mut builder = http::Request::builder().method(method).uri(target);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    let (parts, ()) = builder.body(()).expect("a well-formed request").into_parts();
    Exchange::new(client(), Request::from_parts(parts, Body::from_bytes(body.to_owned())), RequestId(0xabc))
}
