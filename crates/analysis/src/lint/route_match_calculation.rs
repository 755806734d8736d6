//! Routes whose order depends on how priorities are computed.

use ahash::AHashSet;

use super::{Lint, LintContext, Report, called};
use model::State;
use router::{Flavor, PriorityMode, Router, SampleRequest};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/route-match-calculation",
    level: Some(Level::Note),
    summary: "a request goes to another route when priorities are computed as documented",
    explanation: "Kong 3.9 computes the priorities of routes with a fault: a route with plain hosts comes before \
            any other, whatever else that one asks for, and a regular expression before any prefix. \
            Enterprise releases can compute them as documented (`route_match_calculation: strict`). The \
            request shown goes to one route by the first way and to another by the second; make one of them \
            more specific to be safe under both.",
    bad: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: by-host, hosts: [a.test]}\n  - {name: by-more, paths: [/x], methods: [GET]}\n",
    good: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: by-host, hosts: [a.test], paths: [/y]}\n  - {name: by-more, hosts: [a.test], paths: [/x], methods: [GET]}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let state = context.state;
    if context.flavor == Flavor::Traditional {
        return; // it never had the fault
    }
    let original = context.router();
    let (strict, _) = Router::build(state, context.flavor, PriorityMode::Strict);
    let hosts = hosts(state);
    let mut reported = AHashSet::new();
    for route in state.routes.rows() {
        for probe in SampleRequest::of(route) {
            let free = route.hosts.as_ref().is_none_or(|h| h.is_empty());
            // A route without hosts meets those of others under their names.
            let others = hosts
                .iter()
                .filter(|_| free)
                .map(|h| SampleRequest { host: Some(h.clone()), ..probe.clone() });
            for probe in std::iter::once(probe.clone()).chain(others) {
                let (Some(now), Some(then)) = (probe.find_route(original), probe.find_route(&strict)) else {
                    continue;
                };
                if now == then || !reported.insert((now, then)) {
                    continue;
                }
                let (now, then) = (&state.routes[now], &state.routes[then]);
                let other = context.span(now, &[]).map(|s| (s, "wins as 3.9 computes".to_owned()));
                report.with(
                    context.span(then, &[]),
                    format!(
                        "{probe} goes to route {}, computed strictly to route {}",
                        called(now),
                        called(then)
                    ),
                    "give the route that should win the conditions of the other one too",
                    other,
                );
            }
        }
    }
}

/// Some of the plain hosts that routes name.
fn hosts(state: &State) -> Vec<String> {
    let mut hosts: Vec<String> = Vec::new();
    for host in state.routes.rows().iter().flat_map(|r| r.hosts.iter().flatten()) {
        if hosts.len() == MOST_HOSTS {
            break;
        }
        if !host.contains('*') && !hosts.contains(host) {
            hosts.push(host.clone());
        }
    }
    hosts
}

/// More hosts are not tried: each is asked for with every route that names none.
const MOST_HOSTS: usize = 8;
