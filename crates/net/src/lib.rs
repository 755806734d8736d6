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

pub use body::{Body, BodyError, IncomingBody, RequestBody, Upload};
pub use budget::{BodyBuffer, BudgetExceeded, ConnectionBudget, MemoryBudget, Reservation, SpareReservation};
pub use defer_accept::{defer_accept, is_held_back};
pub use deferred_registration::{LazyListener, LazyStream, Watch};
pub use dial::{DialError, dial};
pub use http1::{Http1, Inbox, Outbox, Phase, Progress, SendError};
pub use http2::{Http2, LocalExecutor};
pub use inherited::{Inherited, Role};
pub use memory::{GiveBack, give_back};
pub use pool::{Connection, Keepalive, Pool, PoolKey, Timeouts, Wire};
pub use server_tls::{ServerTls, alpn, session_parameters};
pub use stream::Stream;
pub use timer::Timer;
