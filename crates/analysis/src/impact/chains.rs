//! Routes whose plugins change: what is added, removed or configured otherwise, in general and for each consumer
//! that has rows of its own.

use std::collections::{BTreeMap, BTreeSet};

use ahash::AHashMap;
use serde::Serialize;

use super::{
    risk::{self, Risk},
    side::Side,
};
use crate::diff::{self, FieldChange, Segment, Written};
use config::Catalog;
use model::{Consumer, Ix, PluginEntity, Row};
use runtime::Chain;

/// Routes whose plugins change alike.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChainChange {
    /// The routes; the one called `(no route)` stands for requests that none takes.
    pub routes: Vec<String>,
    /// Whose requests; `None` for those of consumers without plugins of their own.
    pub consumer: Option<String>,
    /// Plugins that only the new configuration runs.
    pub added: Vec<String>,
    /// Plugins that only the old configuration runs.
    pub removed: Vec<String>,
    /// Plugins whose settings differ.
    pub changed: Vec<Changed>,
}

/// A plugin that runs with other settings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Changed {
    /// Which.
    pub plugin: String,
    /// The settings, secrets masked.
    pub fields: Vec<FieldChange>,
}

/// What requests that no route takes are called.
pub const NOWHERE: &str = "(no route)";

/// Compares the chains of all routes that both sides have.
pub fn changes<'a>(old: &Side<'a>, new: &Side<'a>) -> (Vec<ChainChange>, Vec<Risk>) {
    // Many routes share a chain: each pair of chains is compared once.
    type Pair = (*const Chain, *const Chain);
    let mut pairs: AHashMap<Pair, (&Chain, &Chain, Vec<String>)> = AHashMap::new();
    let old_and_new = old.shared(new).map(|(before, after, label)| {
        (&*old.snapshot.route(before).chain, &*new.snapshot.route(after).chain, label)
    });
    for (a, b, label) in old_and_new.chain([(&*old.snapshot.global, &*new.snapshot.global, NOWHERE)]) {
        let pair = pairs.entry((a, b)).or_insert_with(|| (a, b, Vec::new()));
        pair.2.push(label.to_owned());
    }
    let mut pairs: Vec<_> = pairs.into_values().collect();
    pairs.sort_by(|a, b| a.2.cmp(&b.2));

    let mut alike: BTreeMap<String, ChainChange> = BTreeMap::new();
    let mut risks = Vec::new();
    for (before, after, routes) in pairs {
        // Requests without a consumer come first; of a consumer's change the remainder is reported.
        let mut general = Difference::default();
        for consumer in consumers(before, old).union(&consumers(after, new)) {
            let (a, b) = (effective(before, old, consumer), effective(after, new, consumer));
            let mut difference = compare(&a, &b, new.catalog);
            if consumer.is_none() {
                general = difference.clone();
            } else {
                difference.subtract(&general);
            }
            if difference == Difference::default() {
                continue;
            }
            let Difference { added, removed, changed } = difference;
            let rows = |list: &[Written<'a>]| list.iter().map(|row| row.written).collect::<Vec<_>>();
            risks.extend(risk::of_chain(
                new.catalog.registry(),
                &rows(&a),
                &rows(&b),
                &routes,
                consumer.as_deref(),
            ));
            let key = format!("{consumer:?}{added:?}{removed:?}{changed:?}");
            let change = alike.entry(key).or_insert_with(|| ChainChange {
                routes: Vec::new(),
                consumer: consumer.clone(),
                added,
                removed,
                changed,
            });
            change.routes.extend(routes.iter().cloned());
        }
    }
    let mut changes: Vec<_> = alike.into_values().collect();
    changes.iter_mut().for_each(|c| c.routes.sort());
    changes.sort_by(|a, b| (&a.consumer, &a.routes).cmp(&(&b.consumer, &b.routes)));
    (changes, risk::merged(risks))
}

/// `None` for requests without a consumer, and the consumers that have rows in a chain.
fn consumers(chain: &Chain, side: &Side<'_>) -> BTreeSet<Option<String>> {
    let rows = chain.slots.iter().filter_map(|slot| slot.by_consumer.as_deref()).flat_map(|rows| rows.keys());
    let name = |ix: &Ix<Consumer>| called(&side.rows.consumers[*ix]);
    rows.map(|ix| Some(name(ix))).chain([None]).collect()
}

fn called(consumer: &Consumer) -> String {
    let name = Row::name(consumer).or(consumer.custom_id.as_deref());
    name.map_or_else(|| consumer.id.to_string(), str::to_owned)
}

/// The rows that run for a consumer, in order.
fn effective<'a>(chain: &Chain, side: &Side<'a>, consumer: &Option<String>) -> Vec<Written<'a>> {
    let state = &side.snapshot.state;
    let ix = consumer
        .as_deref()
        .and_then(|name| state.consumer(name).or_else(|| state.consumer_by_custom_id(name)));
    chain.slots.iter().filter_map(|slot| Some(side.plugin(slot.select(ix)?))).collect()
}

/// How two chains differ.
#[derive(Clone, Default, PartialEq)]
struct Difference {
    added: Vec<String>,
    removed: Vec<String>,
    changed: Vec<Changed>,
}

impl Difference {
    fn subtract(&mut self, other: &Difference) {
        self.added.retain(|p| !other.added.contains(p));
        self.removed.retain(|p| !other.removed.contains(p));
        self.changed.retain(|c| !other.changed.contains(c));
    }
}

/// The change of what a plugin is configured on: a rate limit of a service counts the requests of all its routes.
fn moved(old: &PluginEntity, new: &PluginEntity) -> Option<FieldChange> {
    let scope =
        |row: &PluginEntity| match (row.route.is_some(), row.service.is_some(), row.consumer.is_some()) {
            (false, false, false) => "global".to_owned(),
            (route, service, consumer) => [(route, "route"), (service, "service"), (consumer, "consumer")]
                .into_iter()
                .filter_map(|(is_set, name)| is_set.then_some(name))
                .collect::<Vec<_>>()
                .join(" and "),
        };
    let [before, after] = [old, new].map(scope);
    (before != after).then(|| FieldChange {
        path: vec![Segment::Key("scope".to_owned())],
        old: before.into(),
        new: after.into(),
    })
}

fn compare(before: &[Written<'_>], after: &[Written<'_>], catalog: &'static Catalog) -> Difference {
    let name = |row: &Written<'_>| row.compared.name.clone();
    let find = |list: &[Written<'_>], name: &str| list.iter().position(|p| p.compared.name == name);
    let only = |list: &[Written<'_>], other: &[Written<'_>]| -> Vec<String> {
        list.iter().map(name).filter(|name| find(other, name).is_none()).collect()
    };
    let changed = |old: &Written<'_>| {
        let new = find(after, &old.compared.name)?;
        let mut fields = diff::plugin_settings(*old, after[new], catalog);
        fields.extend(moved(old.compared, after[new].compared));
        (!fields.is_empty()).then(|| Changed { plugin: name(old), fields })
    };
    Difference {
        added: only(after, before),
        removed: only(before, after),
        changed: before.iter().filter_map(changed).collect(),
    }
}
