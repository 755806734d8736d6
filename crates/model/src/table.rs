//! Tables of rows, indexed by position, by id and by name.

use std::{fmt, hash::Hash, marker::PhantomData};

use ahash::RandomState;
use hashbrown::HashTable;
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeMap};
use uuid::Uuid;

use super::KindInfo;
use source::{DeError, Document, NodeId};

/// A kind of entity, by its key in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(pub &'static str);

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A row of a table, whatever its kind.
pub trait Row: std::any::Any + Send + Sync {
    /// Its kind.
    fn kind(&self) -> Kind;
    /// Its id.
    fn id(&self) -> Uuid;
    /// The unique field that can identify it instead of the id, if it has one: a name, a username, a key.
    fn name(&self) -> Option<&str>;
    /// Its position in the source text; `None` for rows that the gateway adds.
    fn origin(&self) -> Option<NodeId>;
    /// Its labels.
    fn tags(&self) -> &[String];
    /// Sets what a file does not contain: id, origin, time of loading, random defaults.
    fn assign(&mut self, id: Uuid, origin: Option<NodeId>, now: f64);
    /// Resolves a reference field to an id. Does nothing for other fields.
    fn link(&mut self, field: &str, id: Uuid);
    /// Returns the id that a reference field refers to. `None` for other fields and for absent references.
    fn linked(&self, field: &str) -> Option<Uuid>;
    /// Serializes it with all its fields, absent ones as null.
    fn to_json(&self) -> serde_json::Value;
}

/// The type of the rows of one kind. The table of entities implements it.
pub trait Entity: Row + Sized {
    /// The kind, such as `services`.
    const KIND: Kind;
    /// The kind's entry in the table of entities.
    const INFO: &'static KindInfo;
    /// Reads a row from a node that has passed validation. Ids and references are set later.
    ///
    /// # Errors
    /// If the node does not fit the type, or rows of the kind are not read from one node.
    fn read(document: &Document, node: NodeId) -> Result<Self, DeError>;
}

/// The rows of one kind, whatever their type.
pub trait Rows: Send + Sync {
    /// The kind's entry in the table of entities.
    fn info(&self) -> &'static KindInfo;
    /// Number of rows.
    fn len(&self) -> usize;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Returns a row.
    ///
    /// # Panics
    /// If there are not so many.
    fn row(&self, index: usize) -> &dyn Row;
    /// Finds the index of a row by id.
    fn index_of_id(&self, id: Uuid) -> Option<usize>;
    /// Finds the index of a row by its unique name.
    fn index_of_name(&self, name: &str) -> Option<usize>;
    /// Reserves capacity for that many additional rows.
    fn reserve(&mut self, rows: usize);
    /// Reads a row from a node, completes it and adds it.
    ///
    /// # Errors
    /// See [`Entity::read`].
    fn push_node(
        &mut self,
        document: &Document,
        node: NodeId,
        complete: &mut dyn FnMut(&mut dyn Row),
    ) -> Result<(), DeError>;
}

impl dyn Rows + '_ {
    /// Iterates over the rows.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &dyn Row> {
        (0..self.len()).map(|index| self.row(index))
    }
}

impl<T: Entity> Rows for Table<T> {
    fn info(&self) -> &'static KindInfo {
        T::INFO
    }
    fn len(&self) -> usize {
        self.rows.len()
    }
    fn row(&self, index: usize) -> &dyn Row {
        &self.rows[index]
    }
    fn index_of_id(&self, id: Uuid) -> Option<usize> {
        self.by_id(id).map(Ix::get)
    }
    fn index_of_name(&self, name: &str) -> Option<usize> {
        self.by_name(name).map(Ix::get)
    }
    fn reserve(&mut self, rows: usize) {
        Table::reserve(self, rows);
    }
    fn push_node(
        &mut self,
        document: &Document,
        node: NodeId,
        complete: &mut dyn FnMut(&mut dyn Row),
    ) -> Result<(), DeError> {
        let mut row = T::read(document, node)?;
        complete(&mut row);
        self.push(row);
        Ok(())
    }
}

