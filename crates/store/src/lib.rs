//! State that outlives a request or a configuration: the clock, rate-limiting counters, key-value stores, queues, leases,
//! resources shared by successive configurations, and the identity of the node.
//!
//! Plugins receive all of it when they are built ([`Stores`]). It opens no sockets: what a queue contains is sent by its
//! plugin, and a remote store implements [`CounterStore`] or [`KeyValueStore`].

mod catch_panic;
mod clock;
mod counters;
mod key_value;
mod lease;
mod memory;
mod memory_key_value;
mod node;
mod queue;
mod request_seq;
mod shared_resources;
mod single_flight;
mod store_future;
mod window;

pub use catch_panic::catch_panic;
pub use clock::Clock;
pub use counters::{Acquired, CounterStore, CounterSubject, Counters, Limits, Scope};
pub use key_value::{FetchError, Fetched, KeyValue, KeyValueStore};
pub use lease::{Lease, Leases};
pub use memory_key_value::{KeyValueLimits, MemoryKeyValue};
pub use node::Node;
pub use queue::{ConcurrencyLimit, Queue, QueueOptions, QueueStats, Queues};
pub use request_seq::{RequestSeq, next_request_seq};
pub use shared_resources::SharedResources;
pub use single_flight::SingleFlight;
pub use store_future::{StoreError, StoreFuture};
use telemetry::Registry;
pub use window::{CalendarWindows, Period};

/// State that plugins can use. One set per process, so that it survives reloads; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Stores {
    /// Clock.
    pub clock: Clock,
    /// Rate-limiting counters.
    pub counters: Counters,
    /// Resources shared by successive configurations.
    pub shared: SharedResources,
    /// Leases for work that one worker does for all.
    pub leases: Leases,
    /// Queues of what is sent to other servers in batches.
    pub queues: Queues,
    /// Identity of this node.
    pub node: Node,
    /// Metrics of the process; a plugin registers its own when it is built.
    pub metrics: Registry,
}
