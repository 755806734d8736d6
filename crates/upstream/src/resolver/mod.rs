//! Name resolution: one [`Resolver`] for the process, and a [`WorkerResolver`] for each worker.
//!
//! The process has one cache. A worker keeps the answers that it has used, so that a request for a name with a fresh answer
//! reads thread-local memory only. Lookups run on a thread of their own, which starts with the first one. Requests of all
//! workers that need the same name wait for the same lookup. A name is looked up in the hosts file, then by DNS.
//!
//! States of a name in the cache:
//!
//! ```text
//!            success                     TTL ends
//!  absent -----------> fresh (answered) ----------> stale (answered, refresh in the background)
//!    |                   ^  ^                          |       |          |
//!    |                   |  +--- refresh succeeds -----+       |          | refresh fails: fresh for `error_ttl`, with
//!    |                   |                                     |          |   the old addresses and the old limit
//!    |                   | success                             |          |
//!    |  no such name,    |            the name has gone, or `stale_ttl` ends
//!    +-- or failure --> negative (refused) <-------------------+
//!                        |
//!                        +--- `not_found_ttl` or `error_ttl` ends: the next request waits for a lookup
//! ```

mod answer;
mod client;
mod entry;
mod hosts;
mod lookup;
mod options;
mod process;
mod resolv_conf;
mod thread;
mod worker;

#[cfg(test)]
mod tests;

pub use options::{DnsOptions, OrderItem, QueryType};
pub use process::Resolver;
pub use worker::{HostOverrides, WorkerResolver};
