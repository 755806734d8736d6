//! From a loaded configuration to a snapshot, with compile errors as findings.

use std::sync::Arc;

use config::Loaded;
use source::{Finding, NodeId, NodePathStep, Span};
use store::Stores;

use crate::{Options, Snapshot, compile};

/// Compiles a loaded configuration. Compile errors become error findings, and `None` is returned. `validate` and `serve`
/// agree because both call this.
pub fn build(
    loaded: &mut Loaded,
    options: &Options,
    stores: &Stores,
    previous: Option<&Snapshot>,
) -> Option<Snapshot> {
    let state = Arc::clone(loaded.state.as_ref()?);
    let (snapshot, problems) = compile(state, options, stores, previous);
    for problem in &problems {
        let mut finding =
            Finding::error("config/unservable", format!("{}: {}", problem.kind, problem.message));
        if let Some(origin) = problem.origin {
            finding = finding.at(deepest_span(loaded, origin, &problem.pointer), "");
        }
        loaded.findings.push(finding);
    }
    loaded.catalog.secrets().redact_findings(&mut loaded.findings);
    loaded.findings.sort();
    problems.is_empty().then_some(snapshot)
}

/// Follows a JSON pointer from a node as far as it resolves. The span of a multi-line text is that of its key.
fn deepest_span(loaded: &Loaded, mut node: NodeId, pointer: &str) -> Span {
    let doc = &loaded.document;
    let mut key = None;
    for part in pointer.split('/').filter(|p| !p.is_empty()) {
        let step = part.parse().map_or(NodePathStep::Key(part), NodePathStep::Index);
        let Some(next) = doc.resolve_path(node, &[step]) else { break };
        key = doc.entry(node, part).map(|entry| entry.key);
        node = next;
    }
    let long = doc.str(node).is_some_and(|text| text.contains('\n'));
    doc.span(key.filter(|_| long).unwrap_or(node))
}
