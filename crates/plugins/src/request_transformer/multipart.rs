//! Application of field rules to multipart bodies. Parts to which no rule applies keep their bytes.

use std::borrow::Cow;

use http_codec::multipart::{self, Mode};

use super::{body::TransformError, rules::FieldRules};
use crate::shared::{
    body_format::{is_field, renamed},
    template::Env,
};

/// A part: its header section and its content.
struct Part<'b> {
    name: Option<Cow<'b, [u8]>>,
    headers: Cow<'b, [u8]>,
    value: Cow<'b, [u8]>,
}

impl<'b> Part<'b> {
    fn form_field(name: &[u8], value: impl Into<Cow<'b, [u8]>>) -> Self {
        let headers = multipart::form_field(name).into();
        Part { name: Some(name.to_vec().into()), headers, value: value.into() }
    }

    fn is(&self, name: &[u8]) -> bool {
        self.name.as_deref() == Some(name)
    }

    /// Returns whether a parser may treat the part as this field.
    fn is_field(&self, field: &str) -> bool {
        self.name.as_deref().is_some_and(|name| is_field(name, field.as_bytes()))
    }
}

/// Applies the rules to a body; `None` if nothing changes. Append rules are not supported for multipart bodies.
pub fn transform(
    body: &[u8],
    content_type: &[u8],
    rules: &FieldRules,
    env: &Env<'_>,
    mode: Mode,
) -> Result<Option<Vec<u8>>, TransformError> {
    let unreadable = |_: multipart::Malformed| TransformError::Unreadable;
    let boundary = multipart::boundary(content_type).map_err(unreadable)?;
    let read = if body.is_empty() {
        Vec::new()
    } else {
        multipart::parts(body, boundary, mode).map_err(unreadable)?
    };
    let mut parts: Vec<Part<'_>> = read
        .into_iter()
        .map(|part| Part {
            name: part.name.map(Cow::Borrowed),
            headers: part.headers.into(),
            value: part.value.into(),
        })
        .collect();
    let mut changed = false;
    for (old, new) in &rules.rename {
        let new = new.render(env)?;
        let Some(at) = parts.iter().position(|part| part.is_field(old)).filter(|_| *new != *old.as_bytes())
        else {
            continue;
        };
        let part = parts.remove(at);
        let new = renamed(part.name.as_deref().unwrap_or_default(), old.as_bytes(), &new);
        parts.retain(|part| !part.is_field(old));
        let renamed = Part::form_field(&new, part.value);
        match position(&parts, &new) {
            Some(there) => parts[there] = renamed,
            None => parts.push(renamed),
        }
        changed = true;
    }
    for name in &rules.remove {
        let before = parts.len();
        parts.retain(|part| !part.is_field(name));
        changed |= parts.len() < before;
    }
    for (name, value) in &rules.replace {
        let value = value.render(env)?;
        if parts.iter().any(|part| part.is_field(name)) {
            parts.retain(|part| !part.is_field(name));
            parts.push(Part::form_field(name.as_bytes(), value.into_owned()));
            changed = true;
        }
    }
    for (name, value) in &rules.add {
        let value = value.render(env)?;
        if position(&parts, name.as_bytes()).is_none() {
            parts.push(Part::form_field(name.as_bytes(), value.into_owned()));
            changed = true;
        }
    }
    Ok(changed.then(|| multipart::write(parts.iter().map(|part| (&*part.headers, &*part.value)), boundary)))
}

fn position(parts: &[Part<'_>], name: &[u8]) -> Option<usize> {
    parts.iter().position(|part| part.is(name))
}
