//! A service that is switched off with its routes.

use super::{Lint, LintContext, Report, called};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/disabled-service",
    level: Some(Level::Note),
    summary: "a service is switched off, and its routes with it",
    explanation: "Routes of a service with `enabled: false` are not in the router: their requests go to other \
            routes, or to none (404). If that is meant for a while, fine; if for good, take the service out.",
    bad: "_format_version: '3.0'\nservices:\n- {name: a, url: 'https://a.test', enabled: false, routes: [{name: r, paths: [/x]}]}\n",
    good: "_format_version: '3.0'\nservices:\n- {name: a, url: 'https://a.test', routes: [{name: r, paths: [/x]}]}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    for (service, routes) in context.routes_by_service() {
        let service = &context.state.services[service];
        if !service.enabled {
            let count = routes.len();
            report.at(
                context.span(service, &["enabled"]),
                format!("service {} is switched off; its routes ({count}) match nothing", called(service)),
                "take it out if it is not coming back",
            );
        }
    }
}
