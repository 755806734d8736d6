//! Ids derived from names, so that an entity has the same id after each load.

use std::sync::LazyLock;

use ahash::AHashMap;
use uuid::Uuid;

use super::KINDS;

const ROOT: Uuid = Uuid::from_u128(0xfd02801f_0957_4a15_a55a_c8d9606f30b5);

/// Returns the UUID namespace of a kind: a version 5 UUID of the name of the kind.
pub fn namespace(kind: &str) -> Uuid {
    static KNOWN: LazyLock<AHashMap<&str, Uuid>> =
        LazyLock::new(|| KINDS.iter().map(|kind| (kind.key, of_name(kind.key))).collect());
    KNOWN.get(kind).copied().unwrap_or_else(|| of_name(kind))
}

fn of_name(kind: &str) -> Uuid {
    Uuid::new_v5(&ROOT, kind.as_bytes())
}

/// Derives the id of an entity of a kind from a key (see `declarative.id` of each entity).
pub fn derived_id(kind: &str, key: &str) -> Uuid {
    Uuid::new_v5(&namespace(kind), key.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_equal_those_of_kong() {
        assert_eq!(derived_id("services", "a").to_string(), "72734e2a-702d-5711-b9ef-697178108ad8");
        assert_eq!(
            derived_id("plugins", "plugins:*:key-auth:::").to_string(),
            "6b4f38d1-e026-540b-a5ea-8634739dd2a7"
        );
    }
}
