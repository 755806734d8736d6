//! Network I/O: message bodies, connections to upstreams and their pools, TLS, and client sockets.
//!
//! `proxy` drives it. It depends neither on the configuration nor on routing: callers pass addresses, timeouts and
//! limits. Connections and pools belong to one worker thread and take no locks.

mod body;
mod budget;
mod defer_accept;
mod deferred_registration;
mod dial;
mod http1;
mod http2;
mod inherited;
mod memory;
mod pool;
mod server_tls;
mod sessions;
mod stream;
mod timer;
pub mod tls;
mod trust_store;

pub use body::{Body, BodyError, IncomingBody, RequestBody, StreamingBody};
pub use budget::{BodyBuffer, BudgetExceeded, ConnectionBudget, MemoryBudget, Reservation, SpareReservation};
pub use defer_accept::{defer_accept, has_pending_handshakes};
pub use deferred_registration::{DeferredListener, ReadinessState, UnregisteredStream};
pub use dial::{DialError, dial};
pub use http1::{ExchangeProgress, Http1, Phase, ReadBuffer, SendError, WriteBuffer};
pub use http2::{Http2, LocalExecutor};
pub use inherited::{Inherited, Role};
pub use memory::{MemoryReturnPolicy, return_free_memory};
pub use pool::{Connection, KeepaliveLimits, Pool, PoolKey, Protocol, Timeouts};
pub use server_tls::{ServerTls, alpn, session_parameters};
pub use stream::Stream;
pub use timer::Deadline;
pub use trust_store::system_authorities;
