//! A route anybody may use, beside routes of the same service that ask who you are.

use std::collections::HashMap;

use super::{Lint, Report, Subject, called};
use crate::{
    model::{Ix, Row, Service},
    plugins,
    source::Level,
};

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
    let protects = |p: &&crate::model::Plugin| p.enabled && plugins::authenticates(&p.name);
    let auth: Vec<_> = state.plugins.rows().iter().filter(protects).collect();
    // Everywhere, or on a service as a whole: its routes are all alike.
    if auth.iter().any(|p| p.service.is_none() && p.route.is_none()) {
        return;
    }
    let mut routes: HashMap<Ix<Service>, Vec<&crate::model::Route>> = HashMap::new();
    for route in state.routes.rows() {
        if let Some(service) = route.service.and_then(|s| state.services.find(s)) {
            routes.entry(service).or_default().push(route);
        }
    }
    let mut services: Vec<_> = routes.into_iter().collect();
    services.sort_by_key(|(service, _)| *service);
    for (service, routes) in services {
        let service = &state.services[service];
        if auth.iter().any(|p| p.route.is_none() && p.service.is_some_and(|s| s.id == service.id())) {
            continue;
        }
        let guard = |route: &crate::model::Route| {
            auth.iter().find(|p| p.route.is_some_and(|r| r.id == route.id())).copied()
        };
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
