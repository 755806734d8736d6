//! Differential check of the fast scanner against libyaml, for tests and fuzzing.

use super::Scanner;
use crate::libyaml::{Event, EventKind, EventSource, Events};

/// Returns whether the fast scanner accepts a text.
///
/// # Panics
/// If it accepts the text but emits other events than libyaml.
pub fn matches_libyaml(text: &str) -> bool {
    let Some(scanned) = Scanner::new(text).and_then(|mut scan| all(&mut scan)) else { return false };
    assert_eq!(Some(scanned), all(&mut Events::new(text)), "{text:?}");
    true
}

/// Collects all events, without the positions that are never used: those of documents and of block ends.
fn all(steps: &mut impl EventSource) -> Option<Vec<String>> {
    let mut seen = Vec::new();
    loop {
        let Event { kind, start, end } = steps.next_event().ok()?;
        seen.push(match kind {
            EventKind::DocumentStart | EventKind::DocumentEnd => format!("{kind:?}"),
            EventKind::SequenceStart { .. } | EventKind::MappingStart { .. } => format!("{start} {kind:?}"),
            // The end of a flow collection is one byte; that of a block collection has no position.
            EventKind::SequenceEnd | EventKind::MappingEnd if end == start + 1 => format!("{start} {kind:?}"),
            EventKind::SequenceEnd | EventKind::MappingEnd => format!("{kind:?}"),
            EventKind::StreamEnd => return Some(seen),
            _ => format!("{start}-{end} {kind:?}"),
        });
    }
}
