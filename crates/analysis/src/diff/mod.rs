//! What differs between two configurations: entities matched by identity, changed fields named one by
//! one, secrets masked on both sides. Pure data in a stable order; rendering is the command line's.

mod change;
mod equal;
mod identity;
mod pairs;
mod secret;
mod sets;
mod side;

use serde_json::Value;

pub use change::{Action, Change, FieldChange, Segment};
pub use config::secret::MASK;
pub use side::Side;

use config::Catalog;
use identity::{Item, Names};
use model::{KINDS, KindInfo, PluginEntity, Rows, State};
use pairs::Pair;
use sets::PluginSets;

/// The changes that turn `old` into `new`, both as they stand.
pub fn diff(old: &State, new: &State, catalog: &'static Catalog) -> Vec<Change> {
    compare(&Side::of(old, catalog), &Side::of(new, catalog))
}

/// The changes that turn `old` into `new`: by kind in load order, then by identity. Times of making and
/// loading are left out, sets are compared as sets, defaults are filled in on both sides, and texts that are generated
/// at every load are equal, so that a configuration never differs from itself written another way.
pub fn compare(old: &Side<'_>, new: &Side<'_>) -> Vec<Change> {
    let states = [old.compared(new), new.compared(old)];
    let names = states.map(Names::of);
    let plugin_sets = PluginSets::new(new.catalog.registry());
    let mut comparison = Comparison { sides: [old, new], names, plugin_sets, changes: Vec::new() };
    let tables = states.map(State::tables);
    let written = [old.written.tables(), new.written.tables()];
    for kind in KINDS.iter().filter(|kind| kind.comparison.is_some()) {
        let of_kind = |tables: &[_; 2]| tables.each_ref().map(|side: &[&_; KINDS.len()]| side[kind.number]);
        comparison.of_kind(kind, of_kind(&tables), of_kind(&written));
    }
    comparison.changes
}

/// A plugin's row as it is compared, and as it is written.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    /// As it is compared.
    pub compared: &'a PluginEntity,
    /// As the file has it; its values are those that are shown.
    pub written: &'a PluginEntity,
}

/// The settings in which two rows of one plugin differ, secrets masked: `config` and below.
pub fn plugin_settings(old: Written<'_>, new: Written<'_>, catalog: &'static Catalog) -> Vec<FieldChange> {
    let plugin_sets = PluginSets::new(catalog.registry());
    let value = |row: &PluginEntity| {
        let mut value = serde_json::json!({ "name": row.name, "config": row.config.json() });
        plugin_sets.sort("plugins", &mut value);
        value
    };
    let compared = [value(old.compared), value(new.compared)];
    let mut fields = value_fields(&compared[0], &compared[1]);
    if fields.is_empty() {
        return fields;
    }
    let written = [value(old.written), value(new.written)];
    equal::show_written(&mut fields, [&compared[0], &compared[1]], [&written[0], &written[1]]);
    let masks = catalog.secrets();
    let secrets = secret::paths(masks, "plugins", &compared[1]);
    fields.iter_mut().for_each(|field| field.mask(secrets, masks));
    fields
}

/// The leaves in which two values differ.
pub fn value_fields(old: &Value, new: &Value) -> Vec<FieldChange> {
    let mut fields = Vec::new();
    leaves(old, new, &mut Vec::new(), &mut fields);
    fields
}

struct Comparison<'a> {
    sides: [&'a Side<'a>; 2],
    names: [Names; 2],
    plugin_sets: PluginSets<'a>,
    changes: Vec<Change>,
}

impl Comparison<'_> {
    /// Compares the rows of one kind; `written` are the same rows as the files have them.
    fn of_kind(&mut self, kind: &'static KindInfo, tables: [&dyn Rows; 2], written: [&dyn Rows; 2]) {
        let item_of = |tables: [&dyn Rows; 2], side: usize, row: usize| {
            Item::of(kind, tables[side].row(row), &self.names[side], self.sides[side], &self.plugin_sets)
        };
        let item = |side: usize, row: usize| item_of(tables, side, row);
        let shown = |side: usize, row: usize| item_of(written, side, row);
        let masks = self.sides[1].catalog.secrets();
        // First by fingerprints, one side a thread: of most rows of a large file no more is ever needed.
        let prints = |side: usize| -> Vec<(String, u64)> {
            (0..tables[side].len()).map(|row| item(side, row).fingerprint()).collect()
        };
        let (ours, theirs) = std::thread::scope(|scope| {
            let other = scope.spawn(|| prints(1));
            (prints(0), other.join())
        });
        let theirs = theirs.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let mut pairs = pairs::by_identity(ours, theirs);
        if let Some(running) = self.sides.iter().position(|side| side.running)
            && !kind.generated.is_empty()
        {
            pairs::join_nameless(&mut pairs, running, item);
        }
        for pair in pairs.into_values() {
            let change = match pair {
                Pair { rows: [Some(_), Some(_)], is_equal: true } => continue,
                Pair { rows: [None, Some(row)], .. } => {
                    Change::whole(Action::Create, kind, shown(1, row), row, masks)
                }
                Pair { rows: [Some(row), None], .. } => {
                    Change::whole(Action::Delete, kind, shown(0, row), row, masks)
                }
                Pair { rows: [Some(old), Some(new)], .. } => {
                    let compared = [item(0, old), item(1, new)];
                    let shown = [shown(0, old), shown(1, new)];
                    let fields = equal::differing(kind.key, self.sides, &compared, &shown);
                    let [before, after] = shown;
                    match fields.is_empty() {
                        true => continue,
                        false => Change::update(kind, (before, after), fields, [old, new], masks),
                    }
                }
                Pair { rows: [None, None], .. } => continue,
            };
            self.changes.push(change);
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
            // A list whose length changed is reported as one change: compared by index, all elements after the first
            // difference would be reported too.
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
