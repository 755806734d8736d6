//! What crosses a socket: message bodies, dialing, HTTP towards upstreams, pools, TLS;
//! and listening sockets that are received.

mod body;
mod budget;
mod deferred;
mod dial;
mod http1;
mod http2;
mod inherited;
mod lazy;
mod memory;
mod pool;
mod server_tls;
mod sessions;
mod stream;
mod timer;
pub mod tls;

pub use body::{Body, BodyError, Delivered, RequestBody, Upload};
pub use budget::{BodyBuffer, BudgetExceeded, ConnectionBudget, MemoryBudget, Reservation, SpareReservation};
pub use deferred::{defer_accept, is_held_back};
pub use dial::{DialError, dial};
pub use http1::{Http1, Inbox, Outbox, Phase, Progress, SendError};
pub use http2::{Http2, OnThisThread};
pub use inherited::{Inherited, Role};
pub use lazy::{LazyListener, LazyStream, Watch};
pub use memory::{GiveBack, give_back};
pub use pool::{Connection, Keepalive, Pool, PoolKey, Timeouts, Wire};
pub use server_tls::{ServerTls, alpn};
pub use stream::Stream;
pub use timer::Timer;
