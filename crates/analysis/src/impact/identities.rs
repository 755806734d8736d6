//! Clients that authentication identifies as another consumer, or in other groups, than before: the holders of changed
//! credentials, and consumers whose groups change.

use super::{Side, reach::runs};
use crate::diff::Change;
use model::{Consumer, Ix, Role, Route, Row, State};

/// A client that authentication identifies, perhaps as another consumer on each side.
#[derive(Debug, PartialEq)]
pub struct Identity {
    /// The client as the report names it: `consumer NAME`, or `holder of` a credential.
    pub client: String,
    /// The consumer on each side; `None` where the client is refused.
    pub consumers: [Option<Ix<Consumer>>; 2],
    /// What changes: a credential or a membership, with the plugin that looks at it.
    role: Role,
}

/// Maximum number of clients that are sampled.
const MAX_CLIENTS: usize = 32;
/// Maximum number of routes that are sampled for each client.
const MAX_ROUTES_PER_CLIENT: usize = 3;

/// Returns the clients whose identity or groups the changes affect.
pub fn changed(changes: &[Change], old: &Side<'_>, new: &Side<'_>) -> Vec<Identity> {
    let states = [old.rows, new.rows];
    let mut found: Vec<Identity> = Vec::new();
    for change in changes {
        let Some(consumers) = identified(change, states) else { continue };
        let role = change.kind.role;
        let client = match role {
            Role::Group(_) => {
                consumers.iter().zip(states).find_map(|(ix, state)| Some(called(state, (*ix)?)))
            }
            _ => Some(format!("holder of {change}")),
        };
        let identity = Identity { client: client.unwrap_or_default(), consumers, role };
        let is_known =
            |other: &Identity| other.role == identity.role && other.consumers == identity.consumers;
        if consumers != [None, None] && found.len() < MAX_CLIENTS && !found.iter().any(is_known) {
            found.push(identity);
        }
    }
    found
}

impl Identity {
    /// Returns some of the routes on which the plugin runs that reads the changed entity.
    pub fn routes(&self, old: &Side<'_>, new: &Side<'_>) -> Vec<Ix<Route>> {
        let is = |name: &str| matches!(self.role, Role::Credential(own) | Role::Group(own) if own == name);
        let shared = old.shared(new).filter(|(a, b, _)| runs(old, *a, is) || runs(new, *b, is));
        shared.map(|(_, after, _)| after).take(MAX_ROUTES_PER_CLIENT).collect()
    }

    /// Returns the consumer that a request to these routes is identified as, on each side. `None` if no plugin of the
    /// route reads the credential.
    pub fn on(
        &self,
        (old, before): (&Side<'_>, Option<Ix<Route>>),
        (new, after): (&Side<'_>, Option<Ix<Route>>),
    ) -> [Option<Ix<Consumer>>; 2] {
        let identifies = |side: &Side<'_>, route: Option<Ix<Route>>| {
            let is = |name: &str| match self.role {
                Role::Credential(plugin) => name == plugin,
                _ => side.catalog.registry().authenticates(name),
            };
            route.is_some_and(|route| runs(side, route, is))
        };
        let [was, is] = self.consumers;
        [was.filter(|_| identifies(old, before)), is.filter(|_| identifies(new, after))]
    }
}

fn called(state: &State, consumer: Ix<Consumer>) -> String {
    let row = &state.consumers[consumer];
    let name = Row::name(row).or(row.custom_id.as_deref()).unwrap_or_default();
    format!("consumer {name}")
}

/// Returns the consumer that owns a changed credential or membership on each side.
fn identified(change: &Change, states: [&State; 2]) -> Option<[Option<Ix<Consumer>>; 2]> {
    let tables = states.map(|state| state.tables()[change.kind.number]);
    let side = (0..2).find(|side| change.rows[*side].is_some())?;
    let row = tables[side].row(change.rows[side]?);
    match change.kind.role {
        Role::Credential(_) => {
            let name = row.name()?;
            let owner = |side: usize| {
                let row = tables[side].row(tables[side].index_of_name(name)?);
                states[side].consumers.by_id(row.linked("consumer")?)
            };
            Some([owner(0), owner(1)])
        }
        Role::Group(_) => {
            let id = row.linked("consumer")?;
            let row = &states[side].consumers[states[side].consumers.by_id(id)?];
            Some(states.map(|state| match (&row.username, &row.custom_id) {
                (Some(name), _) => state.consumers.by_name(name),
                (None, Some(custom)) => state.consumer_by_custom_id(custom),
                (None, None) => state.consumers.by_id(id),
            }))
        }
        Role::Configuration | Role::RuntimeData(_) => None,
    }
}
