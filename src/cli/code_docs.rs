//! The documentation of every code of a finding, declared by `config` or by a lint: `explain` prints it, and SARIF
//! quotes it as the help of a rule.

use crate::{config::codes::CODES, lint};

/// The documentation of one code.
pub struct CodeDoc {
    pub code: &'static str,
    /// The default level of a lint, or `off`; `None` for codes that are no lints.
    pub level: Option<&'static str>,
    pub summary: &'static str,
    pub text: &'static str,
    pub bad: &'static str,
    pub good: &'static str,
}

impl CodeDoc {
    /// The code without its group.
    pub fn short(&self) -> &'static str {
        self.code.split_once('/').map_or(self.code, |(_, name)| name)
    }
}

/// The documentation of all codes, sorted by code.
pub fn code_docs() -> Vec<CodeDoc> {
    let codes = CODES.iter().map(|c| CodeDoc {
        code: c.code,
        level: None,
        summary: c.summary,
        text: c.explanation,
        bad: c.bad,
        good: c.good,
    });
    let lints = lint::lints().iter().map(|l| CodeDoc {
        code: l.code,
        level: Some(l.level.map_or("off", |level| level.as_str())),
        summary: l.summary,
        text: l.explanation,
        bad: l.bad,
        good: l.good,
    });
    let mut all: Vec<CodeDoc> = codes.chain(lints).collect();
    all.sort_by_key(|doc| doc.code);
    all
}
