//! Reporting of errors at the current path.

use super::{PathStep, Validator};
use source::{ErrorPathSegment, Finding, Level, NodeId, Span, Value};

impl Validator<'_> {
    /// Returns the current path as in the admin API's error tree.
    pub(super) fn segments(&self) -> Vec<ErrorPathSegment> {
        self.path
            .iter()
            .filter_map(|step| match step {
                PathStep::Field(name) => Some(ErrorPathSegment::Key((*name).to_owned())),
                PathStep::Item(i) => Some(ErrorPathSegment::Index(*i)),
                PathStep::Free(_) => None,
            })
            .collect()
    }

    /// Returns the current path for display: `services[1].routes[2].paths[1]`.
    pub(super) fn path_text(&self) -> String {
        let mut out = String::new();
        for step in &self.path {
            match step {
                PathStep::Item(i) => out.push_str(&format!("[{i}]")),
                PathStep::Field(name) => {
                    if !out.is_empty() {
                        out.push('.');
                    }
                    out.push_str(name);
                }
                PathStep::Free(key) => {
                    if !out.is_empty() {
                        out.push('.');
                    }
                    out.push_str(&self.doc.key_text(*key));
                }
            }
        }
        out
    }

    /// Returns the span to report for a node: its value, or the first key of a map.
    pub(super) fn span_of(&self, node: NodeId) -> Span {
        match self.doc.value(node) {
            Value::Map(entries) => match entries.first() {
                Some(first) => self.doc.span(first.key),
                None => self.doc.span(node),
            },
            Value::Seq(items) => match items.first() {
                Some(&first) if self.doc.span(first).file == self.doc.span(node).file => self.span_of(first),
                _ => self.doc.span(node),
            },
            _ => self.doc.span(node),
        }
    }

    /// Returns whether errors are only counted by now, and counts one if so. Checked before an error message is
    /// built.
    pub(super) fn count_if_full(&mut self) -> bool {
        let full = self.findings.is_full(Level::Error);
        if full {
            self.errors += 1;
            self.reported += 1;
            self.findings.count_omitted(Level::Error);
        }
        full
    }

    /// Reports an error at the current path.
    pub(super) fn push(
        &mut self,
        span: Span,
        segments: Vec<ErrorPathSegment>,
        code: &'static str,
        message: String,
        text: String,
        help: Option<String>,
    ) {
        let mut finding =
            Finding::error(code, message).at(span, "").path(self.path_text()).kong_error(segments, text);
        finding.help = help;
        self.report(finding);
    }

    /// Adds a finding.
    pub(super) fn report(&mut self, mut finding: Finding) {
        if finding.level == Level::Error && self.doc.has_aliases() {
            self.show_alias(&mut finding);
        }
        self.errors += usize::from(finding.level == Level::Error);
        self.reported += 1;
        self.findings.push(finding);
    }
}
