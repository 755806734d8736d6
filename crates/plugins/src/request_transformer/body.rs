//! Application of field rules to a body: JSON in this module, forms in [`super::args`], multipart bodies in
//! [`super::multipart`].

use http::{HeaderMap, header::CONTENT_TYPE};
use http_codec::multipart::Mode;

use super::{args::Args, multipart, rules::FieldRules};
use crate::shared::{
    body_format::{Ambiguous, BodyFormat},
    header::is_content_encoded,
    json::{self, Document, Object, quote},
    template::{Env, RenderError},
};

/// Error of transforming a body.
#[derive(Debug)]
pub enum TransformError {
    /// A template failed.
    Render(RenderError),
    /// The body does not conform to its headers, or parsers read it differently.
    Unreadable,
}

impl From<Ambiguous> for TransformError {
    fn from(_: Ambiguous) -> Self {
        TransformError::Unreadable
    }
}

impl From<RenderError> for TransformError {
    fn from(error: RenderError) -> Self {
        TransformError::Render(error)
    }
}

/// Returns whether rules may modify, or must reject, a body with these headers.
pub fn is_expected(headers: &HeaderMap, rules: &FieldRules) -> bool {
    if rules.hides_fields() {
        BodyFormat::unambiguous(headers) != Ok(None)
    } else {
        !rules.is_empty() && BodyFormat::mentioned(headers).is_some()
    }
}

/// Applies the rules to a body; `None` if nothing changes. If rules hide fields, only bodies that all parsers read
/// alike are accepted.
pub fn transform(
    body: &[u8],
    headers: &HeaderMap,
    rules: &FieldRules,
    env: &Env<'_>,
) -> Result<Option<Vec<u8>>, TransformError> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let content_type = types.next().map_or(&b""[..], |value| value.as_bytes());
    // An empty body has no field that a rule could hide.
    let (format, mode) = if rules.hides_fields() && !body.is_empty() {
        (BodyFormat::unambiguous(headers)?, Mode::Strict)
    } else {
        // Of two content types, the upstream may use the other one.
        if !body.is_empty() && (is_content_encoded(headers) || types.next().is_some()) {
            return Err(TransformError::Unreadable);
        }
        (BodyFormat::mentioned(headers), Mode::Lenient)
    };
    match format {
        None => Ok(None),
        Some(BodyFormat::Json) => json(body, rules, env),
        Some(BodyFormat::Multipart) => multipart::transform(body, content_type, rules, env, mode),
        Some(BodyFormat::Form) => {
            let mut args = Args::read_form(body).ok_or(TransformError::Unreadable)?;
            Ok(args.apply(rules, env)?.then(|| args.write().into_bytes()))
        }
    }
}

fn json(body: &[u8], rules: &FieldRules, env: &Env<'_>) -> Result<Option<Vec<u8>>, TransformError> {
    let rules = Rendered::of(rules, env)?;
    if body.is_empty() {
        let mut fields = Object::default();
        return Ok(rules.change(&mut fields).then(|| fields.write()));
    }
    match json::parse(body, &rules.names()) {
        Ok(Document::Object(mut fields)) => Ok(rules.change(&mut fields).then(|| fields.write())),
        Ok(Document::Other) => Ok(None),
        Err(json::Malformed) => Err(TransformError::Unreadable),
    }
}

/// A name, and the rendered template of a rule.
type Pair<'r> = (&'r [u8], std::borrow::Cow<'r, [u8]>);

/// Rules for JSON with their templates rendered.
struct Rendered<'r> {
    remove: Vec<&'r [u8]>,
    rename: Vec<Pair<'r>>,
    replace: Vec<Pair<'r>>,
    add: Vec<Pair<'r>>,
    append: Vec<Pair<'r>>,
}

impl<'r> Rendered<'r> {
    fn of(rules: &'r FieldRules, env: &'r Env<'_>) -> Result<Self, RenderError> {
        let render = |pairs: &'r [super::rules::FieldPair]| {
            let pair =
                |(name, template): &'r super::rules::FieldPair| Ok((name.as_bytes(), template.render(env)?));
            pairs.iter().map(pair).collect::<Result<Vec<_>, RenderError>>()
        };
        Ok(Rendered {
            remove: rules.remove.iter().map(|name| name.as_bytes()).collect(),
            rename: render(&rules.rename)?,
            replace: render(&rules.replace)?,
            add: render(&rules.add)?,
            append: render(&rules.append)?,
        })
    }

    /// Returns all names that occur in the rules.
    fn names(&self) -> Vec<&[u8]> {
        let pairs = [&self.rename, &self.replace, &self.add, &self.append].into_iter().flatten();
        let new_names = self.rename.iter().map(|(_, new)| &**new);
        self.remove.iter().copied().chain(pairs.map(|(name, _)| *name)).chain(new_names).collect()
    }

    /// Applies the rules; returns whether anything changed. As in Lua, a field that is `false` counts as absent for
    /// `add`.
    fn change(&self, fields: &mut Object<'_>) -> bool {
        let mut changed = false;
        for name in &self.remove {
            changed |= fields.remove(name).is_some();
        }
        for (old, new) in &self.rename {
            if **new != **old
                && let Some(value) = fields.remove(old)
            {
                fields.set(new.to_vec(), value);
                changed = true;
            }
        }
        for (name, value) in &self.replace {
            if fields.contains(name) {
                fields.set(name.to_vec(), quote(value));
                changed = true;
            }
        }
        for (name, value) in &self.add {
            if fields.get(name).is_none_or(|current| current == b"false") {
                fields.set(name.to_vec(), quote(value));
                changed = true;
            }
        }
        for (name, value) in &self.append {
            fields.append(name, &quote(value));
            changed = true;
        }
        changed
    }
}
