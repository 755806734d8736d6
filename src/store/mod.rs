//! What lives longer than one request: the clock, counters, and what one configuration hands to the next.

mod clock;

pub use clock::Clock;

/// The stores a plugin may ask for when it is built. One for the whole process; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Stores {
    /// The one clock.
    pub clock: Clock,
}
