//! Which requests authentication recognises, and which it keeps out: questions that several lints ask.

use super::LintContext;
use model::{Consumer, Ix, PluginEntity, Route};
use plugin::Effect;

/// Whether a plugin's row authenticates clients. One for a consumer does not: it runs only once another plugin has
/// found that consumer.
pub fn recognises(context: &LintContext<'_>, plugin: &PluginEntity) -> bool {
    context.registry.authenticates(&plugin.name) && plugin.consumer.is_none()
}

/// Returns the plugin rows that authenticate clients on a route.
fn guards<'a>(context: &LintContext<'a>, route: &Route) -> impl Iterator<Item = &'a PluginEntity> {
    let names = context.plugin_names().filter(|name| context.registry.authenticates(name));
    names.filter_map(|name| context.effective(name, route))
}

/// Whether a plugin on a route authenticates clients. It may let requests without credentials pass.
pub fn recognised(context: &LintContext<'_>, route: &Route) -> bool {
    guards(context, route).next().is_some()
}

/// Whether something on a route refuses requests that it does not authenticate.
pub fn protected(context: &LintContext<'_>, route: &Route) -> bool {
    guards(context, route).any(|guard| {
        let config = guard.config.json();
        // Preflights alone reach a route for OPTIONS.
        let only_options =
            route.methods.as_deref().is_some_and(|m| !m.is_empty() && m.iter().all(|m| m == "OPTIONS"));
        let preflights_pass = config["run_on_preflight"] == false && only_options;
        let guest = config["anonymous"].as_str().and_then(|name| context.state.consumer(name));
        !preflights_pass && guest.is_none_or(|guest| refused(context, route, guest))
    })
}

/// Whether the requests of a consumer are refused on a route: by a plugin of its own, or for its groups.
fn refused(context: &LintContext<'_>, route: &Route, consumer: Ix<Consumer>) -> bool {
    let state = context.state;
    let id = state.consumers[consumer].id;
    let applies = |plugin: &PluginEntity| {
        plugin.route.is_none_or(|r| r.id == route.id)
            && plugin.service.is_none_or(|s| Some(s.id) == route.service.map(|s| s.id))
    };
    if context.responders(id).iter().any(|plugin| applies(plugin)) {
        return true;
    }
    let groups = state.groups(consumer);
    let is_member = |names: &[String]| groups.iter().any(|group| names.iter().any(|name| **name == **group));
    let refuses = |row: &PluginEntity| {
        let gates = context.registry.facts(row).unwrap_or_default();
        gates.iter().any(|gate| match &gate.effect {
            Effect::NeedsGroup(names) => !is_member(names),
            Effect::DeniesGroup(names) => is_member(names),
            _ => false,
        })
    };
    let names = context.plugin_names().filter(|name| context.registry.traits(name).authorizes);
    names.filter_map(|name| context.effective(name, route)).any(refuses)
}
