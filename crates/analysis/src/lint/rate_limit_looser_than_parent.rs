//! A narrower limit that allows more.

use super::{Lint, LintContext, Report, scope};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/rate-limit-looser-than-parent",
    level: Some(Level::Note),
    summary: "a rate limit on a route or service allows more than the wider one it replaces",
    explanation: "Limits do not add up: a row on a route replaces that of its service, and a row on a service the \
            one for everything. This one allows more than the row it replaces, in every window both have. If \
            the route is meant to be an exception, allow it with a comment.",
    bad: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  plugins: [{name: rate-limiting, config: {minute: 5}}]\n  routes:\n  - {name: r, paths: [/x], plugins: [{name: rate-limiting, config: {minute: 500}}]}\n  - {name: s, paths: [/y]}\n",
    good: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  plugins: [{name: rate-limiting, config: {minute: 5}}]\n  routes:\n  - {name: r, paths: [/x], plugins: [{name: rate-limiting, config: {minute: 3}}]}\n  - {name: s, paths: [/y]}\n",
    run,
};

const WINDOWS: [&str; 6] = ["second", "minute", "hour", "day", "month", "year"];

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let state = context.state;
    for own in context.named("rate-limiting").filter(|p| p.consumer.is_none()) {
        // The service that the row of a route replaces the limit of.
        let service = match (own.route, own.service) {
            (Some(route), _) => state.routes.find(route).and_then(|ix| state.routes[ix].service),
            (None, Some(_)) => None,
            (None, None) => continue,
        };
        let wider = context.row("rate-limiting", None, service.map(|s| s.id));
        let wider = wider.or_else(|| context.row("rate-limiting", None, None));
        let Some(wider) = wider else { continue };
        let (here, there) = (own.config.json(), wider.config.json());
        if here["limit_by"] != there["limit_by"] {
            continue;
        }
        let both: Vec<_> =
            WINDOWS.iter().filter_map(|w| Some((*w, here[*w].as_f64()?, there[*w].as_f64()?))).collect();
        let looser = both.iter().find(|(_, a, b)| a > b);
        let Some((window, a, b)) = looser.filter(|_| both.iter().all(|(_, a, b)| a >= b)) else { continue };
        let other = context.span(wider, &["config", window]).map(|s| (s, "replaced by it".to_owned()));
        report.with(
            context.span(own, &["config", window]),
            format!("{a} a {window} {} is more than the {b} {}", scope(state, own), scope(state, wider)),
            "lower it, or allow the exception with a comment",
            other,
        );
    }
}
