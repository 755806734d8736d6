//! Why a text is not YAML, in words that help.
//!
//! libyaml decides whether and where a text is broken. Its words are terse, so granit-parser reads the text
//! once more, and where it stumbles over the same place its message is taken instead.

use super::Finding;
use super::libyaml::{Place, Problem};
use super::yaml::Places;

/// The error for a text libyaml refuses. `base` bytes at the start (a byte order mark) were not given to it.
pub(super) fn explain(text: &str, base: usize, places: &Places<'_>, problem: &Problem) -> Finding {
    let at = match problem.at {
        Place::Char(index) => places.byte(index),
        Place::Byte(offset) => base + offset,
    };
    let message = second_opinion(&text[base..]).unwrap_or_else(|| problem.message.clone());
    Finding::error("source/yaml-syntax", message).at(places.span(at, at), "")
}

fn second_opinion(text: &str) -> Option<String> {
    let mut parser = granit_parser::Parser::new_from_str(text);
    loop {
        if let Err(error) = parser.next_event()? {
            return Some(error.info());
        }
    }
}
