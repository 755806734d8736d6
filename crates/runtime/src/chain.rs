//! Which plugins run for a request, in order.

use ahash::AHashMap;
use smallvec::SmallVec;

use model::{Consumer, Ix, Plugin};
use plugin::PhaseSet;

/// One plugin's place in a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The row that runs when no consumer is known or none of theirs applies.
    pub row: Option<Ix<Plugin>>,
    /// The row that runs for a consumer; only where rows with a consumer exist.
    pub by_consumer: Option<Box<AHashMap<Ix<Consumer>, Ix<Plugin>>>>,
    /// Phases the plugin takes part in.
    pub phases: PhaseSet,
}

impl Slot {
    /// The row that runs for that consumer.
    pub fn pick(&self, consumer: Option<Ix<Consumer>>) -> Option<Ix<Plugin>> {
        match (&self.by_consumer, consumer) {
            (Some(rows), Some(consumer)) => rows.get(&consumer).copied().or(self.row),
            _ => self.row,
        }
    }
}

/// The plugins of a route (or of no route), the highest priority first.
#[derive(Debug, Default)]
pub struct Chain {
    /// The slots in order.
    pub slots: Box<[Slot]>,
    /// Phases in which any of them takes part.
    pub phases: PhaseSet,
}

impl Chain {
    /// A chain of these slots.
    pub fn new(slots: Vec<Slot>) -> Self {
        let phases = slots.iter().fold(PhaseSet::default(), |all, slot| PhaseSet {
            rewrite: all.rewrite || slot.phases.rewrite,
            access: all.access || slot.phases.access,
            header_filter: all.header_filter || slot.phases.header_filter,
            body_filter: all.body_filter || slot.phases.body_filter,
            log: all.log || slot.phases.log,
        });
        Chain { slots: slots.into(), phases }
    }
}

/// The rows chosen for one request, a slot each, kept for the phases after access.
pub type Picks = SmallVec<[Option<Ix<Plugin>>; 8]>;
