//! A plugin that a narrower one replaces everywhere.

use ahash::AHashSet;

use super::{Lint, LintContext, Report, scope};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/plugin-overridden",
    level: Some(Level::Note),
    summary: "a plugin never runs, as each route has one of its own",
    explanation: "Of several rows of one plugin only the most specific runs: that of the route, else that of the \
            service, else the one for everything. This row is replaced on every route it could run on.",
    bad: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  plugins: [{name: rate-limiting, config: {minute: 5}}]\n  routes:\n  - {name: r, paths: [/x], plugins: [{name: rate-limiting, config: {minute: 3}}]}\n",
    good: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  plugins: [{name: rate-limiting, config: {minute: 5}}]\n  routes:\n  - {name: r, paths: [/x], plugins: [{name: rate-limiting, config: {minute: 3}}]}\n  - {name: s, paths: [/y]}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let state = context.state;
    // The rows that run somewhere, and the rows that are replaced somewhere.
    let (mut runs, mut replaced) = (AHashSet::new(), AHashSet::new());
    for name in context.plugin_names() {
        for route in state.routes.rows() {
            let mut rows = context.candidates(name, route).map(|row| row.id);
            runs.extend(rows.next());
            replaced.extend(rows);
        }
    }
    for plugin in context.plugins().filter(|p| replaced.contains(&p.id) && !runs.contains(&p.id)) {
        // Requests that match no route still meet the row for everything.
        if plugin.service.is_none() && plugin.route.is_none() {
            continue;
        }
        report.at(
            context.span(plugin, &[]),
            format!("{} {} never runs: each route has one of its own", plugin.name, scope(state, plugin)),
            "take it out",
        );
    }
}
