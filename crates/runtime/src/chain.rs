//! Plugin chains: the plugins that run for a request, in order.

use ahash::AHashMap;
use smallvec::SmallVec;

use model::{Consumer, Ix, PluginEntity};
use plugin::PhaseSet;

/// The position of a plugin in a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The row that runs without a consumer, or if the consumer has no row of its own.
    pub row: Option<Ix<PluginEntity>>,
    /// The rows by consumer; `None` if no row has a consumer.
    pub by_consumer: Option<Box<AHashMap<Ix<Consumer>, Ix<PluginEntity>>>>,
    /// Phases in which any of the rows runs.
    pub phases: PhaseSet,
}

impl Slot {
    /// Selects the row that runs for that consumer.
    pub fn select(&self, consumer: Option<Ix<Consumer>>) -> Option<Ix<PluginEntity>> {
        match (&self.by_consumer, consumer) {
            (Some(rows), Some(consumer)) => rows.get(&consumer).copied().or(self.row),
            _ => self.row,
        }
    }
}

/// The plugins of a route (or of no route), in descending order of priority.
#[derive(Debug, Default)]
pub struct Chain {
    /// The slots in order.
    pub slots: Box<[Slot]>,
    /// Phases in which any of them runs.
    pub phases: PhaseSet,
}

impl Chain {
    /// Creates a chain of these slots.
    pub fn new(slots: Vec<Slot>) -> Self {
        let phases = slots.iter().fold(PhaseSet::EMPTY, |all, slot| all.union(slot.phases));
        Chain { slots: slots.into(), phases }
    }
}

/// The rows selected for a request, one per slot, for the phases after access.
pub type SelectedPlugins = SmallVec<[Option<Ix<PluginEntity>>; 8]>;
