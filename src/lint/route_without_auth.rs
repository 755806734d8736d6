//! A route anybody may use, beside routes of the same service that ask who you are.

use ahash::{AHashMap, AHashSet};

use super::{Lint, Report, Subject, called, is_authentication};
use crate::{model::Route, source::Level};

pub static LINT: Lint = Lint {
    code: "lint/route-without-auth",
    level: Some(Level::Warning),
    summary: "a route has no authentication though its siblings have",
    story: "Other routes of the same service are protected by an authentication plugin, this one is not, so \
            the service can be reached without credentials. Put the plugin on the service, or on this route \
            too. If the route is meant to be public, give it a service of its own.",
    bad: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: closed, paths: [/x], plugins: [{name: key-auth}]}\n  - {name: open, paths: [/y]}\n",
    good: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  plugins: [{name: key-auth}]\n  routes:\n  - {name: closed, paths: [/x]}\n  - {name: open, paths: [/y]}\n",
    run,
};

fn run(subject: &Subject<'_>, report: &mut Report<'_>) {
    let state = subject.state;
    // Of each route the first row, and the services whose routes are all alike.
    let (mut guards, mut whole) = (AHashMap::new(), AHashSet::new());
    for plugin in subject.plugins().filter(|p| is_authentication(&p.name)) {
        match (plugin.route, plugin.service) {
            (Some(route), _) => _ = guards.entry(route.id).or_insert(plugin),
            (None, Some(service)) => _ = whole.insert(service.id),
            (None, None) => return,
        }
    }
    for (service, routes) in subject.routes_by_service() {
        let service = &state.services[service];
        if whole.contains(&service.id) {
            continue;
        }
        let guard = |route: &Route| guards.get(&route.id).copied();
        let Some((closed, plugin)) = routes.iter().find_map(|r| Some((*r, guard(r)?))) else { continue };
        for open in routes.iter().filter(|r| guard(r).is_none()) {
            let other =
                subject.span(plugin, &[]).map(|s| (s, format!("{} asks who you are", called(closed))));
            report.with(
                subject.span(*open, &[]),
                format!(
                    "route {} reaches service {} without {}",
                    called(*open),
                    called(service),
                    plugin.name
                ),
                "move the plugin to the service, or add it to this route",
                other,
            );
        }
    }
}
