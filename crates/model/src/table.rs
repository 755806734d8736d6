//! Tables of rows, found by number, by id and by name.

use std::{fmt, hash::Hash, marker::PhantomData};

use ahash::RandomState;
use hashbrown::HashTable;
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeMap};
use uuid::Uuid;

use source::NodeId;

/// The kinds of entity, by the key they have in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(pub &'static str);

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A row of a table.
pub trait Row: std::any::Any {
    /// The kind, named as in a file: `services`.
    const KIND: Kind;
    /// Text fields that get a random value if the file leaves them out.
    const GENERATED: &'static [&'static str] = &[];
    /// Its id.
    fn id(&self) -> Uuid;
    /// The unique text it can be referred to by, if it has one: a name, a username, a key.
    fn name(&self) -> Option<&str>;
    /// Where it was written; none for rows that the gateway adds itself.
    fn origin(&self) -> Option<NodeId>;
    /// Settles what a file leaves open: id, origin, the time of loading, texts that are made up when absent.
    fn settle(&mut self, id: Uuid, origin: Option<NodeId>, now: f64);
    /// Points a field at the entity it names; other fields than references are left alone.
    fn link(&mut self, field: &str, id: Uuid);
    /// The entity that a field points at; none for other fields than references, and for absent ones.
    fn linked(&self, field: &str) -> Option<Uuid>;
}

/// A field that a file may name an entity in.
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

/// A time of making or loading: seconds, with or without fractions.
pub(crate) trait Moment {
    fn fill(&mut self, now: f64);
    fn stamp(&mut self, now: f64);
}
impl Moment for i64 {
    fn fill(&mut self, now: f64) {
        if *self == 0 {
            self.stamp(now);
        }
    }
    fn stamp(&mut self, now: f64) {
        *self = now as i64;
    }
}
impl Moment for f64 {
    fn fill(&mut self, now: f64) {
        if *self == 0.0 {
            self.stamp(now);
        }
    }
    fn stamp(&mut self, now: f64) {
        *self = now;
    }
}

/// A text that is made up when absent: 32 random letters and digits.
pub(crate) trait MadeUp {
    fn make_up(&mut self);
}
impl MadeUp for String {
    fn make_up(&mut self) {
        if self.is_empty() {
            *self = Uuid::new_v4().simple().to_string();
        }
    }
}
impl MadeUp for Option<String> {
    fn make_up(&mut self) {
        self.get_or_insert_default().make_up();
    }
}

/// Number of a row in its table: four bytes, free to copy.
pub struct Ix<T>(u32, PhantomData<fn() -> T>);

impl<T> Ix<T> {
    /// The number itself.
    pub fn get(self) -> usize {
        self.0 as usize
    }

    /// The row of that number. Whether there is one is the table's business.
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
    /// A reference to that id.
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
        /// A file may name an entity too; `config` settles those with [`Row::link`].
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Object { id: Uuid },
            Text(String),
        }
        Ok(match Written::deserialize(deserializer)? {
            Written::Object { id } => Ref::new(id),
            Written::Text(text) => Ref::new(Uuid::parse_str(&text).unwrap_or_default()),
        })
    }
}

/// The rows of one kind, in the order of the file.
#[derive(Clone, Debug)]
pub struct Table<T> {
    rows: Vec<T>,
    /// Numbers of rows, found by the hash of their ids and names: the rows have the texts.
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
    /// Adds a row. Of rows with one id or one name the first stays the one that is found.
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

    /// Makes room for that many more rows.
    pub fn reserve(&mut self, rows: usize) {
        self.rows.reserve_exact(rows);
        let Table { rows: known, by_id, by_name, hasher } = self;
        by_id.reserve(rows, |ix| hasher.hash_one(known[*ix as usize].id()));
        by_name.reserve(rows, |ix| hasher.hash_one(known[*ix as usize].name()));
    }

    /// Changes every row; ids and names must stay.
    pub fn change(&mut self, change: impl FnMut(&mut T)) {
        self.rows.iter_mut().for_each(change);
    }

    /// The row of that number.
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

    /// All rows with their numbers.
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

/// Says for a row type where things are: `row!(Service, "services", (?name), links client_certificate,
/// made created_at, loaded updated_at)`. In parentheses the unique text it can be named by (`?` if optional,
/// `-` if there is none); then its references, the times of making and loading, and the texts that are made up
/// when absent (`random`).
macro_rules! row {
    (@name $self:ident, -) => { None };
    (@name $self:ident, ? $field:ident) => { $self.$field.as_deref() };
    (@name $self:ident, $field:ident) => { Some(&$self.$field) };
    (
        $type:ty, $kind:literal, ($($name:tt)+)
        $(, links $($link:ident)+)? $(, made $made:ident)? $(, loaded $loaded:ident)? $(, random $($text:ident)+)?
    ) => {
        impl crate::Row for $type {
            const KIND: crate::Kind = crate::Kind($kind);
            const GENERATED: &'static [&'static str] = &[$($( stringify!($text) ),+)?];
            fn id(&self) -> uuid::Uuid { self.id }
            fn name(&self) -> Option<&str> { crate::table::row!(@name self, $($name)+) }
            fn origin(&self) -> Option<source::NodeId> { self.origin }
            #[allow(unused_variables)]
            fn settle(&mut self, id: uuid::Uuid, origin: Option<source::NodeId>, now: f64) {
                self.id = id;
                self.origin = origin;
                $( crate::table::Moment::fill(&mut self.$made, now); )?
                $( crate::table::Moment::stamp(&mut self.$loaded, now); )?
                $($( crate::table::MadeUp::make_up(&mut self.$text); )+)?
            }
            #[allow(unused_variables)]
            fn link(&mut self, field: &str, id: uuid::Uuid) {
                $($( if field == stringify!($link) {
                    crate::table::Link::point(&mut self.$link, id);
                } )+)?
            }
            #[allow(unused_variables)]
            fn linked(&self, field: &str) -> Option<uuid::Uuid> {
                $($( if field == stringify!($link) {
                    return crate::table::Link::target(&self.$link);
                } )+)?
                None
            }
        }
    };
}
pub(crate) use row;

impl<T: Row> schemars::JsonSchema for Ref<T> {
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
    fn of_rows_with_one_id_or_name_the_first_is_found() {
        let row = |id: &str, name: &str| -> Service {
            let (id, host) = (derived_id("services", id), "h.test");
            serde_json::from_value(serde_json::json!({ "id": id, "name": name, "host": host })).unwrap()
        };
        let mut table = Table::default();
        let first = table.push(row("a", "one"));
        table.push(row("b", "one"));
        table.push(row("a", "two"));
        // Enough for both look-ups to grow.
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
