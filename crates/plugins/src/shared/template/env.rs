//! Values that templates can access, by global name.
//!
//! | name | value |
//! |---|---|
//! | `headers` | request headers: case-insensitive, `_` for `-`; a repeated header is a table |
//! | `query_params` | decoded query arguments; a repeated one is a table, one without `=` is `true` |
//! | `uri_captures` | captures of the route's regular expression, by name or number; 0 is the whole match |
//! | `shared` | values that plugins share with one another ([`SharedValues`]) |
//! | `type` `tostring` `tonumber` `string` `math` | the functions in [`super::strings`] |

use std::{borrow::Cow, cell::Cell, collections::BTreeMap};

use http::HeaderMap;

use super::{
    eval::{Table, Value},
    strings::Function,
};
use plugin::{Exchange, Request};
use router::Capture;

/// Values that plugins share with later plugins by name, like Kong's `kong.ctx.shared`. Stored in the exchange's
/// extensions.
#[derive(Debug, Default)]
pub struct SharedValues(pub BTreeMap<String, serde_json::Value>);

/// Environment in which a template is rendered.
pub struct Env<'a> {
    headers: &'a HeaderMap,
    request: &'a Request,
    captures: &'a [Capture],
    shared: Option<&'a SharedValues>,
    budget: Cell<usize>,
}

/// Maximum number of pattern matching steps of all templates rendered in one environment. Bounds the CPU time of
/// backtracking.
const MAX_PATTERN_STEPS: usize = 500_000;

/// Names of the global tables.
const KNOWN_GLOBALS: &[&str] = &["headers", "query_params", "uri_captures", "shared", "string", "math"];

/// Returns whether a global name is defined.
pub(super) fn is_known(name: &str) -> bool {
    KNOWN_GLOBALS.contains(&name) || Function::global(name).is_some()
}

impl<'a> Env<'a> {
    /// Creates the environment of a request in its current state.
    pub fn of(exchange: &'a Exchange) -> Self {
        Env {
            headers: &exchange.request.headers,
            request: &exchange.request,
            captures: exchange.route_match.as_ref().map_or(&[], |matched| &matched.captures),
            shared: exchange.extension(),
            budget: Cell::new(MAX_PATTERN_STEPS),
        }
    }

    /// Uses other headers than the request's current ones.
    #[must_use]
    pub fn with_headers(self, headers: &'a HeaderMap) -> Self {
        Env { headers, ..self }
    }

    /// Charges pattern matching steps to the budget. Fails if it is exhausted.
    pub(super) fn charge(&self, steps: usize) -> Result<(), String> {
        let remaining = self.budget.get().checked_sub(steps).ok_or("pattern too complex")?;
        self.budget.set(remaining);
        Ok(())
    }

    /// Returns the value of a global name.
    pub(super) fn global(&self, name: &str) -> Value<'_> {
        match name {
            "headers" => Value::Table(Table::Headers),
            "query_params" => Value::Table(Table::Query),
            "uri_captures" => Value::Table(Table::Captures),
            "shared" => Value::Table(Table::Shared),
            "string" => Value::Table(Table::Strings),
            "math" => Value::Table(Table::Math),
            _ => Function::global(name).map_or(Value::Nil, Value::Function),
        }
    }

    /// Returns the value of a table at a key.
    pub(super) fn index(&self, table: Table<'a>, key: &Value<'_>) -> Value<'a> {
        let text = match key {
            Value::Text(text) => std::str::from_utf8(text).ok(),
            _ => None,
        };
        match (table, text) {
            (Table::Headers, Some(name)) => self.header(name),
            (Table::Query, Some(_)) => match key {
                Value::Text(name) => self.argument(name),
                _ => Value::Nil,
            },
            (Table::Captures, Some(name)) if !name.bytes().all(|b| b.is_ascii_digit()) => self.capture(name),
            (Table::Captures, _) => match key {
                Value::Number(at) => self.capture(&super::number_text(*at)),
                _ => Value::Nil,
            },
            (Table::Shared, Some(name)) => {
                self.shared.and_then(|shared| shared.0.get(name)).map_or(Value::Nil, Value::of_json)
            }
            (Table::Strings, Some(name)) => {
                Function::in_string_table(name).map_or(Value::Nil, Value::Function)
            }
            (Table::Math, Some("pi")) => Value::Number(std::f64::consts::PI),
            (Table::Math, Some("huge")) => Value::Number(f64::INFINITY),
            (Table::Math, Some(name)) => Function::in_math_table(name).map_or(Value::Nil, Value::Function),
            (Table::Json(serde_json::Value::Object(fields)), Some(name)) => {
                fields.get(name).map_or(Value::Nil, Value::of_json)
            }
            (Table::Json(serde_json::Value::Array(items)), None) => match key {
                Value::Number(at) if *at >= 1.0 => {
                    items.get(*at as usize - 1).map_or(Value::Nil, Value::of_json)
                }
                _ => Value::Nil,
            },
            _ => Value::Nil,
        }
    }

    fn header(&self, name: &str) -> Value<'a> {
        if let Some(found) = self.header_values(name) {
            return found;
        }
        // Allow names with dashes in field syntax: `headers.x_request_id`.
        name.contains('_')
            .then(|| self.header_values(&name.replace('_', "-")))
            .flatten()
            .unwrap_or(Value::Nil)
    }

    fn header_values(&self, name: &str) -> Option<Value<'a>> {
        let values = self.headers.get_all(name).iter().map(|value| Cow::Borrowed(value.as_bytes()));
        if let Some(found) = one_or_more(values.map(Value::Text)) {
            return Some(found);
        }
        // HTTP/2 requests carry the host in `:authority`.
        let host = self.request.uri.authority().filter(|_| name.eq_ignore_ascii_case("host"))?;
        Some(Value::Text(Cow::Borrowed(host.as_str().as_bytes())))
    }

    fn argument(&self, name: &[u8]) -> Value<'a> {
        let found = self.request.query_args().filter(|argument| argument.is(name));
        one_or_more(found.map(|argument| argument.value().map_or(Value::Bool(true), Value::Text)))
            .unwrap_or(Value::Nil)
    }

    fn capture(&self, name: &str) -> Value<'a> {
        let found = self.captures.iter().find(|(capture, _)| **capture == *name);
        found.map_or(Value::Nil, |(_, text)| Value::Text(Cow::Borrowed(text.as_bytes())))
    }
}

/// Returns a single value as it is, and several values as a list.
fn one_or_more<'a>(mut values: impl Iterator<Item = Value<'a>>) -> Option<Value<'a>> {
    let first = values.next()?;
    let Some(second) = values.next() else { return Some(first) };
    Some(Value::List([first, second].into_iter().chain(values).collect()))
}
