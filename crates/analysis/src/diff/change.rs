//! One difference, as data.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{
    identity::{GENERATED, Item},
    secret,
};
use config::secret::SecretFields;
use model::KindInfo;
use source::NodeId;

/// What happens to an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Action {
    Create,
    Update,
    Delete,
}

/// One step of a path into an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Into a record or map.
    Key(String),
    /// Into a list, from 0.
    Index(usize),
}

/// A field that differs; null where one side lacks it.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// Where in the entity.
    pub path: Vec<Segment>,
    /// Before.
    pub old: Value,
    /// After.
    pub new: Value,
}

impl FieldChange {
    /// The path as people write it: `config.redis.host`, `headers[0].name`.
    pub fn name(&self) -> String {
        let mut text = String::new();
        for segment in &self.path {
            match segment {
                Segment::Key(key) if text.is_empty() => text.push_str(key),
                Segment::Key(key) => {
                    text.push('.');
                    text.push_str(key);
                }
                Segment::Index(i) => text.push_str(&format!("[{i}]")),
            }
        }
        text
    }
}

impl FieldChange {
    /// Masks both values if the field is one of these or inside one, else those parts of them that are secrets.
    pub(crate) fn mask(&mut self, secrets: &[String], fields: &SecretFields) {
        let last = self.path.iter().rev().find_map(|segment| match segment {
            Segment::Key(key) => Some(key.as_str()),
            Segment::Index(_) => None,
        });
        let named = last.is_some_and(|name| fields.is_credential_field(name));
        for value in [&mut self.old, &mut self.new] {
            if named || secret::covers(secrets, &self.path) {
                *value = secret::masked(value);
            } else {
                // Paths within the value begin where its own ends.
                let own = self.path.iter().filter_map(|segment| match segment {
                    Segment::Key(key) => Some(key.as_str()),
                    Segment::Index(_) => None,
                });
                let prefix = own.map(|key| format!("{key}.")).collect::<String>();
                let inside: Vec<String> =
                    secrets.iter().filter_map(|path| path.strip_prefix(&prefix)).map(str::to_owned).collect();
                secret::mask(value, &inside, fields);
            }
        }
    }
}

impl Serialize for FieldChange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut s = serializer.serialize_struct("FieldChange", 3)?;
        s.serialize_field("field", &self.name())?;
        s.serialize_field("old", &self.old)?;
        s.serialize_field("new", &self.new)?;
        s.end()
    }
}

/// An entity that was added, removed or changed. Secrets in it are masked already.
#[derive(Clone, Debug)]
pub struct Change {
    /// What happens.
    pub action: Action,
    /// The kind of entity.
    pub kind: &'static KindInfo,
    /// The entity in decK's words: its name and what it belongs to. A name that is a secret is left out.
    pub name: String,
    /// The changed fields of an update.
    pub fields: Vec<FieldChange>,
    /// The whole entity before.
    pub old: Option<Value>,
    /// The whole entity after.
    pub new: Option<Value>,
    /// Where the entity is written before and after.
    pub origins: [Option<NodeId>; 2],
    /// Its number in the table of its kind before and after.
    pub rows: [Option<usize>; 2],
}

impl Change {
    pub(super) fn whole(
        action: Action,
        kind: &'static KindInfo,
        item: Item,
        row: usize,
        masks: &SecretFields,
    ) -> Self {
        let Item { name, mut value, origin, secrets, .. } = item;
        tidy(&mut value, secrets, masks);
        let (old, new, origins, rows) = match action {
            Action::Delete => (Some(value), None, [origin, None], [Some(row), None]),
            _ => (None, Some(value), [None, origin], [None, Some(row)]),
        };
        let name = masks.redact(&name).into_owned();
        Change { action, kind, name, fields: Vec::new(), old, new, origins, rows }
    }

    pub(super) fn update(
        kind: &'static KindInfo,
        (mut old, mut new): (Item, Item),
        mut fields: Vec<FieldChange>,
        rows: [usize; 2],
        masks: &SecretFields,
    ) -> Self {
        for field in &mut fields {
            field.mask(new.secrets, masks);
            field.mask(old.secrets, masks);
            show_generated(&mut field.old);
            show_generated(&mut field.new);
        }
        tidy(&mut old.value, old.secrets, masks);
        tidy(&mut new.value, new.secrets, masks);
        Change {
            action: Action::Update,
            kind,
            name: masks.redact(&new.name).into_owned(),
            fields,
            origins: [old.origin, new.origin],
            old: Some(old.value),
            new: Some(new.value),
            rows: rows.map(Some),
        }
    }

    /// The kind in the singular, in decK's words: `service`, `ca-certificate`, `key-auth`.
    pub fn singular(&self) -> &'static str {
        self.kind.comparison.map_or(self.kind.key, |comparison| comparison.singular)
    }
}

/// Masks secrets, and shows generated texts as such.
fn tidy(value: &mut Value, secrets: &[String], masks: &SecretFields) {
    secret::mask(value, secrets, masks);
    value.as_object_mut().into_iter().flatten().for_each(|(_, value)| show_generated(value));
}

fn show_generated(value: &mut Value) {
    if value == GENERATED {
        *value = GENERATED.trim_start_matches('\0').into();
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.as_str() {
            "" => f.write_str(self.singular()),
            name => write!(f, "{} {name}", self.singular()),
        }
    }
}
