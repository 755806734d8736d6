//! Routes with the same conditions: only one of them can ever win.

use std::collections::HashMap;

use super::{Lint, LintContext, Report, called, conditions};
use model::Row;
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/duplicate-route",
    level: Some(Level::Warning),
    summary: "two routes match exactly the same requests",
    explanation: "Of routes with the same conditions and priority the one with the greater id always wins; the other \
            is never used. Remove one, or give them different hosts, paths, methods or headers.",
    bad: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: one, paths: [/x]}\n  - {name: two, paths: [/x]}\n",
    good: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: one, paths: [/x]}\n  - {name: two, paths: [/y]}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let mut seen: HashMap<String, &model::Route> = HashMap::new();
    for route in context.state.routes.rows() {
        let conditions = conditions(route);
        let Some(first) = seen.get(&conditions) else {
            seen.insert(conditions, route);
            continue;
        };
        // The greater id wins between equal routes.
        let winner = if first.id() > route.id() { first } else { route };
        let other = context.span(*first, &[]).map(|span| (span, "the same conditions here".to_owned()));
        report.with(
            context.span(route, &[]),
            format!(
                "routes {} and {} match the same requests; {} always wins",
                called(*first),
                called(route),
                called(winner)
            ),
            "remove one, or add a condition that only one of them has",
            other,
        );
    }
}
