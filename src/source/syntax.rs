//! Why a text is not YAML, in words that help.
//!
//! libyaml decides whether and where a text is broken. Its words are terse, so granit-parser reads the text
//! once more, and where it stumbles over the same place its message is taken instead.

use super::Finding;
use super::libyaml::Problem;
use super::yaml::Place;

/// The error for a text libyaml refuses.
pub(super) fn explain(place: Place<'_>, problem: &Problem) -> Finding {
    let message = second_opinion(&place.text[place.base..]).unwrap_or_else(|| problem.message.clone());
    Finding::error("source/yaml-syntax", message).at(place.span(problem.at, problem.at), "")
}

fn second_opinion(text: &str) -> Option<String> {
    let mut parser = granit_parser::Parser::new_from_str(text);
    loop {
        if let Err(error) = parser.next_event()? {
            return Some(error.info());
        }
    }
}
