//! Finds which of many literals stand somewhere in a text: what is left to look up of a regular expression
//! whose beginning says too little.

use aho_corasick::{AhoCorasick, MatchKind};

use super::Ref;

/// Literals, and what each leads to.
#[derive(Debug)]
pub(super) struct Inner {
    /// None if the literals were too many for one automaton; all of them then count as found.
    automaton: Option<AhoCorasick>,
    values: Box<[Ref]>,
}

impl Inner {
    /// None if there are no literals.
    pub fn new(literals: Vec<(&[u8], Ref)>) -> Option<Box<Inner>> {
        if literals.is_empty() {
            return None;
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(aho_corasick::AhoCorasickKind::ContiguousNFA))
            .build(literals.iter().map(|(text, _)| text))
            .ok();
        Some(Box::new(Inner { automaton, values: literals.into_iter().map(|(_, value)| value).collect() }))
    }

    /// Calls `found` for every literal in the text.
    pub fn walk(&self, text: &[u8], mut found: impl FnMut(Ref)) {
        match &self.automaton {
            Some(automaton) => automaton
                .find_overlapping_iter(text)
                .for_each(|hit| found(self.values[hit.pattern().as_usize()])),
            None => self.values.iter().copied().for_each(found),
        }
    }

    /// Bytes on the heap.
    pub fn memory(&self) -> usize {
        self.automaton.as_ref().map_or(0, AhoCorasick::memory_usage) + size_of_val(&*self.values)
    }
}
