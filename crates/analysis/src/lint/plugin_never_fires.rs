//! A plugin where it has nothing to do.

use ahash::AHashMap;

use super::{Lint, LintContext, Report, scope};
use model::Route;
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/plugin-never-fires",
    level: Some(Level::Warning),
    summary: "a plugin can never run where it is",
    explanation: "A plugin runs if it shares a protocol with the route. One on a route without a common protocol, \
            or on a service without any such route, does nothing.",
    bad: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  plugins: [{name: cors, protocols: [grpc]}]\n  routes: [{name: r, paths: [/x]}]\n",
    good: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  plugins: [{name: cors, protocols: [http, https]}]\n  routes: [{name: r, paths: [/x]}]\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let state = context.state;
    let services: AHashMap<_, _> =
        context.routes_by_service().into_iter().map(|(ix, routes)| (state.services[ix].id, routes)).collect();
    for plugin in context.plugins() {
        let routes: Vec<&Route> = match (plugin.route, plugin.service) {
            (Some(route), _) => state.routes.find(route).map(|ix| &state.routes[ix]).into_iter().collect(),
            (None, Some(service)) => services.get(&service.id).cloned().unwrap_or_default(),
            (None, None) => continue,
        };
        // lint/unused-service reports services without routes.
        let elsewhere = plugin
            .route
            .zip(plugin.service)
            .is_some_and(|(_, service)| routes.iter().any(|r| r.service.is_none_or(|s| s.id != service.id)));
        let common = routes.iter().any(|r| r.protocols.iter().any(|p| plugin.protocols.contains(p)));
        if elsewhere {
            report.at(
                context.span(plugin, &[]),
                format!("{} never runs: the route does not lead to the service it is for", plugin.name),
                "take the service out of the plugin",
            );
        } else if !routes.is_empty() && !common {
            let why = if plugin.route.is_some() { "the route has" } else { "no route of the service has" };
            let why = if plugin.route.is_some() {
                format!("{why} none of its protocols")
            } else {
                format!("{why} one of its protocols")
            };
            report.at(
                context.span(plugin, &["protocols"]),
                format!("{} {} never runs: {why}", plugin.name, scope(state, plugin)),
                "give it the protocols of the routes",
            );
        }
    }
}
