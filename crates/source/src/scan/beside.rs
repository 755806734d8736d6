//! The scanner beside libyaml: the same events, or none. For the tests and for what is held of any input.

use super::Scan;
use crate::libyaml::{Event, Events, Kind, Steps};

/// Whether the scanner reads a text; if it does, it reads what libyaml reads.
///
/// # Panics
/// When it reads something else.
pub fn reads(text: &str) -> bool {
    let Some(scanned) = Scan::new(text).and_then(|mut scan| all(&mut scan)) else { return false };
    assert_eq!(Some(scanned), all(&mut Events::new(text)), "{text:?}");
    true
}

/// All events of a text, without the places that nobody looks at: those of documents, and where blocks end.
fn all(steps: &mut impl Steps) -> Option<Vec<String>> {
    let mut seen = Vec::new();
    loop {
        let Event { kind, start, end } = steps.step().ok()?;
        seen.push(match kind {
            Kind::DocumentStart | Kind::DocumentEnd => format!("{kind:?}"),
            Kind::SequenceStart { .. } | Kind::MappingStart { .. } => format!("{start} {kind:?}"),
            // In brackets or braces the end is one byte; a block's is nowhere.
            Kind::SequenceEnd | Kind::MappingEnd if end == start + 1 => format!("{start} {kind:?}"),
            Kind::SequenceEnd | Kind::MappingEnd => format!("{kind:?}"),
            Kind::StreamEnd => return Some(seen),
            _ => format!("{start}-{end} {kind:?}"),
        });
    }
}
