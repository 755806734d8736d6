//! State that outlives a request or a configuration: the clock, rate-limiting counters, resources shared by successive
//! configurations, and the identity of the node.
//!
//! Plugins receive all of it when they are built ([`Stores`]). It does no I/O except reading the host name.

mod clock;
mod counters;
mod memory;
mod node;
mod request_seq;
mod shared_resources;
mod window;

pub use clock::Clock;
pub use counters::{Acquired, CounterSubject, Counters, Limits, Scope};
pub use node::Node;
pub use request_seq::{RequestSeq, next_request_seq};
pub use shared_resources::SharedResources;
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
    /// Identity of this node.
    pub node: Node,
    /// Metrics of the process; a plugin registers its own when it is built.
    pub metrics: Registry,
}
