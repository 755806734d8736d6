//! A service that no request reaches.

use ahash::AHashSet;

use super::{Lint, LintContext, Report, called};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/unused-service",
    level: Some(Level::Note),
    summary: "no route leads to a service",
    explanation: "Requests reach a service through a route. Without one it is dead weight, or its routes are \
            missing.",
    bad: "_format_version: '3.0'\nservices:\n- {name: a, url: 'https://a.test'}\n- {name: b, url: 'https://b.test', routes: [{name: r, paths: [/x]}]}\n",
    good: "_format_version: '3.0'\nservices:\n- {name: b, url: 'https://b.test', routes: [{name: r, paths: [/x]}]}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let state = context.state;
    // A file without any routes has them elsewhere.
    if state.routes.is_empty() {
        return;
    }
    let used: AHashSet<_> = state.routes.rows().iter().filter_map(|r| r.service.map(|s| s.id)).collect();
    for service in state.services.rows().iter().filter(|s| s.enabled && !used.contains(&s.id)) {
        report.at(
            context.span(service, &[]),
            format!("no route leads to service {}", called(service)),
            "add a route, or take the service out",
        );
    }
}
