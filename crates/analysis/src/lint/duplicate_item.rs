//! Something listed twice.

use ahash::AHashMap;

use super::{Lint, LintContext, Report, called};
use model::Row;
use source::{Edit, Level, NodeId};

pub static LINT: Lint = Lint {
    code: "lint/duplicate-item",
    level: Some(Level::Note),
    summary: "a list names the same thing twice",
    explanation: "Tags, protocols, methods, hosts, paths and server names are sets: the second one does nothing. \
            `lint --fix` takes it out.",
    bad: "_format_version: '3.0'\nservices:\n- {name: a, url: 'https://a.test', tags: [x, y, x]}\n",
    good: "_format_version: '3.0'\nservices:\n- {name: a, url: 'https://a.test', tags: [x, y]}\n",
    run,
};

/// Fields that are sets.
const SETS: [&str; 6] = ["tags", "protocols", "methods", "hosts", "paths", "snis"];

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let state = context.state;
    look(context, report, state.services.rows());
    look(context, report, state.routes.rows());
    look(context, report, state.plugins.rows());
    look(context, report, state.consumers.rows());
    look(context, report, state.upstreams.rows());
    look(context, report, state.targets.rows());
    look(context, report, state.certificates.rows());
}

fn look<T: Row>(context: &LintContext<'_>, report: &mut Report<'_>, rows: &[T]) {
    let document = context.document;
    for row in rows {
        for field in SETS {
            let Some(list) = context.node(row, &[field]) else { continue };
            let mut seen: AHashMap<&str, NodeId> = AHashMap::new();
            for &item in document.items(list) {
                let Some(text) = document.str(item) else { continue };
                let Some(&first) = seen.get(text) else {
                    seen.insert(text, item);
                    continue;
                };
                let (span, first) = (document.span(item), document.span(first));
                if span == first {
                    continue; // one place that an alias repeats
                }
                report.with(
                    Some(span),
                    format!("{text:?} is listed twice in {field} of {}", called(row)),
                    "take one out",
                    Some((first, "first here".to_owned())),
                );
                report.fix(vec![Edit::Remove { span }]);
            }
        }
    }
}
