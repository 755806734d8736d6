//! What crosses a socket: message bodies, dialing, pools, TLS.

mod body;
mod dial;
mod pool;
mod sender;
mod server_tls;
pub mod tls;

pub use body::{Body, BodyError, Progress, Upload};
pub use dial::{DialError, dial};
pub use pool::{Connection, Keepalive, Pool, PoolKey};
pub use sender::{OnThisThread, Sender};
pub use server_tls::ServerTls;
