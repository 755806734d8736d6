//! Clients that authentication identifies as another consumer, or in other groups, than before: the holders of changed
//! credentials, and consumers whose groups change.

use super::{Side, reach::runs};
use crate::diff::Change;
use model::{Consumer, Ix, Route, Row, State};

/// A client that authentication identifies, perhaps as another consumer on each side.
#[derive(Debug, PartialEq)]
pub struct Identity {
    /// The client as the report names it: `consumer NAME`, or `holder of` a credential.
    pub client: String,
    /// The consumer on each side; `None` where the client is refused.
    pub consumers: [Option<Ix<Consumer>>; 2],
    /// The plugin that reads the changed entity.
    plugin: &'static str,
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
        let Some((plugin, consumers)) = identified(change, states) else { continue };
        let client = match plugin {
            "acl" => consumers.iter().zip(states).find_map(|(ix, state)| Some(called(state, (*ix)?))),
            _ => Some(format!("holder of {change}")),
        };
        let identity = Identity { client: client.unwrap_or_default(), consumers, plugin };
        let is_known =
            |other: &Identity| other.plugin == identity.plugin && other.consumers == identity.consumers;
        if consumers != [None, None] && found.len() < MAX_CLIENTS && !found.iter().any(is_known) {
            found.push(identity);
        }
    }
    found
}

impl Identity {
    /// Returns some of the routes on which the plugin runs that reads the changed entity.
    pub fn routes(&self, old: &Side<'_>, new: &Side<'_>) -> Vec<Ix<Route>> {
        let is = |name: &str| name == self.plugin;
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
            let is = |name: &str| match self.plugin {
                "acl" => side.catalog.registry().authenticates(name),
                credential => name == credential,
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

/// Returns the plugin that reads a changed row, and the consumer that owns the row on each side.
fn identified(change: &Change, states: [&State; 2]) -> Option<(&'static str, [Option<Ix<Consumer>>; 2])> {
    macro_rules! credential {
        ($table:ident, $plugin:literal) => {{
            let row = (0..2).find_map(|side| Some(&states[side].$table.rows()[change.rows[side]?]))?;
            let name = row.name()?;
            let consumers = states.map(|state| {
                let row = &state.$table[state.$table.by_name(name)?];
                state.consumers.by_id(row.linked("consumer")?)
            });
            ($plugin, consumers)
        }};
    }
    Some(match change.kind.0 {
        "acls" => {
            let side = (0..2).find(|side| change.rows[*side].is_some())?;
            let id = states[side].acls.rows()[change.rows[side]?].linked("consumer")?;
            let row = &states[side].consumers[states[side].consumers.by_id(id)?];
            let consumers = states.map(|state| match (&row.username, &row.custom_id) {
                (Some(name), _) => state.consumers.by_name(name),
                (None, Some(custom)) => state.consumer_by_custom_id(custom),
                (None, None) => state.consumers.by_id(id),
            });
            ("acl", consumers)
        }
        "basicauth_credentials" => credential!(basicauth_credentials, "basic-auth"),
        "hmacauth_credentials" => credential!(hmacauth_credentials, "hmac-auth"),
        "jwt_secrets" => credential!(jwt_secrets, "jwt"),
        "keyauth_credentials" => credential!(keyauth_credentials, "key-auth"),
        "oauth2_credentials" => credential!(oauth2_credentials, "oauth2"),
        _ => return None,
    })
}
