//! The targets that were tried for a request.

use smallvec::SmallVec;

/// Targets that were tried for a request, by their index in the balancer. A try that follows selects another target while
/// there is one.
#[derive(Debug, Default)]
pub struct Tried(SmallVec<[u16; 6]>);

impl Tried {
    /// Returns whether a target was tried.
    pub(crate) fn contains(&self, index: u16) -> bool {
        self.0.contains(&index)
    }

    /// Adds a target.
    pub(crate) fn insert(&mut self, index: u16) {
        if !self.contains(index) {
            self.0.push(index);
        }
    }

    /// Forgets all targets: each may be selected again.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns whether no target was tried.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
