//! Labels for errors in aliased values: the value is written at the anchor, but invalid at the alias.

use super::{PathStep, Validator};
use source::{Finding, NodeId, Span};

/// An error that passes through more aliases than this needs no further labels.
const MAX_SHOWN: usize = 2;

impl Validator<'_> {
    /// Adds the other location to a finding whose value is written at an anchor, or as an alias.
    pub(super) fn show_alias(&self, finding: &mut Finding) {
        let Some(place) = finding.span() else { return };
        let scalar = self.doc.aliases().iter().find(|(alias, _)| self.doc.span(*alias) == place);
        if let Some((_, anchor)) = scalar {
            finding.labels.push(label(self.doc.span(*anchor), "the value is written here"));
            return;
        }
        let nodes_on_path = self.nodes_on_path();
        let mut outer = self.doc.span(self.doc.root());
        let inner = nodes_on_path.iter().map(|&node| self.doc.span(node)).chain([place]);
        for inner in inner {
            if !outer.contains(inner)
                && let Some(alias) = self.doc.alias_within(outer, inner)
                && finding.labels.len() <= MAX_SHOWN
            {
                finding.labels.push(label(alias, "used here"));
            }
            outer = inner;
        }
    }

    /// Returns the nodes on the current path that are written in the document.
    fn nodes_on_path(&self) -> Vec<NodeId> {
        let mut nodes_on_path = vec![self.doc.root()];
        for step in &self.path {
            let Some(&at) = nodes_on_path.last() else { break };
            let next = match step {
                PathStep::Field(name) => self.doc.get(at, name),
                PathStep::Item(i) => self.doc.items(at).get(i - 1).copied(),
                PathStep::Free(key) => {
                    self.doc.entries(at).iter().find(|entry| entry.key == *key).map(|entry| entry.value)
                }
            };
            let Some(next) = next else { break };
            nodes_on_path.push(next);
        }
        nodes_on_path
    }
}

fn label(span: Span, text: &str) -> source::Label {
    source::Label { span, text: text.to_owned() }
}
