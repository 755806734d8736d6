//! Routes that never win a request.

mod cover;

use ahash::{AHashMap, AHashSet};

use super::{Lint, LintContext, Report, called, conditions};
use model::{Ix, Route};
use router::SampleRequest;
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/shadowed-route",
    level: Some(Level::Warning),
    summary: "every request that a route is written for goes to another one",
    explanation: "The router was asked with requests written for the route: for each host, path and method it names, \
            another route wins, by order of precedence (hosts before headers before paths; longer prefixes \
            and higher `regex_priority` first), and the winners take every path that the route takes. Take the \
            route out, or give it a condition that the winner lacks.",
    bad: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: all, hosts: [a.test], methods: [GET, POST, PUT, DELETE, PATCH, HEAD, OPTIONS], paths: [/api]}\n  - {name: lost, hosts: [a.test], paths: [/api], methods: [GET]}\n",
    good: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: all, hosts: [a.test], methods: [POST], paths: [/api]}\n  - {name: lost, hosts: [a.test], paths: [/api], methods: [GET]}\n",
    run,
};

/// Methods asked for where a route takes any.
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"];

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let state = context.state;
    for (ix, route) in state.routes.iter() {
        // What an expression asks for can only be guessed; routes of a disabled service are reported elsewhere.
        if route.expression.is_some() || context.service(route).is_some_and(|s| !s.enabled) {
            continue;
        }
        let Some((probe, winner)) = never_wins(context, route, ix) else { continue };
        let winner = &state.routes[winner];
        if conditions(winner) == conditions(route) {
            continue; // lint/duplicate-route reports that
        }
        let other = context.span(winner, &[]).map(|s| (s, "this route wins".to_owned()));
        report.with(
            context.span(route, &[]),
            format!("route {} never wins: {probe} goes to route {}", called(route), called(winner)),
            "take it out, or give it a condition that the other route lacks",
            other,
        );
    }
}

/// The first request written for a route and the other route that gets it, if others get all of them.
fn never_wins(
    context: &LintContext<'_>,
    route: &Route,
    own: Ix<Route>,
) -> Option<(SampleRequest, Ix<Route>)> {
    let any = route.methods.as_ref().is_none_or(|m| m.is_empty());
    let mut first = None;
    // The routes that get samples alike but for the path: together they have to take every path.
    let mut winners: AHashMap<(String, bool, Option<String>), Vec<Ix<Route>>> = AHashMap::new();
    for probe in SampleRequest::of(route) {
        let methods: Vec<&str> = if any { METHODS.to_vec() } else { vec![&probe.method] };
        for method in methods {
            let probe = SampleRequest { method: method.to_owned(), ..probe.clone() };
            let winner = probe.find_route(context.router()).filter(|winner| *winner != own)?;
            let alike = winners.entry((probe.method.clone(), probe.https, probe.host.clone())).or_default();
            if !alike.contains(&winner) {
                alike.push(winner);
            }
            first.get_or_insert((probe, winner));
        }
    }
    // Many methods, one answer.
    let groups: AHashSet<Vec<Ix<Route>>> = winners.into_values().collect();
    let covered = groups.iter().all(|winners| {
        let winners: Vec<&Route> = winners.iter().map(|ix| &context.state.routes[*ix]).collect();
        cover::is_covered(route, &winners)
    });
    first.filter(|_| covered)
}
