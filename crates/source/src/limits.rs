//! How much a file may ask of us before it is refused.

/// The deepest nesting any reader or writer of this layer follows, whatever [`Limits`] say. It keeps every
/// walk over a document within a thread's stack.
pub(super) const DEEPEST: usize = 512;

/// Bounds of one document. They are far above what a real file needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Levels of lists and maps within each other, aliases followed; 256 by default, 512 at most.
    pub depth: usize,
    /// Nodes that all aliases together may stand for, 400,000 by default. A file that writes out more than a
    /// tenth of that may have ten times what it writes.
    pub alias_nodes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { depth: 256, alias_nodes: 400_000 }
    }
}

impl Limits {
    /// The depth that holds.
    pub(super) fn depth(&self) -> usize {
        self.depth.min(DEEPEST)
    }
}