/// A reference field.
pub(crate) trait Link {
    fn point(&mut self, id: Uuid);
    fn target(&self) -> Option<Uuid>;
}
impl<T> Link for Ref<T> {
    fn point(&mut self, id: Uuid) {
        self.id = id;
    }
    fn target(&self) -> Option<Uuid> {
        Some(self.id)
    }
}
impl<T> Link for Option<Ref<T>> {
    fn point(&mut self, id: Uuid) {
        *self = Some(Ref::new(id));
    }
    fn target(&self) -> Option<Uuid> {
        self.map(|reference| reference.id)
    }
}

/// A timestamp of creation or of loading: seconds, with or without fractions.
pub(crate) trait TimestampField {
    fn set_default(&mut self, now: f64);
    fn set_now(&mut self, now: f64);
}
impl TimestampField for i64 {
    fn set_default(&mut self, now: f64) {
        if *self == 0 {
            self.set_now(now);
        }
    }
    fn set_now(&mut self, now: f64) {
        *self = now as i64;
    }
}
impl TimestampField for f64 {
    fn set_default(&mut self, now: f64) {
        if *self == 0.0 {
            self.set_now(now);
        }
    }
    fn set_now(&mut self, now: f64) {
        *self = now;
    }
}

/// A text field with a random default: 32 letters and digits.
pub(crate) trait RandomDefault {
    fn set_random_default(&mut self);
}
impl RandomDefault for String {
    fn set_random_default(&mut self) {
        if self.is_empty() {
            *self = Uuid::new_v4().simple().to_string();
        }
    }
}
impl RandomDefault for Option<String> {
    fn set_random_default(&mut self) {
        self.get_or_insert_default().set_random_default();
    }
}

/// Index of a row in its table: four bytes, `Copy`.
pub struct Ix<T>(u32, PhantomData<fn() -> T>);

impl<T> Ix<T> {
    /// Returns the index.
    pub fn get(self) -> usize {
        self.0 as usize
    }

    /// Creates an index, which is not checked.
    pub fn new(index: usize) -> Self {
        Ix(index as u32, PhantomData)
    }
}

impl<T> Clone for Ix<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Ix<T> {}
impl<T> PartialEq for Ix<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<T> Eq for Ix<T> {}
impl<T> PartialOrd for Ix<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Ix<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}
impl<T> Hash for Ix<T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<T> fmt::Debug for Ix<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// A reference to a row of another table, by id: `{"id": "…"}` in JSON.
pub struct Ref<T> {
    /// The row's id.
    pub id: Uuid,
    kind: PhantomData<fn() -> T>,
}

impl<T> Ref<T> {
    /// Creates a reference to that id.
    pub const fn new(id: Uuid) -> Self {
        Ref { id, kind: PhantomData }
    }
}

impl<T> Default for Ref<T> {
    fn default() -> Self {
        Ref::new(Uuid::nil())
    }
}
impl<T> Clone for Ref<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Ref<T> {}
impl<T> PartialEq for Ref<T> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}
impl<T> Eq for Ref<T> {}
impl<T> fmt::Debug for Ref<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}
impl<T> Serialize for Ref<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("id", &self.id)?;
        map.end()
    }
}
impl<'de, T> Deserialize<'de> for Ref<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// A file may refer to an entity by name too; `config` resolves that with [`Row::link`].
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum RawRef {
            Object { id: Uuid },
            Text(String),
        }
        Ok(match RawRef::deserialize(deserializer)? {
            RawRef::Object { id } => Ref::new(id),
            RawRef::Text(text) => Ref::new(Uuid::parse_str(&text).unwrap_or_default()),
        })
    }
}

/// The rows of one kind, in the order of the file.
#[derive(Clone, Debug)]
pub struct Table<T> {
    rows: Vec<T>,
    /// Row indexes by the hashes of ids and names. Keys are compared in the rows, so that they are not stored twice.
    by_id: HashTable<u32>,
    by_name: HashTable<u32>,
    hasher: RandomState,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        let (by_id, by_name) = (HashTable::new(), HashTable::new());
        Table { rows: Vec::new(), by_id, by_name, hasher: RandomState::default() }
    }
}

