//! The collections of the admin API: each kind of entity that has endpoints.

use std::sync::LazyLock;

use serde_json::{Value, json};

use model::{Admin, DisplayState, KINDS, Rows};
use upstream::canonical_target;

/// Names of a kind in the API.
#[derive(Debug, PartialEq, Eq)]
pub struct Collection {
    /// The kind, as in a file.
    pub kind: &'static str,
    /// Path segment of its list.
    pub path: &'static str,
    /// Path segment of its list under another entity.
    pub nested: &'static str,
    /// The field that can identify an entity instead of its id.
    pub key: Option<&'static str>,
    /// Whether it has top-level endpoints, and not only endpoints under another entity.
    pub top: bool,
    /// Whether its entities may have tags.
    pub tagged: bool,
}

/// All collections of the API.
pub static COLLECTIONS: LazyLock<Vec<Collection>> = LazyLock::new(|| {
    let collections = KINDS.iter().filter_map(|kind| {
        let Admin { path, nested, key, top } = kind.admin?;
        let (key, tagged) = (key.or(kind.name), kind.tags.is_some());
        Some(Collection { kind: kind.key, path, nested, key, top, tagged })
    });
    collections.collect()
});

/// Renders an entity for the API. A certificate includes its SNIs, a target its port.
pub fn shown(state: DisplayState<'_>, kind: &str, rows: &dyn Rows, row: usize) -> Value {
    let mut json = rows.row(row).to_json();
    if kind == "certificates" {
        let id = rows.row(row).id();
        let names = state.snis.rows().iter().filter(|sni| sni.certificate.id == id).map(|sni| &sni.name);
        json["snis"] = json!(names.collect::<Vec<_>>());
    }
    if let ("targets", Some(target)) = (kind, json["target"].as_str()) {
        json["target"] = canonical_target(target).into();
    }
    json
}
