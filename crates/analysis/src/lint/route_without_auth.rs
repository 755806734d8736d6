//! Routes without authentication beside protected routes of the same service.

use super::{Lint, LintContext, Report, called, protected, recognised};
use model::Route;
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/route-without-auth",
    level: Some(Level::Warning),
    summary: "a route has no authentication though its siblings have",
    explanation: "Other routes of the same service are protected by an authentication plugin, this one is not, so \
            the service can be reached without credentials. Put the plugin on the service, or on this route \
            too. If the route is meant to be public, give it a service of its own.",
    bad: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: closed, paths: [/x], plugins: [{name: key-auth}]}\n  - {name: open, paths: [/y]}\n",
    good: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  plugins: [{name: key-auth}]\n  routes:\n  - {name: closed, paths: [/x]}\n  - {name: open, paths: [/y]}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let state = context.state;
    for (service, routes) in context.routes_by_service() {
        let (closed, open): (Vec<&Route>, Vec<&Route>) =
            routes.into_iter().partition(|route| protected(context, route));
        let Some(closed) = closed.first() else { continue };
        let guard = context
            .plugin_names()
            .filter(|name| context.registry.authenticates(name))
            .find_map(|name| context.effective(name, closed));
        let Some(guard) = guard else { continue };
        for open in open {
            let other =
                context.span(guard, &[]).map(|s| (s, format!("{} requires credentials", called(*closed))));
            let why = if recognised(context, open) {
                ": its authentication lets every request pass".to_owned()
            } else {
                format!(" without {}", guard.name)
            };
            report.with(
                context.span(open, &[]),
                format!("route {} reaches service {}{why}", called(open), called(&state.services[service])),
                "move the plugin to the service, or add it to this route",
                other,
            );
        }
    }
}
