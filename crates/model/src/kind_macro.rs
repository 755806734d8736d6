//! The macro behind the table of entities.

/// Generates [`State`], [`KINDS`] and the implementations of [`Row`] from the entries.
///
/// An entry begins with what concerns the fields of its type; `-` stands for "none":
///
/// - `name`: the unique text by which others may refer to a row (`?` if it is optional);
/// - `refers_to`: fields that refer to another kind, below which the entity may be nested in a file;
/// - `created`, `updated`: times that loading sets, the first only if a file does not contain it;
/// - `generated`: texts with a random default;
/// - `tags`: labels.
///
/// The rest are the other fields of [`KindInfo`].
macro_rules! entities {
    (@name $self:ident, -) => { None };
    (@name $self:ident, ? $field:ident) => { $self.$field.as_deref() };
    (@name $self:ident, $field:ident) => { Some(&$self.$field) };
    (@field -) => { None };
    (@field ? $field:ident) => { Some(stringify!($field)) };
    (@field $field:ident) => { Some(stringify!($field)) };
    (@created $self:ident, $now:ident, -) => {};
    (@created $self:ident, $now:ident, $field:ident) => {
        $crate::table::TimestampField::set_default(&mut $self.$field, $now);
    };
    (@updated $self:ident, $now:ident, -) => {};
    (@updated $self:ident, $now:ident, $field:ident) => {
        $crate::table::TimestampField::set_now(&mut $self.$field, $now);
    };
    (@tags $self:ident, -) => { &[] };
    (@tags $self:ident, $field:ident) => { $self.$field.as_ref().map_or(&[], |tags| &tags.0) };
    (@schema $type:ident) => { $crate::inline_schema::<$type> };
    (@schema $type:ident $schema:ident) => { $crate::inline_schema::<$schema> };
    (@read $document:ident, $node:ident, $type:ident) => { source::from_node($document, $node) };
    (@read $document:ident, $node:ident, $type:ident $schema:ident) => {
        Err(<source::DeError as serde::de::Error>::custom("these rows are read by the plugin that they configure"))
    };
    ($(
        $(#[doc = $doc:literal])+
        $table:ident: $type:ident $(written as $schema:ident)? {
            name: ($($name:tt)+),
            refers_to: { $($link:ident: $target:ident),* },
            created: ($created:tt),
            updated: ($updated:tt),
            generated: [$($generated:ident),*],
            tags: ($tags:tt),
            $($attribute:ident: $value:expr,)+
        }
    )+) => {
        /// A configuration: one table per kind of entity.
        #[derive(Clone, Debug, Default)]
        pub struct State {
            $($(#[doc = $doc])+ pub $table: $crate::Table<$type>,)+
            /// Values that plugins derive from this data.
            pub derived: $crate::DerivedCache,
            pub(crate) lookups: $crate::state::Lookups,
        }

        impl State {
            /// Returns the tables of all kinds, in the order of [`KINDS`].
            pub fn tables(&self) -> [&dyn $crate::Rows; KINDS.len()] {
                [$(&self.$table),+]
            }

            /// Returns the tables of all kinds for changes, in the order of [`KINDS`].
            pub fn tables_mut(&mut self) -> [&mut dyn $crate::Rows; KINDS.len()] {
                [$(&mut self.$table),+]
            }
        }

        /// Indexes of the kinds in [`KINDS`].
        #[allow(non_camel_case_types)]
        enum Number {
            $($table),+
        }

        /// All kinds in the order of loading: referenced kinds come first.
        pub const KINDS: &[$crate::KindInfo] = &[$($crate::KindInfo {
            key: stringify!($table),
            number: Number::$table as usize,
            name: $crate::kind_macro::entities!(@field $($name)+),
            foreign: &[$($crate::Foreign { field: stringify!($link), kind: <$target as $crate::Entity>::KIND.0 }),*],
            generated: &[$(stringify!($generated)),*],
            tags: $crate::kind_macro::entities!(@field $tags),
            schema: $crate::kind_macro::entities!(@schema $type $($schema)?),
            $($attribute: $value,)+
        }),+];

        $(
            impl $crate::Entity for $type {
                const KIND: $crate::Kind = $crate::Kind(stringify!($table));
                const INFO: &'static $crate::KindInfo = &KINDS[Number::$table as usize];

                #[allow(unused_variables)]
                fn read(document: &source::Document, node: source::NodeId) -> Result<Self, source::DeError> {
                    $crate::kind_macro::entities!(@read document, node, $type $($schema)?)
                }
            }

            impl $crate::Row for $type {
                fn kind(&self) -> $crate::Kind {
                    Self::KIND
                }
                fn id(&self) -> uuid::Uuid {
                    self.id
                }
                fn name(&self) -> Option<&str> {
                    $crate::kind_macro::entities!(@name self, $($name)+)
                }
                fn origin(&self) -> Option<source::NodeId> {
                    self.origin
                }
                fn tags(&self) -> &[String] {
                    $crate::kind_macro::entities!(@tags self, $tags)
                }
                #[allow(unused_variables)]
                fn assign(&mut self, id: uuid::Uuid, origin: Option<source::NodeId>, now: f64) {
                    self.id = id;
                    self.origin = origin;
                    $crate::kind_macro::entities!(@created self, now, $created);
                    $crate::kind_macro::entities!(@updated self, now, $updated);
                    $($crate::table::RandomDefault::set_random_default(&mut self.$generated);)*
                }
                #[allow(unused_variables)]
                fn link(&mut self, field: &str, id: uuid::Uuid) {
                    $(if field == stringify!($link) {
                        $crate::table::Link::point(&mut self.$link, id);
                    })*
                }
                #[allow(unused_variables)]
                fn linked(&self, field: &str) -> Option<uuid::Uuid> {
                    $(if field == stringify!($link) {
                        return $crate::table::Link::target(&self.$link);
                    })*
                    None
                }
                fn to_json(&self) -> serde_json::Value {
                    serde_json::to_value(self).unwrap_or_default()
                }
            }
        )+
    };
}

pub(crate) use entities;
