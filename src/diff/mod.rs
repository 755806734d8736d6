//! What differs between two configurations: entities matched by identity, changed fields named one by
//! one, secrets masked on both sides. Pure data in a stable order; rendering is the command line's.

mod change;
mod identity;
mod secret;

use std::collections::BTreeMap;

use ahash::AHashMap;
use serde_json::Value;

pub use crate::config::secret::MASK;
pub use change::{Action, Change, FieldChange, Segment};

use crate::model::{Plugin, Row, State, Table};
use identity::{Item, Names};

/// The changes that turn `old` into `new`: by kind in load order, then by identity. Times of making and
/// loading are left out, sets are compared as sets, and defaults are filled in on both sides, so a
/// configuration never differs from itself written another way.
/// Vault references are compared as they are written.
pub fn diff(old: &State, new: &State) -> Vec<Change> {
    let (old, new) = (old.display(), new.display());
    let sides = [Names::of(&old), Names::of(&new)];
    let mut changes = Vec::new();
    macro_rules! kinds {
        ($($table:ident),* $(,)?) => {$(
            compare(&mut changes, &old.$table, &new.$table, &sides);
        )*};
    }
    kinds!(
        ca_certificates,
        certificates,
        consumers,
        key_sets,
        keys,
        services,
        routes,
        plugins,
        snis,
        upstreams,
        targets,
        vaults,
        acls,
        basicauth_credentials,
        hmacauth_credentials,
        jwt_secrets,
        keyauth_credentials,
        oauth2_credentials,
    );
    changes
}

/// The settings in which two rows of one plugin differ, secrets masked: `config` and below.
pub fn plugin_settings(old: &Plugin, new: &Plugin) -> Vec<FieldChange> {
    let side = |row: &Plugin| serde_json::json!({ "name": row.name, "config": row.config.json() });
    let (old, new) = (side(old), side(new));
    let mut fields = Vec::new();
    leaves(&old, &new, &mut Vec::new(), &mut fields);
    let secrets = secret::paths("plugins", &new);
    fields.iter_mut().for_each(|field| field.mask(secrets));
    fields
}

fn compare<T: Row + serde::Serialize + Sync>(
    changes: &mut Vec<Change>,
    old: &Table<T>,
    new: &Table<T>,
    names: &[Names; 2],
) {
    let tables = [old, new];
    // First by fingerprints, one side a thread: of most rows of a large file no more is ever needed.
    let prints = |side: usize| -> Vec<(String, u64)> {
        let rows = tables[side].rows().iter();
        rows.map(|row| Item::of(row, &names[side]).fingerprint()).collect()
    };
    let (ours, theirs) = std::thread::scope(|scope| {
        let other = scope.spawn(|| prints(1));
        (prints(0), other.join())
    });
    let theirs = theirs.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    // Two nameless entities may look alike; the n-th of one side meets the n-th of the other.
    let mut pairs: BTreeMap<(String, usize), [Option<(usize, u64)>; 2]> = BTreeMap::new();
    for (side, prints) in [(0, ours), (1, theirs)] {
        let mut alike: AHashMap<String, usize> = AHashMap::new();
        for (row, (identity, print)) in prints.into_iter().enumerate() {
            let count = alike.entry(identity.clone()).or_default();
            pairs.entry((identity, *count)).or_default()[side] = Some((row, print));
            *count += 1;
        }
    }
    let kind = T::KIND;
    let item = |side: usize, row: usize| Item::of(&tables[side].rows()[row], &names[side]);
    for pair in pairs.into_values() {
        match pair {
            [Some((_, old)), Some((_, new))] if old == new => {}
            [None, Some((row, _))] => changes.push(Change::whole(Action::Create, kind, item(1, row))),
            [Some((row, _)), None] => changes.push(Change::whole(Action::Delete, kind, item(0, row))),
            [Some((old, _)), Some((new, _))] => {
                let (old, new) = (item(0, old), item(1, new));
                let mut fields = Vec::new();
                leaves(&old.value, &new.value, &mut Vec::new(), &mut fields);
                if !fields.is_empty() {
                    changes.push(Change::update(kind, old, new, fields));
                }
            }
            [None, None] => {}
        }
    }
}

/// Walks two values side by side and notes the leaves that differ.
fn leaves(old: &Value, new: &Value, path: &mut Vec<Segment>, found: &mut Vec<FieldChange>) {
    match (old, new) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = a.keys().chain(b.keys().filter(|k| !a.contains_key(*k)));
            for key in keys {
                path.push(Segment::Key(key.clone()));
                leaves(a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null), path, found);
                path.pop();
            }
        }
        (Value::Array(a), Value::Array(b)) if a != b => {
            // A list that grew or shrank is told as one change; element by element would blame the rest.
            if a.len() == b.len() && a.iter().chain(b).all(Value::is_object) {
                for (i, (a, b)) in a.iter().zip(b).enumerate() {
                    path.push(Segment::Index(i));
                    leaves(a, b, path, found);
                    path.pop();
                }
            } else {
                found.push(FieldChange { path: path.clone(), old: old.clone(), new: new.clone() });
            }
        }
        _ if old == new => {}
        _ => found.push(FieldChange { path: path.clone(), old: old.clone(), new: new.clone() }),
    }
}

#[cfg(test)]
mod tests;
