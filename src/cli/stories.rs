//! The long story of every code, wherever it is declared: what `explain` prints and machine formats quote.

use crate::{config::codes::CODES, lint};

/// A code's story, wherever it is declared.
pub struct Story {
    pub code: &'static str,
    /// Of a lint: how bad its findings are by default, or `off`.
    pub level: Option<&'static str>,
    pub summary: &'static str,
    pub text: &'static str,
    pub bad: &'static str,
    pub good: &'static str,
}

impl Story {
    /// The code without its group.
    pub fn short(&self) -> &'static str {
        self.code.split_once('/').map_or(self.code, |(_, name)| name)
    }
}

/// All stories, by code.
pub fn stories() -> Vec<Story> {
    let codes = CODES.iter().map(|c| Story {
        code: c.code,
        level: None,
        summary: c.summary,
        text: c.text,
        bad: c.bad,
        good: c.good,
    });
    let lints = lint::lints().iter().map(|l| Story {
        code: l.code,
        level: Some(l.level.map_or("off", |level| level.word())),
        summary: l.summary,
        text: l.story,
        bad: l.bad,
        good: l.good,
    });
    let mut all: Vec<Story> = codes.chain(lints).collect();
    all.sort_by_key(|story| story.code);
    all
}
