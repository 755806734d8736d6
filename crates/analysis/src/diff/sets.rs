//! Lists whose order means nothing, sorted before they are compared.

use std::sync::{LazyLock, OnceLock};

use ahash::AHashMap;
use serde_json::Value;

use model::KINDS;
use plugin::Registry;

/// The sets in a value of some schema: whether it is one itself, and those inside it.
#[derive(Debug, Default)]
struct Sets {
    is_set: bool,
    /// Of named fields.
    fields: Vec<(String, Sets)>,
    /// Of a list's items, or of a map's values.
    inner: Option<Box<Sets>>,
}

static OF_KINDS: LazyLock<AHashMap<&str, Sets>> = LazyLock::new(|| {
    let of = |kind: &model::KindInfo| {
        let mut sets = Sets::of((kind.schema)().as_value());
        let unordered = kind.comparison.map_or(&[][..], |comparison| comparison.unordered);
        let as_set = |field: &&str| ((*field).to_owned(), Sets { is_set: true, ..Sets::default() });
        sets.fields.extend(unordered.iter().map(as_set));
        if kind.key == "routes" {
            // Each header's values.
            let values = Sets { is_set: true, ..Sets::default() };
            let headers = Sets { inner: Some(Box::new(values)), ..Sets::default() };
            sets.fields.push(("headers".to_owned(), headers));
        }
        (kind.key, sets)
    };
    KINDS.iter().map(of).collect()
});

/// The sets in the settings of all plugins, found on first use.
pub(super) struct PluginSets<'r> {
    registry: &'r Registry,
    by_name: OnceLock<AHashMap<&'r str, Sets>>,
}

impl<'r> PluginSets<'r> {
    pub fn new(registry: &'r Registry) -> Self {
        PluginSets { registry, by_name: OnceLock::new() }
    }

    fn of(&self, name: &str) -> Option<&Sets> {
        let all = || {
            let entries = self.registry.descriptors();
            entries.map(|entry| (&*entry.name, Sets::of((entry.schema)().as_value()))).collect()
        };
        self.by_name.get_or_init(all).get(name)
    }

    /// Sorts all sets of an entity, those of a plugin's settings included.
    pub fn sort(&self, kind: &str, value: &mut Value) {
        sort(kind, value);
        if kind == "plugins"
            && let Some(sets) = value["name"].as_str().and_then(|name| self.of(name))
            && let Some(config) = value.get_mut("config")
        {
            sets.sort(config);
        }
    }
}

impl Sets {
    fn of(schema: &Value) -> Sets {
        let mut sets = Sets::default();
        let flag = |name: &str| schema.get(name) == Some(&Value::Bool(true));
        sets.is_set = flag("x-set") || flag("uniqueItems");
        for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let inner = Sets::of(field);
            if !inner.is_empty() {
                sets.fields.push((name.clone(), inner));
            }
        }
        let inner = ["items", "additionalProperties"].iter().filter_map(|key| schema.get(*key)).map(Sets::of);
        sets.inner = inner.filter(|inner| !inner.is_empty()).map(Box::new).next();
        for option in schema.get("anyOf").and_then(Value::as_array).into_iter().flatten() {
            let Sets { is_set, fields, inner } = Sets::of(option);
            sets.is_set |= is_set;
            sets.fields.extend(fields);
            sets.inner = sets.inner.or(inner);
        }
        sets
    }

    fn is_empty(&self) -> bool {
        !self.is_set && self.fields.is_empty() && self.inner.is_none()
    }

    fn sort(&self, value: &mut Value) {
        if let Some(inner) = &self.inner {
            match value {
                Value::Array(items) => items.iter_mut().for_each(|item| inner.sort(item)),
                Value::Object(map) => map.values_mut().for_each(|value| inner.sort(value)),
                _ => {}
            }
        }
        for (name, field) in &self.fields {
            if let Some(value) = value.get_mut(name.as_str()) {
                field.sort(value);
            }
        }
        if let (true, Value::Array(items)) = (self.is_set, value) {
            items.sort_by_cached_key(ToString::to_string);
        }
    }
}

/// Sorts the sets of an entity; a plugin's settings are left as they are.
pub(super) fn sort(kind: &str, value: &mut Value) {
    if let Some(sets) = OF_KINDS.get(kind) {
        sets.sort(value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sets_are_sorted_wherever_the_schema_has_them() {
        let mut route = json!({"methods": ["PUT", "GET"], "hosts": ["b", "a"], "headers": {"x": ["2", "1"]}});
        sort("routes", &mut route);
        assert_eq!(
            route,
            json!({"methods": ["GET", "PUT"], "hosts": ["a", "b"], "headers": {"x": ["1", "2"]}})
        );
        let registry = plugins::registry();
        let sets = PluginSets::new(&registry);
        let mut plugin = json!({"name": "jwt", "config": {"header_names": ["b", "a"]}});
        sets.sort("plugins", &mut plugin);
        assert_eq!(plugin["config"]["header_names"], json!(["a", "b"]));
        let mut plugin = json!({"name": "cors", "config": {"methods": ["PUT", "GET"]}});
        sets.sort("plugins", &mut plugin);
        assert_eq!(
            plugin["config"]["methods"],
            json!(["PUT", "GET"]),
            "a list that is no set keeps its order"
        );
    }
}
