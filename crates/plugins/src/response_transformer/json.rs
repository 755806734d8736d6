//! Compiled rules for the fields of a JSON object.

use serde_json::{Number, Value};

use super::config::{Config, JsonType, Values};
use crate::shared::{
    json::{self, Document, Malformed},
    template::number,
    transform::split_rule,
};

/// A field name, and a value in JSON.
type Pair = (Box<str>, Box<[u8]>);

/// Compiled rules for JSON.
#[derive(Debug)]
pub struct Rules {
    remove: Box<[Box<str>]>,
    rename: Box<[(Box<str>, Box<str>)]>,
    replace: Box<[Pair]>,
    add: Box<[Pair]>,
    append: Box<[Pair]>,
}

impl Rules {
    /// Compiles the JSON rules.
    pub fn of(config: &Config) -> Self {
        let pair = |rule| split_rule(rule).filter(|(_, new)| !new.is_empty());
        let rename = config.rename.json.iter().filter_map(|rule| pair(rule));
        Rules {
            remove: config
                .remove
                .json
                .iter()
                .filter_map(|rule| split_rule(rule))
                .map(|(name, _)| name.into())
                .collect(),
            rename: rename.map(|(old, new)| (old.into(), new.into())).collect(),
            replace: values(&config.replace),
            add: values(&config.add),
            append: values(&config.append),
        }
    }

    /// Returns whether there are no rules.
    pub fn is_empty(&self) -> bool {
        !self.hides_fields() && self.add.is_empty() && self.append.is_empty()
    }

    /// Returns whether a rule removes something that the upstream sent.
    pub fn hides_fields(&self) -> bool {
        !self.remove.is_empty() || !self.rename.is_empty() || !self.replace.is_empty()
    }

    /// Returns all names that occur in the rules.
    fn names(&self) -> Vec<&[u8]> {
        let renamed = self.rename.iter().flat_map(|(old, new)| [old, new]);
        let pairs = [&self.replace, &self.add, &self.append].into_iter().flatten().map(|(name, _)| name);
        self.remove.iter().chain(renamed).chain(pairs).map(|name| name.as_bytes()).collect()
    }

    /// Applies the rules to a body; `None` if it is not an object. As in Lua, a field that is `false` counts as
    /// absent for `add`.
    ///
    /// # Errors
    /// If it is not JSON.
    pub fn apply(&self, body: &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
        let Document::Object(mut fields) = json::parse(body, &self.names())? else { return Ok(None) };
        for name in &self.remove {
            fields.remove(name.as_bytes());
        }
        for (old, new) in &self.rename {
            if old != new
                && let Some(value) = fields.remove(old.as_bytes())
            {
                fields.set(new.as_bytes(), value);
            }
        }
        for (name, value) in &self.replace {
            if fields.contains(name.as_bytes()) {
                fields.set(name.as_bytes(), &**value);
            }
        }
        for (name, value) in &self.add {
            if fields.get(name.as_bytes()).is_none_or(|current| current == b"false") {
                fields.set(name.as_bytes(), &**value);
            }
        }
        for (name, value) in &self.append {
            fields.append(name.as_bytes(), value);
        }
        Ok(Some(fields.write()))
    }
}

/// Converts the value of a rule; `None` if it does not conform to its type. Kong serialises the text as JSON and
/// strips the quotes, so that a missing value becomes `null`, a backslash is doubled and a line break becomes `
///
/// `.
fn values(list: &Values) -> Box<[Pair]> {
    let typed = list.json.iter().enumerate().filter_map(|(at, rule)| {
        let (name, text) = split_rule(rule)?;
        let value = value(text, list.json_types.get(at).copied())?;
        Some((name.into(), value.to_string().into_bytes().into()))
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
            // Integers up to 2^53 are exact in an f64.
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
