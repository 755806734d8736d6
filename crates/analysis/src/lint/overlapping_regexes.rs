//! Regular expressions that match the same path.

use ahash::AHashSet;

use super::{Lint, LintContext, Report, called};
use model::Route;
use router::SampleRequest;
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/overlapping-regexes",
    level: Some(Level::Warning),
    summary: "two regular expression paths match the same request, and neither goes first on purpose",
    explanation: "Among routes with equal conditions and the same `regex_priority`, which expression wins is \
            decided by the age or the id of the route. Make the expressions exclude each other, or give the \
            one that should win a higher `regex_priority`.",
    bad: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: one, paths: ['~/users/\\w+$']}\n  - {name: two, paths: ['~/users/\\d+$']}\n",
    good: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: one, paths: ['~/users/\\w+$']}\n  - {name: two, paths: ['~/users/\\d+$'], regex_priority: 1}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let state = context.state;
    let is_regex = |route: &Route| route.paths.iter().flatten().any(|p| p.starts_with('~'));
    let mut reported = AHashSet::new();
    for route in state.routes.rows().iter().filter(|r| is_regex(r)) {
        for probe in SampleRequest::of(route) {
            let Some(winner) = probe.find_route(context.router()).map(|ix| &state.routes[ix]) else {
                continue;
            };
            let alike = winner.id != route.id
                && is_regex(winner)
                && winner.regex_priority == route.regex_priority
                && winner.hosts == route.hosts
                && winner.methods == route.methods
                && winner.headers == route.headers
                && winner.snis == route.snis
                && winner.paths != route.paths;
            if !alike || !reported.insert((route.id.min(winner.id), route.id.max(winner.id))) {
                continue;
            }
            let other = context.span(winner, &["paths"]).map(|s| (s, "this one wins".to_owned()));
            report.with(
                context.span(route, &["paths"]),
                format!("{} matches routes {} and {}", probe.path, called(route), called(winner)),
                "give the one that should win a higher regex_priority",
                other,
            );
        }
    }
}
