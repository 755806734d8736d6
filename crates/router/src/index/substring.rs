//! Substring search for many literals in one pass, for regular expressions without a selective prefix.

use aho_corasick::{AhoCorasick, MatchKind};

use super::NodeRef;

/// Literals, each with the node that it leads to.
#[derive(Debug)]
pub(super) struct SubstringIndex {
    /// `None` if there are too many literals for one automaton; all of them count as found then.
    automaton: Option<AhoCorasick>,
    values: Box<[NodeRef]>,
}

impl SubstringIndex {
    /// Builds the automaton. `None` if there are no literals.
    pub fn new(literals: Vec<(&[u8], NodeRef)>) -> Option<Box<SubstringIndex>> {
        if literals.is_empty() {
            return None;
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(aho_corasick::AhoCorasickKind::ContiguousNFA))
            .build(literals.iter().map(|(text, _)| text))
            .ok();
        Some(Box::new(SubstringIndex {
            automaton,
            values: literals.into_iter().map(|(_, value)| value).collect(),
        }))
    }

    /// Calls `found` for every literal in the text.
    pub fn walk(&self, text: &[u8], mut found: impl FnMut(NodeRef)) {
        match &self.automaton {
            Some(automaton) => automaton
                .find_overlapping_iter(text)
                .for_each(|hit| found(self.values[hit.pattern().as_usize()])),
            None => self.values.iter().copied().for_each(found),
        }
    }

    /// Heap size in bytes.
    pub fn memory(&self) -> usize {
        self.automaton.as_ref().map_or(0, AhoCorasick::memory_usage) + size_of_val(&*self.values)
    }
}
