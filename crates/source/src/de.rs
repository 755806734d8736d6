//! serde `Deserializer` over document nodes; an error carries the node it is about.
//!
//! The conversion rules are those of Lua tables, which the format was designed for: `3.0` is an integer, an empty
//! list equals an empty map, and null is an absent value. No other conversion takes place; in particular a number
//! is never a string.

use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, Unexpected, Visitor};

use super::limits::MAX_DEPTH;
use super::{Document, Entry, NodeId, Value};

/// Deserialization error with the node it is about.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DeError {
    /// The innermost node that caused the error.
    pub node: NodeId,
    /// Human-readable reason.
    pub message: String,
}

/// Placeholder node of an error that has not been attributed to a node yet.
const UNKNOWN_NODE: NodeId = NodeId(u32::MAX);

impl de::Error for DeError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        DeError { node: UNKNOWN_NODE, message: message.to_string() }
    }
}

/// Deserializes a value of type `T` from a node.
///
/// # Errors
/// If the node does not match the type.
pub fn from_node<T: DeserializeOwned>(document: &Document, node: NodeId) -> Result<T, DeError> {
    T::deserialize(NodeDeserializer { doc: document, node, depth: 0 })
}

#[derive(Clone, Copy)]
struct NodeDeserializer<'d> {
    doc: &'d Document,
    node: NodeId,
    depth: usize,
}

impl<'d> NodeDeserializer<'d> {
    fn value(&self) -> &'d Value {
        self.doc.value(self.node)
    }

    /// Returns the deserializer of a child node.
    fn child(&self, node: NodeId) -> Self {
        NodeDeserializer { doc: self.doc, node, depth: self.depth + 1 }
    }

    /// Attaches this node to an error that has none yet, so that the innermost node wins.
    fn with_node<T>(&self, outcome: Result<T, DeError>) -> Result<T, DeError> {
        outcome.map_err(|e| if e.node == UNKNOWN_NODE { DeError { node: self.node, ..e } } else { e })
    }

    /// Builds the error for a node of the wrong type.
    fn unexpected<'v, V: Visitor<'v>>(&self, visitor: &V) -> DeError {
        let found = match self.value() {
            Value::Null => Unexpected::Unit,
            Value::Bool(b) => Unexpected::Bool(*b),
            Value::Int(i) => Unexpected::Signed(*i),
            Value::Float(f) => Unexpected::Float(*f),
            Value::Str(s) => Unexpected::Str(s),
            Value::Seq(_) => Unexpected::Seq,
            Value::Map(_) => Unexpected::Map,
        };
        DeError { node: self.node, ..de::Error::invalid_type(found, visitor) }
    }

    /// Returns the node as an integer if its value is integral.
    fn integer(&self) -> Option<i64> {
        match *self.value() {
            Value::Int(i) => Some(i),
            // 2^63 itself is exact as a double but out of range, hence the strict upper bound.
            Value::Float(f) if f.fract() == 0.0 && f >= i64::MIN as f64 && f < i64::MAX as f64 => {
                Some(f as i64)
            }
            _ => None,
        }
    }

    fn seq<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, DeError> {
        let items = match self.value() {
            Value::Seq(items) => &**items,
            Value::Map(entries) if entries.is_empty() => &[],
            _ => return Err(self.unexpected(&visitor)),
        };
        self.within_limit()?;
        let mut access = Items { deserializer: self, items: items.iter() };
        let value = visitor.visit_seq(&mut access)?;
        match access.items.len() {
            0 => Ok(value),
            left => Err(de::Error::custom(format_args!("{left} items too many"))),
        }
    }

    fn map<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, DeError> {
        let entries = match self.value() {
            Value::Map(entries) => &**entries,
            Value::Seq(items) if items.is_empty() => &[],
            _ => return Err(self.unexpected(&visitor)),
        };
        self.within_limit()?;
        visitor.visit_map(Entries { deserializer: self, entries: entries.iter(), value: None })
    }

    fn within_limit(&self) -> Result<(), DeError> {
        if self.depth < MAX_DEPTH { Ok(()) } else { Err(de::Error::custom("nested too deep")) }
    }
}

/// All integer widths share one conversion; serde checks the range of the target type.
macro_rules! integers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, DeError> {
            match self.integer() {
                Some(i) => self.with_node(visitor.visit_i64(i)),
                None => Err(self.unexpected(&visitor)),
            }
        }
    )*};
}

/// Calls the visitor if the node has the given type.
macro_rules! only {
    ($($method:ident: $pattern:pat => $visit:expr;)*) => {$(
        fn $method<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, DeError> {
            match self.value() {
                $pattern => { let outcome = $visit(visitor); self.with_node(outcome) }
                _ => Err(self.unexpected(&visitor)),
            }
        }
    )*};
}

