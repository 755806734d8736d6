//! OPTIONS requests that need no credentials.

use ahash::AHashSet;

use super::{Lint, LintContext, Report, called, scope};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/options-without-authentication",
    level: Some(Level::Note),
    summary: "requests with OPTIONS reach the upstream without credentials",
    explanation: "With `run_on_preflight: false` an authentication plugin lets every request with OPTIONS pass, \
            not only a browser's preflight. If the route takes OPTIONS they reach the upstream without \
            credentials. A cors plugin answers preflights before authentication runs, so the setting is not \
            needed for them; leave it out.",
    bad: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: r, paths: [/x], plugins: [{name: key-auth, config: {run_on_preflight: false}}]}\nconsumers:\n- {username: u, keyauth_credentials: [{key: wW3nS9fKx0aQ7bTz1LmP}]}\n",
    good: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: r, paths: [/x], plugins: [{name: key-auth}, {name: cors}]}\nconsumers:\n- {username: u, keyauth_credentials: [{key: wW3nS9fKx0aQ7bTz1LmP}]}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let mut reported = AHashSet::new();
    let guards: Vec<&str> =
        context.plugin_names().filter(|name| context.registry.authenticates(name)).collect();
    for route in context.state.routes.rows() {
        let takes = route.methods.as_deref().is_none_or(|m| m.is_empty() || m.iter().any(|m| m == "OPTIONS"));
        let rows: Vec<_> = guards.iter().filter_map(|name| context.effective(name, route)).collect();
        // One that asks on OPTIONS too is enough.
        if !takes || rows.is_empty() || rows.iter().any(|p| p.config.json()["run_on_preflight"] != false) {
            continue;
        }
        for guard in rows {
            if reported.insert(guard.id) {
                report.at(
                    context.span(guard, &["config", "run_on_preflight"]),
                    format!(
                        "{} {} lets OPTIONS through to route {} without credentials",
                        guard.name,
                        scope(context.state, guard),
                        called(route)
                    ),
                    "leave run_on_preflight out; cors answers preflights before it",
                );
            }
        }
    }
}
