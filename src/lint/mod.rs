//! Advice on a valid configuration: what is accepted but likely not meant. One file a lint, and the one
//! table of them. A lint reads the data, points into the text, and knows nothing of other lints.

use crate::{
    model::{Row, State},
    source::{Document, Finding, Findings, Level, NodeId, Span, Step},
};

/// One lint.
pub struct Lint {
    /// Stable code: `lint/duplicate-route`.
    pub code: &'static str,
    /// How bad a finding of it is.
    pub level: Level,
    /// What it finds, in one line.
    pub summary: &'static str,
    /// Why that is a problem, and what to do.
    pub story: &'static str,
    /// A file it finds something in.
    pub bad: &'static str,
    /// The same, mended.
    pub good: &'static str,
    run: fn(&Subject<'_>, &mut Report<'_>),
}

/// What lints look at.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The data.
    pub state: &'a State,
    document: &'a Document,
}

impl Subject<'_> {
    /// Where a row was written, or a field of it: `["config", "origins"]`. A field that was not written
    /// leads to the row.
    fn span<T: Row>(&self, row: &T, field: &[&str]) -> Option<Span> {
        let mut node: NodeId = row.origin()?;
        for part in field {
            let step = part.parse().map_or(Step::Key(part), Step::Index);
            let Some(next) = self.document.at(node, &[step]) else { break };
            node = next;
        }
        Some(self.document.span(node))
    }
}

/// Takes what a lint has to say.
struct Report<'a> {
    lint: &'static Lint,
    findings: &'a mut Findings,
}

impl Report<'_> {
    /// A finding at a place, if it is known.
    fn at(&mut self, span: Option<Span>, message: String, help: &str) {
        self.with(span, message, help, None);
    }

    /// A finding at a place, with another place that explains it.
    fn with(&mut self, span: Option<Span>, message: String, help: &str, other: Option<(Span, String)>) {
        let mut finding = Finding::new(self.lint.level, self.lint.code, message).help(help);
        if let Some(span) = span {
            finding = finding.at(span, "");
        }
        if let Some((span, text)) = other {
            finding = finding.at(span, text);
        }
        self.findings.push(finding);
    }
}

macro_rules! lints {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*
        static LINTS: &[&Lint] = &[$(&$name::LINT),*];
    };
}

lints! {
    cors_any_origin_with_credentials,
    duplicate_route,
    plain_http_upstream,
    regex_path_without_end,
    route_without_auth,
    weak_secret,
}

/// All lints, by code.
pub fn lints() -> &'static [&'static Lint] {
    LINTS
}

/// Runs all lints.
pub fn lint(state: &State, document: &Document, findings: &mut Findings) {
    let subject = Subject { state, document };
    for &lint in LINTS {
        (lint.run)(&subject, &mut Report { lint, findings });
    }
}

/// What people call a row: its name in quotes, or its id.
fn called<T: Row>(row: &T) -> String {
    row.name().map_or_else(|| row.id().to_string(), |name| format!("{name:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config, router::Flavor};

    fn codes(text: &str) -> Vec<&'static str> {
        let input = config::Input::Text { name: "kong.yml".to_owned(), text: text.as_bytes().to_vec() };
        let options = config::Options { kong_strict: true, flavor: Flavor::default(), env: &|_| None };
        let loaded = config::load(&input, &options).expect("the text is read");
        let state = loaded.state.unwrap_or_else(|| panic!("not valid: {text}\n{:?}", loaded.findings));
        let mut findings = Findings::default();
        lint(&state, &loaded.document, &mut findings);
        assert!(findings.iter().all(|f| f.span().is_some()), "a finding points at a place: {findings:?}");
        findings.iter().map(|f| f.code).collect()
    }

    #[test]
    fn every_lint_finds_its_bad_example_and_leaves_its_good_one() {
        for lint in LINTS {
            assert!(codes(lint.bad).contains(&lint.code), "{}: the bad example is not found", lint.code);
            assert!(!codes(lint.good).contains(&lint.code), "{}: the good example is found", lint.code);
        }
    }

    #[test]
    fn codes_are_sorted_and_unique() {
        assert!(LINTS.windows(2).all(|pair| pair[0].code < pair[1].code));
    }
}
