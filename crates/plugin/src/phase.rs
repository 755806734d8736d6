//! Phases: the points of a request's life at which plugin hooks run.
//!
//! ```text
//!  TLS handshake: certificate                      global plugins only
//!       │
//!  head received
//!       │
//!    rewrite ───────── short circuit ────────┐      global plugins only, before routing
//!       │                                    │
//!     access ───────── short circuit ────────┤      route and consumer are known
//!       │                                    │
//!  request_body                              │      per chunk, while it is sent
//!       │                                    │
//!  upstream request ── upstream error ───────┤
//!       │                                    │
//!    response ─────── short circuit ─────────┤      whole body under a limit; only if a plugin needs it
//!       │                                    │
//!  header_filter  <──── local response <─────┘      response head is complete
//!       │
//!  body_filter                                      once per chunk, the last one marked
//!       │
//!      log                                          response sent, or the client gone
//! ```
//!
//! From `header_filter` on, phases also run for responses that the gateway generates itself.
//!
//! Streams (TCP, TLS, UDP) have two phases of their own: `preread` before the upstream is contacted, and `stream_log`.

use std::{future::Future, pin::Pin, sync::Arc};

use rustls::sign::CertifiedKey;

use super::{
    BodyFlow, Chunk, Exchange, LocalReply, Plugin, ReplyStream, RequestBodyFilter, StreamCtx, StreamResult,
};
use model::State;
use net::BodyError;

/// Arguments of a hook: the state of the request and the configuration.
pub struct Ctx<'a> {
    /// State of the request.
    pub exchange: &'a mut Exchange,
    /// The configuration.
    pub state: &'a State,
}

/// Reason why a hook ends request processing before the upstream is contacted. Header filters, body filters and log
/// hooks still run.
#[derive(Debug)]
pub enum ShortCircuit {
    /// A response that the plugin generates.
    Respond(Box<LocalReply>),
    /// A failure. The client receives a generic 500; the reason is only logged.
    Fail(String),
    /// A response that the plugin generates, with a body that is produced while it is sent. The body of the reply is
    /// ignored.
    Stream(Box<LocalReply>, ReplyStream),
    /// The request body could not be read. The status follows from the error, such as 413 or 408.
    BodyError(BodyError),
}

impl From<BodyError> for ShortCircuit {
    fn from(error: BodyError) -> Self {
        ShortCircuit::BodyError(error)
    }
}

impl From<LocalReply> for ShortCircuit {
    fn from(reply: LocalReply) -> Self {
        ShortCircuit::Respond(Box::new(reply))
    }
}

/// Result of a rewrite or access hook.
pub type HookResult = Result<(), ShortCircuit>;

/// Result of an asynchronous hook: available immediately, or a future. A box is only allocated for a hook that
/// actually awaits.
pub enum HookFuture<'a, T = HookResult> {
    /// The hook has completed.
    Ready(T),
    /// The hook awaits I/O, such as the request body.
    Boxed(Pin<Box<dyn Future<Output = T> + 'a>>),
}

impl<'a, T> HookFuture<'a, T> {
    /// Boxes a future.
    pub fn boxed(future: impl Future<Output = T> + 'a) -> Self {
        HookFuture::Boxed(Box::pin(future))
    }

    /// Awaits the hook's result.
    pub async fn finish(self) -> T {
        match self {
            HookFuture::Ready(result) => result,
            HookFuture::Boxed(future) => future.await,
        }
    }
}

/// A rewrite or access hook.
pub enum Hook<P: 'static> {
    /// The plugin has no hook in this phase.
    None,
    /// A hook that never awaits.
    Sync(fn(&P, Ctx<'_>) -> HookResult),
    /// A hook that may await.
    Async(for<'a> fn(&'a P, Ctx<'a>) -> HookFuture<'a>),
}

/// A TLS handshake of a client, before a certificate is selected.
#[derive(Clone, Copy, Debug)]
pub struct Handshake<'a> {
    /// Server name (SNI), in lower case.
    pub server_name: Option<&'a str>,
}