impl<T: Row> Table<T> {
    /// Adds a row. Among rows with the same id or name, the first one is found.
    pub fn push(&mut self, row: T) -> Ix<T> {
        let ix = self.rows.len() as u32;
        self.rows.push(row);
        let Table { rows, by_id, by_name, hasher } = self;
        let at = |ix: &u32| &rows[*ix as usize];
        let row = at(&ix);
        let hash = |ix: &u32| hasher.hash_one(at(ix).id());
        by_id.entry(hash(&ix), |other| at(other).id() == row.id(), hash).or_insert(ix);
        if row.name().is_some() {
            let hash = |ix: &u32| hasher.hash_one(at(ix).name());
            by_name.entry(hash(&ix), |other| at(other).name() == row.name(), hash).or_insert(ix);
        }
        Ix(ix, PhantomData)
    }

    /// Reserves capacity for that many additional rows.
    pub fn reserve(&mut self, rows: usize) {
        self.rows.reserve_exact(rows);
        let Table { rows: known, by_id, by_name, hasher } = self;
        by_id.reserve(rows, |ix| hasher.hash_one(known[*ix as usize].id()));
        by_name.reserve(rows, |ix| hasher.hash_one(known[*ix as usize].name()));
    }

    /// Changes every row. Ids and names must not change, since they are indexed.
    pub fn change(&mut self, change: impl FnMut(&mut T)) {
        self.rows.iter_mut().for_each(change);
    }

    /// Returns the row with that index.
    pub fn get(&self, ix: Ix<T>) -> &T {
        &self.rows[ix.get()]
    }

    /// Finds a row by id.
    pub fn by_id(&self, id: Uuid) -> Option<Ix<T>> {
        let row = self.by_id.find(self.hasher.hash_one(id), |i| self.rows[*i as usize].id() == id);
        row.map(|&i| Ix(i, PhantomData))
    }

    /// Finds a row by reference.
    pub fn find(&self, reference: Ref<T>) -> Option<Ix<T>> {
        self.by_id(reference.id)
    }

    /// Finds a row by its unique name.
    pub fn by_name(&self, name: &str) -> Option<Ix<T>> {
        let name = Some(name);
        let row = self.by_name.find(self.hasher.hash_one(name), |i| self.rows[*i as usize].name() == name);
        row.map(|&i| Ix(i, PhantomData))
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Iterates over all rows with their indexes.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Ix<T>, &T)> {
        self.rows.iter().enumerate().map(|(i, row)| (Ix(i as u32, PhantomData), row))
    }

    /// All rows.
    pub fn rows(&self) -> &[T] {
        &self.rows
    }
}

impl<T> std::ops::Index<Ix<T>> for Table<T> {
    type Output = T;
    fn index(&self, ix: Ix<T>) -> &T {
        &self.rows[ix.get()]
    }
}

impl<T: Entity> schemars::JsonSchema for Ref<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Ref_to_{}", T::KIND).into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "anyOf": [
                { "type": "string", "minLength": 1 },
                { "type": "object", "properties": { "id": { "type": "string", "format": "uuid" } }, "required": ["id"] },
            ],
            "x-foreign": T::KIND.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Table;
    use crate::{Row, Service, derived_id};

    #[test]
    fn the_first_row_with_an_id_or_name_is_found() {
        let row = |id: &str, name: &str| -> Service {
            let (id, host) = (derived_id("services", id), "h.test");
            serde_json::from_value(serde_json::json!({ "id": id, "name": name, "host": host })).unwrap()
        };
        let mut table = Table::default();
        let first = table.push(row("a", "one"));
        table.push(row("b", "one"));
        table.push(row("a", "two"));
        // Enough for both indexes to grow.
        let others: Vec<_> = (0..100).map(|i| table.push(row(&i.to_string(), &format!("n{i}")))).collect();
        assert_eq!(table.by_name("one"), Some(first));
        assert_eq!(table.by_id(derived_id("services", "a")), Some(first));
        assert_eq!(table.by_name("three"), None);
        for (i, ix) in others.into_iter().enumerate() {
            assert_eq!(table.by_name(&format!("n{i}")), Some(ix));
            assert_eq!(table.by_id(table[ix].id()), Some(ix));
        }
    }
}
