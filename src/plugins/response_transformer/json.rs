//! Rules for the fields of a JSON object, compiled, and applied to a body.

use serde_json::{Map, Number, Value};

use super::config::{Config, JsonType, Values};
use crate::plugins::shared::{
    template::number,
    transform::{append, split},
};

/// Rules for JSON.
#[derive(Debug)]
pub struct Rules {
    remove: Box<[Box<str>]>,
    rename: Box<[(Box<str>, Box<str>)]>,
    replace: Box<[(Box<str>, Value)]>,
    add: Box<[(Box<str>, Value)]>,
    append: Box<[(Box<str>, Value)]>,
}

impl Rules {
    /// Compiles them.
    pub fn of(config: &Config) -> Self {
        let pair = |rule| split(rule).filter(|(_, new)| !new.is_empty());
        let rename = config.rename.json.iter().filter_map(|rule| pair(rule));
        Rules {
            remove: config
                .remove
                .json
                .iter()
                .filter_map(|rule| split(rule))
                .map(|(name, _)| name.into())
                .collect(),
            rename: rename.map(|(old, new)| (old.into(), new.into())).collect(),
            replace: values(&config.replace),
            add: values(&config.add),
            append: values(&config.append),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        !self.hide() && self.add.is_empty() && self.append.is_empty()
    }

    /// Whether some rule takes something away that the upstream said.
    pub fn hide(&self) -> bool {
        !self.remove.is_empty() || !self.rename.is_empty() || !self.replace.is_empty()
    }

    /// The body after the rules; none if it is no object. A field that is `false` counts as absent for
    /// replacing and adding, for so it does in Lua.
    pub fn apply(&self, body: &[u8]) -> Option<Vec<u8>> {
        let mut fields: Map<String, Value> = serde_json::from_slice(body).ok()?;
        for name in &self.remove {
            fields.shift_remove(&**name);
        }
        for (old, new) in &self.rename {
            if old != new
                && let Some(value) = fields.shift_remove(&**old)
            {
                fields.insert(new.to_string(), value);
            }
        }
        let is_there = |field: Option<&Value>| field.is_some_and(|value| *value != Value::Bool(false));
        for (name, value) in &self.replace {
            if is_there(fields.get(&**name)) {
                fields.insert(name.to_string(), value.clone());
            }
        }
        for (name, value) in &self.add {
            if !is_there(fields.get(&**name)) {
                fields.insert(name.to_string(), value.clone());
            }
        }
        for (name, value) in &self.append {
            append(&mut fields, name, value.clone());
        }
        Some(Value::Object(fields).to_string().into_bytes())
    }
}

fn values(list: &Values) -> Box<[(Box<str>, Value)]> {
    let typed = list.json.iter().enumerate().filter_map(|(at, rule)| {
        let (name, text) = split(rule)?;
        Some((name.into(), value(text, list.json_types.get(at).copied())?))
    });
    typed.collect()
}

/// A rule's value; none if it is not of its type. Kong writes the text as JSON and takes the quotes off
/// again, so that a missing value reads `null`, a backslash is doubled and a line break becomes `\n`.
fn value(text: &str, kind: Option<JsonType>) -> Option<Value> {
    let text = if text.is_empty() {
        "null".to_owned()
    } else {
        let quoted = Value::from(text).to_string();
        quoted[1..quoted.len() - 1].replace("\\\"", "\"")
    };
    Some(match kind {
        Some(JsonType::Number) => {
            let number = number(text.as_bytes())?;
            // Up to 2^53, whole numbers are exact.
            if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 {
                Value::from(number as i64)
            } else {
                Value::Number(Number::from_f64(number)?)
            }
        }
        Some(JsonType::Boolean) => Value::Bool(text == "true"),
        Some(JsonType::String) | None => Value::String(text),
    })
}
