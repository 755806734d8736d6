//! Risks of the plugins that run on a route. What a change of one plugin puts at risk is up to the plugin.

use super::Risk;
use model::PluginEntity;
use plugin::{ConfigChange, Registry, Risks};

/// Risks of a route's plugins, before and after.
pub fn of_chain(
    registry: &Registry,
    before: &[&PluginEntity],
    after: &[&PluginEntity],
    routes: &[String],
    consumer: Option<&str>,
) -> Vec<Risk> {
    let mut risks = Risks::default();
    let authenticating = |list: &[&PluginEntity]| -> Vec<String> {
        list.iter().filter(|p| registry.authenticates(&p.name)).map(|p| p.name.clone()).collect()
    };
    let (had, now) = (authenticating(before), authenticating(after));
    if now.is_empty() && !had.is_empty() {
        risks.high(format!("authentication lost: {} is removed", had.join(", ")));
    }
    if had.is_empty() && !now.is_empty() {
        risks.medium(format!("authentication required: {} is added", now.join(", ")));
    }
    for change in changes(before, after) {
        let Some(row) = change.old.or(change.new) else { continue };
        if let Some(plugin_type) = registry.plugin_type(&row.name) {
            let [old, new] = [change.old, change.new].map(|row| row.map(|row| &*row.config));
            plugin_type.compare(ConfigChange { old, new }, &mut risks);
        }
    }
    let risk = |(severity, what)| Risk {
        severity,
        what,
        targets: routes.to_vec(),
        consumer: consumer.map(str::to_owned),
    };
    risks.0.into_iter().map(risk).collect()
}

/// Pairs the rows of each plugin: removed ones, then added ones, then those on both sides.
fn changes<'a>(
    before: &[&'a PluginEntity],
    after: &[&'a PluginEntity],
) -> Vec<ConfigChange<'a, PluginEntity>> {
    let counterpart = |list: &[&'a PluginEntity], name: &str| list.iter().find(|p| p.name == name).copied();
    let mut pairs: Vec<_> = before.iter().map(|old| (Some(*old), counterpart(after, &old.name))).collect();
    let added = after.iter().filter(|new| counterpart(before, &new.name).is_none());
    pairs.extend(added.map(|new| (None, Some(*new))));
    pairs.sort_by_key(|(old, new)| (new.is_some(), old.is_some()));
    pairs.into_iter().map(|(old, new)| ConfigChange { old, new }).collect()
}
