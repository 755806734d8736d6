//! Resource limits of the parsers.

/// Hard limit on nesting for all parsers and writers of this crate, whatever [`Limits`] contains. It keeps every
/// recursive traversal within a thread's stack.
pub(super) const MAX_DEPTH: usize = 512;

/// Limits for one document, far above the needs of real files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum nesting of lists and maps, aliases expanded. 256 by default, capped at 512.
    pub depth: usize,
    /// Maximum number of nodes that all aliases together may expand to, 400,000 by default. A file with more than
    /// a tenth of that many written nodes may expand to ten times as many as it contains.
    pub alias_nodes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { depth: 256, alias_nodes: 400_000 }
    }
}

impl Limits {
    /// Returns the effective maximum depth.
    pub(super) fn depth(&self) -> usize {
        self.depth.min(MAX_DEPTH)
    }
}
