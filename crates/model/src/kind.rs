//! What the table of entities says of a kind of entity.

use std::sync::LazyLock;

use super::KINDS;

/// Derivation of an entity's id if the file contains none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdRule {
    /// From `<kind>:*:` and these fields joined by `:`; random if one of the `needed` fields is absent.
    CacheKey {
        /// The fields.
        fields: &'static [&'static str],
        /// The required fields.
        needed: &'static [&'static str],
    },
    /// From the unique field; random if that is absent.
    Name,
    /// Random.
    Random,
    /// It has no id: these fields are its key.
    Natural(&'static [&'static str]),
}

/// A reference to another entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// The field.
    pub field: &'static str,
    /// The kind it refers to.
    pub kind: &'static str,
}

/// A kind of entity that may be nested in another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Child {
    /// The kind, which is also the key of the nested list.
    pub kind: &'static str,
    /// The field of the child that refers to its parent.
    pub field: &'static str,
}

/// What a kind of entity is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Configures the gateway.
    Configuration,
    /// Proves to this plugin which consumer a client is. It belongs to a consumer.
    Credential(&'static str),
    /// Groups consumers for this plugin.
    Group(&'static str),
    /// Written by a gateway with a database while it runs, or by this plugin. A file may contain it too.
    RuntimeData(Option<&'static str>),
}

/// Endpoints of a kind in the admin API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Path segment of its list.
    pub path: &'static str,
    /// Path segment of its list below another entity.
    pub nested: &'static str,
    /// The field that can identify an entity in a path instead of its id; by default the kind's `name`.
    pub key: Option<&'static str>,
    /// Whether it has endpoints of its own, and not only below another entity.
    pub top: bool,
}

impl Admin {
    /// Endpoints with that path segment everywhere.
    pub const fn at(path: &'static str) -> Self {
        Admin { path, nested: path, key: None, top: true }
    }

    /// Changes the path segment below another entity.
    pub const fn nested_at(self, nested: &'static str) -> Self {
        Admin { nested, ..self }
    }

    /// Changes the field that identifies an entity.
    pub const fn by(self, key: &'static str) -> Self {
        Admin { key: Some(key), ..self }
    }

    /// Leaves out the endpoints that are not below another entity.
    pub const fn nested_only(self) -> Self {
        Admin { top: false, ..self }
    }
}

/// How rows of a kind are compared with those of another configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The fields that identify a row, the first that is present.
    pub key: &'static [&'static str],
    /// Whether the entities that a row refers to are part of its identity, because its key says too little.
    pub owned: bool,
    /// The kind in the singular, in decK's words.
    pub singular: &'static str,
    /// Lists that the format does not call sets, but of which every item has the same effect at every place.
    pub unordered: &'static [&'static str],
}

impl Comparison {
    /// Rows are the same if these fields are.
    pub const fn by(key: &'static [&'static str], singular: &'static str) -> Self {
        Comparison { key, owned: false, singular, unordered: &[] }
    }

    /// Makes the entities that a row refers to part of its identity.
    pub const fn with_owners(self) -> Self {
        Comparison { owned: true, ..self }
    }

    /// Compares these lists without regard to order.
    pub const fn unordered(self, unordered: &'static [&'static str]) -> Self {
        Comparison { unordered, ..self }
    }
}

/// One kind of entity.
#[derive(Clone, Copy)]
pub struct KindInfo {
    /// The key of its list at top level.
    pub key: &'static str,
    /// Its index in [`KINDS`].
    pub number: usize,
    /// Unique field by which others may refer to it.
    pub name: Option<&'static str>,
    /// Other unique fields.
    pub unique: &'static [&'static str],
    /// Derivation of its id.
    pub id: IdRule,
    /// Its references. In a file it may be nested in each entity that it refers to.
    pub foreign: &'static [Foreign],
    /// Text fields with a random default.
    pub generated: &'static [&'static str],
    /// The field of its labels.
    pub tags: Option<&'static str>,
    /// The field that a text in place of a whole entity most likely contains.
    pub main_field: &'static str,
    /// Names that users write instead of `key`.
    pub other_names: &'static [&'static str],
    /// What it is for.
    pub role: Role,
    /// Its endpoints in the admin API.
    pub admin: Option<Admin>,
    /// How it is compared; `None` if differences are no changes of a configuration.
    pub comparison: Option<Comparison>,
    /// Its schema, without nested entities.
    pub schema: fn() -> schemars::Schema,
}

impl std::fmt::Debug for KindInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.key)
    }
}

impl KindInfo {
    /// Finds a kind by its key.
    pub fn of(key: &str) -> Option<&'static KindInfo> {
        KINDS.iter().find(|k| k.key == key)
    }

    /// Finds the index of a kind in [`KINDS`].
    pub fn number(key: &str) -> Option<usize> {
        KINDS.iter().position(|k| k.key == key)
    }

    /// The kinds that may be nested in it, in alphabetical order: those that refer to it.
    pub fn children(&self) -> &'static [Child] {
        static CHILDREN: LazyLock<Vec<Vec<Child>>> =
            LazyLock::new(|| KINDS.iter().map(children_of).collect());
        &CHILDREN[self.number]
    }

    /// The plugin that looks its rows up to identify a client.
    pub fn identifies_for(&self) -> Option<&'static str> {
        match self.role {
            Role::Credential(plugin) | Role::Group(plugin) => Some(plugin),
            Role::Configuration | Role::RuntimeData(_) => None,
        }
    }

    /// The plugin that it belongs to.
    pub fn plugin(&self) -> Option<&'static str> {
        match self.role {
            Role::Credential(plugin) | Role::Group(plugin) => Some(plugin),
            Role::RuntimeData(plugin) => plugin,
            Role::Configuration => None,
        }
    }
}

fn children_of(parent: &KindInfo) -> Vec<Child> {
    let refers = |kind: &'static KindInfo| {
        let fields = kind.foreign.iter().filter(|foreign| foreign.kind == parent.key);
        fields.map(|foreign| Child { kind: kind.key, field: foreign.field })
    };
    let mut children: Vec<Child> = KINDS.iter().flat_map(refers).collect();
    children.sort_by_key(|child| child.kind);
    children
}

/// Generates the schema of a type with all definitions inlined, without `$ref`.
pub fn inline_schema<T: schemars::JsonSchema>() -> schemars::Schema {
    let settings = schemars::generate::SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<T>()
}

/// The default workspace, which exists whether or not a file contains it.
pub const DEFAULT_WORKSPACE: uuid::Uuid = uuid::Uuid::from_u128(0x0dc6f45b_8f8d_40d2_a504_473544ee190b);
