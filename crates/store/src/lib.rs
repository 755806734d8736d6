//! What lives longer than one request: the clock, counters, what one configuration hands to the next, and
//! who this node is. Plugins get all of it when they are built ([`Stores`]); none of them opens anything.

mod carry;
mod clock;
mod counters;
mod memory;
mod node;
mod window;
mod worker;

pub use carry::Carry;
pub use clock::Clock;
pub use counters::{Counters, Limits, Scope, Subject, Taken};
pub use node::Node;
pub use window::{Period, Windows};
pub use worker::{Ticket, ticket};

/// The stores a plugin may ask for when it is built. One set for the whole process, so that counts and
/// connections survive a reload; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Stores {
    /// The one clock.
    pub clock: Clock,
    /// Counters in this process's memory.
    pub counters: Counters,
    /// What a new configuration takes over from the one before.
    pub carry: Carry,
    /// Who this node is.
    pub node: Node,
}
