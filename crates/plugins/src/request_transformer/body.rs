//! Applies field rules to a body: JSON here, forms in [`super::args`], multipart bodies in [`super::multipart`].

use http::{HeaderMap, header::CONTENT_TYPE};

use super::{args::Args, multipart, rules::FieldRules};
use crate::shared::{
    body_format::{Ambiguous, BodyFormat},
    header::is_content_encoded,
    json::{self, Document, Object, quote},
    multipart::Mode,
    template::{Env, RenderError},
};

/// Why a body was not changed.
#[derive(Debug)]
pub enum TransformError {
    /// A template failed.
    Render(RenderError),
    /// The body is not what its headers say, or readers disagree about what it is.
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

/// Whether rules may change a body with these headers, or must refuse it.
pub fn is_expected(headers: &HeaderMap, rules: &FieldRules) -> bool {
    if rules.hides_fields() {
        BodyFormat::unambiguous(headers) != Ok(None)
    } else {
        !rules.is_empty() && BodyFormat::mentioned(headers).is_some()
    }
}

/// The body after the rules; `None` if nothing changes. Rules that hide fields read only what parsers agree about.
pub fn transform(
    body: &[u8],
    headers: &HeaderMap,
    rules: &FieldRules,
    env: &Env<'_>,
) -> Result<Option<Vec<u8>>, TransformError> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let content_type = types.next().map_or(&b""[..], |value| value.as_bytes());
    // An empty body has no field to hide.
    let (format, mode) = if rules.hides_fields() && !body.is_empty() {
        (BodyFormat::unambiguous(headers)?, Mode::Strict)
    } else {
        // Of two types the upstream may take the other one.
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

/// A name, and what a rule's template gave.
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

    /// All names that the rules are about.
    fn names(&self) -> Vec<&[u8]> {
        let pairs = [&self.rename, &self.replace, &self.add, &self.append].into_iter().flatten();
        let new_names = self.rename.iter().map(|(_, new)| &**new);
        self.remove.iter().copied().chain(pairs.map(|(name, _)| *name)).chain(new_names).collect()
    }

    /// Applies them; whether something changed. A field that is `false` counts as absent for adding, as in Lua.
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