/// Hooks of a plugin by phase. A plugin without a hook in a phase costs nothing there.
pub struct Phases<P: 'static> {
    /// Runs in the TLS handshake of a client, for global plugins only. Returns the certificate, or leaves the choice to
    /// the configuration.
    pub certificate: Option<fn(&P, &Handshake<'_>) -> Option<Arc<CertifiedKey>>>,
    /// Runs before routing, for global plugins only.
    pub rewrite: Hook<P>,
    /// Runs after routing, before the request is sent to the upstream.
    pub access: Hook<P>,
    /// Runs when the request is about to be sent, unless it has no body. Returns a filter of the body, which is called
    /// for each chunk; `None` leaves the body as it is.
    pub request_body: Option<fn(&P, Ctx<'_>) -> Option<Box<dyn RequestBodyFilter>>>,
    /// Runs when the whole response of the upstream has been read, with its body in `response.body`. It may change status,
    /// headers and body, or respond instead.
    pub response: Hook<P>,
    /// Runs when the response head is available, before its body.
    pub header_filter: Option<fn(&P, Ctx<'_>)>,
    /// Runs for each chunk of the response body; the last one is marked.
    pub body_filter: Option<fn(&P, Ctx<'_>, &mut Chunk) -> BodyFlow>,
    /// Runs when the response has been sent or aborted.
    pub log: Option<fn(&P, Ctx<'_>)>,
    /// Runs for a stream before its upstream is contacted; may close it.
    pub preread: Option<for<'a> fn(&'a P, StreamCtx<'a>) -> HookFuture<'a, StreamResult>>,
    /// Runs when a stream has ended.
    pub stream_log: Option<fn(&P, StreamCtx<'_>)>,
}

impl<P> Phases<P> {
    /// No hooks.
    pub const NONE: Self = Phases {
        certificate: None,
        rewrite: Hook::None,
        access: Hook::None,
        request_body: None,
        response: Hook::None,
        header_filter: None,
        body_filter: None,
        log: None,
        preread: None,
        stream_log: None,
    };

    /// Returns the phases that have a hook.
    pub const fn set(&self) -> PhaseSet {
        PhaseSet::EMPTY
            .with(Phase::Certificate, self.certificate.is_some())
            .with(Phase::Rewrite, !matches!(self.rewrite, Hook::None))
            .with(Phase::Access, !matches!(self.access, Hook::None))
            .with(Phase::RequestBody, self.request_body.is_some())
            .with(Phase::Response, !matches!(self.response, Hook::None))
            .with(Phase::HeaderFilter, self.header_filter.is_some())
            .with(Phase::BodyFilter, self.body_filter.is_some())
            .with(Phase::Log, self.log.is_some())
            .with(Phase::Preread, self.preread.is_some())
            .with(Phase::StreamLog, self.stream_log.is_some())
    }
}

/// A phase: a point of a request's life at which plugin hooks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Phase {
    Certificate,
    Rewrite,
    Access,
    RequestBody,
    Response,
    HeaderFilter,
    BodyFilter,
    Log,
    Preread,
    StreamLog,
}

/// Set of phases in which a plugin, or a chain of plugins, has hooks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PhaseSet(u16);

impl PhaseSet {
    /// No phase.
    pub const EMPTY: Self = PhaseSet(0);

    /// Returns whether the phase is in the set.
    #[inline]
    pub const fn contains(self, phase: Phase) -> bool {
        self.0 & (1 << phase as u16) != 0
    }

    /// Returns the set with the phase if `present`, otherwise the set without it.
    #[must_use]
    pub const fn with(self, phase: Phase, present: bool) -> Self {
        let bit = 1 << phase as u16;
        PhaseSet(if present { self.0 | bit } else { self.0 & !bit })
    }

    /// Returns the phases that are in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        PhaseSet(self.0 | other.0)
    }
}

/// A built plugin behind a trait object, so that one chain can hold plugins of different types. Only the hooks of the
/// phases in [`DynPlugin::phases`] are called.
pub trait DynPlugin: Send + Sync {
    /// Phases in which the instance has hooks.
    fn phases(&self) -> PhaseSet;
    /// Selects a certificate for a client.
    fn certificate(&self, _handshake: &Handshake<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
    /// Runs the rewrite hook.
    fn rewrite<'a>(&'a self, _ctx: Ctx<'a>) -> HookFuture<'a> {
        HookFuture::Ready(Ok(()))
    }
    /// Runs the access hook.
    fn access<'a>(&'a self, _ctx: Ctx<'a>) -> HookFuture<'a> {
        HookFuture::Ready(Ok(()))
    }
    /// Creates the filter of a request's body.
    fn request_body(&self, _ctx: Ctx<'_>) -> Option<Box<dyn RequestBodyFilter>> {
        None
    }
    /// Bytes of the longest response body that the response hook reads.
    fn max_response_body_bytes(&self) -> usize {
        0
    }
    /// Runs the response hook.
    fn response<'a>(&'a self, _ctx: Ctx<'a>) -> HookFuture<'a> {
        HookFuture::Ready(Ok(()))
    }
    /// Runs the header filter.
    fn header_filter(&self, _ctx: Ctx<'_>) {}
    /// Runs the body filter.
    fn body_filter(&self, _ctx: Ctx<'_>, _chunk: &mut Chunk) -> BodyFlow {
        BodyFlow::Continue
    }
    /// Runs the preread hook of a stream.
    fn preread<'a>(&'a self, _ctx: StreamCtx<'a>) -> HookFuture<'a, StreamResult> {
        HookFuture::Ready(Ok(()))
    }
    /// Runs the log hook of a stream.
    fn stream_log(&self, _ctx: StreamCtx<'_>) {}
    /// Runs the log hook.
    fn log(&self, _ctx: Ctx<'_>) {}
}

impl<P: Plugin> DynPlugin for P {
    fn phases(&self) -> PhaseSet {
        Plugin::phases(self)
    }

    fn certificate(&self, handshake: &Handshake<'_>) -> Option<Arc<CertifiedKey>> {
        P::PHASES.certificate.and_then(|hook| hook(self, handshake))
    }

    fn rewrite<'a>(&'a self, ctx: Ctx<'a>) -> HookFuture<'a> {
        run(&P::PHASES.rewrite, self, ctx)
    }

    fn access<'a>(&'a self, ctx: Ctx<'a>) -> HookFuture<'a> {
        run(&P::PHASES.access, self, ctx)
    }

    fn header_filter(&self, ctx: Ctx<'_>) {
        if let Some(hook) = P::PHASES.header_filter {
            hook(self, ctx);
        }
    }

    fn body_filter(&self, ctx: Ctx<'_>, chunk: &mut Chunk) -> BodyFlow {
        P::PHASES.body_filter.map_or(BodyFlow::Continue, |hook| hook(self, ctx, chunk))
    }

    fn request_body(&self, ctx: Ctx<'_>) -> Option<Box<dyn RequestBodyFilter>> {
        P::PHASES.request_body.and_then(|hook| hook(self, ctx))
    }

    fn max_response_body_bytes(&self) -> usize {
        P::MAX_RESPONSE_BODY_BYTES
    }

    fn response<'a>(&'a self, ctx: Ctx<'a>) -> HookFuture<'a> {
        run(&P::PHASES.response, self, ctx)
    }

    fn preread<'a>(&'a self, ctx: StreamCtx<'a>) -> HookFuture<'a, StreamResult> {
        P::PHASES.preread.map_or(HookFuture::Ready(Ok(())), |hook| hook(self, ctx))
    }

    fn stream_log(&self, ctx: StreamCtx<'_>) {
        if let Some(hook) = P::PHASES.stream_log {
            hook(self, ctx);
        }
    }

    fn log(&self, ctx: Ctx<'_>) {
        if let Some(hook) = P::PHASES.log {
            hook(self, ctx);
        }
    }
}

fn run<'a, P>(hook: &Hook<P>, plugin: &'a P, ctx: Ctx<'a>) -> HookFuture<'a> {
    match hook {
        Hook::None => HookFuture::Ready(Ok(())),
        Hook::Sync(method) => HookFuture::Ready(method(plugin, ctx)),
        Hook::Async(method) => method(plugin, ctx),
    }
}
