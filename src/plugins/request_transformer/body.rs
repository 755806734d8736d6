//! Applies field rules to a body: which kind it is, and JSON. Forms are in [`super::args`], multipart
//! bodies in [`super::multipart`].

use http::{HeaderMap, header::CONTENT_TYPE};
use serde_json::{Map, Value};

use super::{args::Args, multipart, rules::FieldRules};
use crate::plugins::shared::{
    template::{Env, RenderError, Template},
    transform::append,
};

/// A kind of body that rules can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Json,
    Multipart,
    Form,
}

impl Kind {
    /// What a request says its body is. The type may stand anywhere in the header, so it is with Kong.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(CONTENT_TYPE)?.as_bytes().to_ascii_lowercase();
        let says = |kind: &str| memchr::memmem::find(&text, kind.as_bytes()).is_some();
        if says("application/json") {
            Some(Kind::Json)
        } else if says("multipart/form-data") {
            Some(Kind::Multipart)
        } else if says("application/x-www-form-urlencoded") {
            Some(Kind::Form)
        } else {
            None
        }
    }
}

/// The body after the rules; none if nothing changes.
pub fn transform(
    kind: Kind,
    body: &[u8],
    headers: &HeaderMap,
    rules: &FieldRules,
    env: &Env<'_>,
) -> Result<Option<Vec<u8>>, RenderError> {
    match kind {
        Kind::Json => json(body, rules, env),
        Kind::Multipart => {
            let content_type = headers.get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
            multipart::transform(body, content_type, rules, env)
        }
        Kind::Form => {
            let mut args = Args::read(body);
            Ok(args.apply(rules, env)?.then(|| args.write().into_bytes()))
        }
    }
}

fn json(body: &[u8], rules: &FieldRules, env: &Env<'_>) -> Result<Option<Vec<u8>>, RenderError> {
    let mut fields: Map<String, Value> = if body.is_empty() {
        Map::new()
    } else {
        let Ok(fields) = serde_json::from_slice(body) else { return Ok(None) };
        fields
    };
    if !change(&mut fields, rules, env)? {
        return Ok(None);
    }
    Ok(Some(Value::Object(fields).to_string().into_bytes()))
}

/// Applies rules to an object; whether something changed. A field that is `false` counts as absent for
/// renaming, replacing and adding, for so it does in Lua.
fn change(fields: &mut Map<String, Value>, rules: &FieldRules, env: &Env<'_>) -> Result<bool, RenderError> {
    let text =
        |template: &Template| template.render(env).map(|text| String::from_utf8_lossy(&text).into_owned());
    let is_there = |field: Option<&Value>| field.is_some_and(|value| *value != Value::Bool(false));
    let mut changed = false;
    for name in &rules.remove {
        changed |= fields.shift_remove(&**name).is_some();
    }
    for (old, new) in &rules.rename {
        let new = text(new)?;
        if new != **old
            && is_there(fields.get(&**old))
            && let Some(value) = fields.shift_remove(&**old)
        {
            fields.insert(new, value);
            changed = true;
        }
    }
    for (name, value) in &rules.replace {
        let value = text(value)?;
        if is_there(fields.get(&**name)) {
            fields.insert(name.to_string(), Value::String(value));
            changed = true;
        }
    }
    for (name, value) in &rules.add {
        let value = text(value)?;
        if !is_there(fields.get(&**name)) {
            fields.insert(name.to_string(), Value::String(value));
            changed = true;
        }
    }
    for (name, value) in &rules.append {
        append(fields, name, Value::String(text(value)?));
        changed = true;
    }
    Ok(changed)
}
