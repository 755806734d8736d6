//! Rows of both sides, joined by identity.

use std::collections::BTreeMap;

use ahash::AHashMap;

use super::{
    identity::{GENERATED, Item},
    value_fields,
};

/// One entity's row number on each side.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pair {
    /// `None` if a side does not have it.
    pub rows: [Option<usize>; 2],
    /// Whether both fingerprints are equal.
    pub is_equal: bool,
}

/// Pairs by identity and number: two nameless entities may look alike; the n-th of one side is the n-th of the other.
pub type Pairs = BTreeMap<(String, usize), Pair>;

/// Joins rows, given as identity and fingerprint, whose identity is equal.
pub fn by_identity(old: Vec<(String, u64)>, new: Vec<(String, u64)>) -> Pairs {
    let mut pairs: BTreeMap<(String, usize), (Pair, u64)> = BTreeMap::new();
    for (side, prints) in [(0, old), (1, new)] {
        let mut alike: AHashMap<String, usize> = AHashMap::new();
        for (row, (identity, print)) in prints.into_iter().enumerate() {
            let count = alike.entry(identity.clone()).or_default();
            let (pair, other) = pairs.entry((identity, *count)).or_default();
            *count += 1;
            pair.rows[side] = Some(row);
            pair.is_equal = side == 1 && *other == print;
            *other = print;
        }
    }
    pairs.into_iter().map(|(key, (pair, _))| (key, pair)).collect()
}

/// Joins rows whose key a file leaves out with those of the running gateway that have the same owner and no
/// counterpart: there the key is the one that was generated when the file was loaded.
pub fn join_nameless(pairs: &mut Pairs, running: usize, item: impl Fn(usize, usize) -> Item) {
    let file = 1 - running;
    let alone = |side: usize| -> Vec<((String, usize), usize)> {
        let alone = pairs.iter().filter(|(_, pair)| pair.rows[1 - side].is_none());
        alone.filter_map(|(key, pair)| Some((key.clone(), pair.rows[side]?))).collect()
    };
    let nameless: Vec<_> = alone(file)
        .into_iter()
        .map(|(key, row)| (key, row, item(file, row)))
        .filter(|(.., item)| item.is_nameless)
        .collect();
    if nameless.is_empty() {
        return;
    }
    let mut candidates: BTreeMap<String, Vec<((String, usize), usize, Item)>> = BTreeMap::new();
    for (key, row) in alone(running) {
        let item = item(running, row);
        candidates.entry(item.owners.clone()).or_default().push((key, row, item));
    }
    for (key, row, item) in nameless {
        let Some(candidates) = candidates.get_mut(&item.owners).filter(|list| !list.is_empty()) else {
            continue;
        };
        // The one that is equal in all that the file says, if there is one.
        let place = candidates.iter().position(|(.., other)| is_alike(&item, other)).unwrap_or_default();
        let (other_key, other_row, _) = candidates.swap_remove(place);
        pairs.remove(&other_key);
        let pair = pairs.entry(key).or_default();
        pair.rows[file] = Some(row);
        pair.rows[running] = Some(other_row);
        pair.is_equal = false;
    }
}

/// Whether two entities differ in nothing but generated texts.
fn is_alike(one: &Item, other: &Item) -> bool {
    value_fields(&one.value, &other.value)
        .iter()
        .all(|field| field.old == GENERATED || field.new == GENERATED)
}