impl<'d> Deserializer<'d> for NodeDeserializer<'d> {
    type Error = DeError;

    fn deserialize_any<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, DeError> {
        let outcome = match self.value() {
            Value::Null => visitor.visit_unit(),
            Value::Bool(b) => visitor.visit_bool(*b),
            Value::Str(s) => visitor.visit_borrowed_str(s),
            Value::Seq(_) => self.seq(visitor),
            Value::Map(_) => self.map(visitor),
            Value::Int(_) | Value::Float(_) => match (self.integer(), self.value()) {
                (Some(i), _) => visitor.visit_i64(i),
                (None, Value::Float(f)) => visitor.visit_f64(*f),
                _ => Err(self.unexpected(&visitor)),
            },
        };
        self.with_node(outcome)
    }

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
    }

    only! {
        deserialize_bool: Value::Bool(b) => |v: V| v.visit_bool(*b);
        deserialize_str: Value::Str(s) => |v: V| v.visit_borrowed_str(s);
        deserialize_string: Value::Str(s) => |v: V| v.visit_borrowed_str(s);
        deserialize_char: Value::Str(s) => |v: V| v.visit_borrowed_str(s);
        deserialize_bytes: Value::Str(s) => |v: V| v.visit_borrowed_str(s);
        deserialize_byte_buf: Value::Str(s) => |v: V| v.visit_borrowed_str(s);
        deserialize_unit: Value::Null => |v: V| v.visit_unit();
    }

    fn deserialize_f32<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, DeError> {
        match *self.value() {
            Value::Int(i) => self.with_node(visitor.visit_f64(i as f64)),
            Value::Float(f) => self.with_node(visitor.visit_f64(f)),
            _ => Err(self.unexpected(&visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, DeError> {
        let outcome = match self.value() {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        };
        self.with_node(outcome)
    }

    fn deserialize_unit_struct<V: Visitor<'d>>(self, _: &'static str, v: V) -> Result<V::Value, DeError> {
        self.deserialize_unit(v)
    }

    fn deserialize_newtype_struct<V: Visitor<'d>>(self, _: &'static str, v: V) -> Result<V::Value, DeError> {
        let outcome = v.visit_newtype_struct(self);
        self.with_node(outcome)
    }

    fn deserialize_seq<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, DeError> {
        let outcome = self.seq(visitor);
        self.with_node(outcome)
    }

    fn deserialize_tuple<V: Visitor<'d>>(self, _: usize, visitor: V) -> Result<V::Value, DeError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'d>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, DeError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, DeError> {
        let outcome = self.map(visitor);
        self.with_node(outcome)
    }

    fn deserialize_struct<V: Visitor<'d>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'d>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        let outcome = match self.value() {
            Value::Str(_) => visitor.visit_enum(Variant { name: self, content: None }),
            Value::Map(entries) if entries.len() == 1 => {
                let Entry { key, value } = entries[0];
                visitor.visit_enum(Variant { name: self.child(key), content: Some(self.child(value)) })
            }
            _ => Err(self.unexpected(&visitor)),
        };
        self.with_node(outcome)
    }

    fn deserialize_identifier<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_unit()
    }
}

struct Items<'d> {
    deserializer: NodeDeserializer<'d>,
    items: std::slice::Iter<'d, NodeId>,
}

impl<'d> de::SeqAccess<'d> for Items<'d> {
    type Error = DeError;

    fn next_element_seed<T: DeserializeSeed<'d>>(&mut self, seed: T) -> Result<Option<T::Value>, DeError> {
        let Some(&item) = self.items.next() else { return Ok(None) };
        let deserializer = self.deserializer.child(item);
        deserializer.with_node(seed.deserialize(deserializer)).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Entries<'d> {
    deserializer: NodeDeserializer<'d>,
    entries: std::slice::Iter<'d, Entry>,
    value: Option<NodeId>,
}

impl<'d> de::MapAccess<'d> for Entries<'d> {
    type Error = DeError;

    fn next_key_seed<K: DeserializeSeed<'d>>(&mut self, seed: K) -> Result<Option<K::Value>, DeError> {
        let Some(entry) = self.entries.next() else { return Ok(None) };
        self.value = Some(entry.value);
        let deserializer = self.deserializer.child(entry.key);
        deserializer.with_node(seed.deserialize(deserializer)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'d>>(&mut self, seed: T) -> Result<T::Value, DeError> {
        let value = self.value.take().ok_or_else(|| de::Error::custom("a value without its key"))?;
        let deserializer = self.deserializer.child(value);
        deserializer.with_node(seed.deserialize(deserializer))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

/// Enum variant: a plain string, or a map with the single entry `variant: content`.
struct Variant<'d> {
    name: NodeDeserializer<'d>,
    content: Option<NodeDeserializer<'d>>,
}

impl<'d> de::EnumAccess<'d> for Variant<'d> {
    type Error = DeError;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'d>>(self, seed: T) -> Result<(T::Value, Self), DeError> {
        let name = self.name.with_node(seed.deserialize(self.name))?;
        Ok((name, self))
    }
}

impl<'d> Variant<'d> {
    fn content(&self) -> Result<NodeDeserializer<'d>, DeError> {
        let missing =
            || DeError { node: self.name.node, message: "a value is missing for this variant".to_owned() };
        self.content.ok_or_else(missing)
    }
}

impl<'d> de::VariantAccess<'d> for Variant<'d> {
    type Error = DeError;

    fn unit_variant(self) -> Result<(), DeError> {
        match self.content {
            None => Ok(()),
            Some(content) => de::Deserialize::deserialize(content),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'d>>(self, seed: T) -> Result<T::Value, DeError> {
        let content = self.content()?;
        content.with_node(seed.deserialize(content))
    }

    fn tuple_variant<V: Visitor<'d>>(self, _: usize, visitor: V) -> Result<V::Value, DeError> {
        self.content()?.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'d>>(self, _: &'static [&'static str], v: V) -> Result<V::Value, DeError> {
        self.content()?.deserialize_map(v)
    }
}
