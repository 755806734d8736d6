//! Templates: text in which `$(…)` stands for a value of the request, such as
//! `/users/$(uri_captures.id or 'me')`.
//!
//! What stands between the parentheses is an expression of Lua: the operators, literals, indexing, calls
//! and the functions of [`strings`]. There are no statements, no functions of one's own and no tables of
//! one's own, so an expression ends, and what it may cost is bounded. Which names mean something is in
//! [`env`]; a name that means nothing is `nil`, and using it fails when the request comes, as with Kong.
//!
//! Everything is compiled once. A template without `$(…)` is a constant and costs nothing to render.

pub mod env;
mod eval;
mod lex;
mod number;
mod parse;
mod pattern;
mod strings;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use bytes::Bytes;

pub use env::{Env, decode};
pub use number::{number, number_text};
use parse::Expr;

/// Bytes that one rendered template, or a text made on the way to it, may have.
const MAX_TEXT_BYTES: usize = 1 << 20;

/// Why a template cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is not Lua; the text is the one that Kong's own parser has for it.
    #[error("[string \"TMP\"]:1: {0}")]
    Syntax(String),
    /// It is Lua, but beyond the part of it that is understood here.
    #[error("[string \"TMP\"]:1: {0} is not supported in a template")]
    Unsupported(String),
}

/// Why a template cannot be rendered for a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to render the template {template}, error:[string \"TMP\"]:1: {reason}")]
pub struct RenderError {
    /// The template as written.
    pub template: String,
    /// What Lua says.
    pub reason: String,
}

/// A compiled template.
#[derive(Clone, Debug)]
pub struct Template {
    source: Box<str>,
    kind: TemplateKind,
}

#[derive(Clone, Debug)]
enum TemplateKind {
    Constant(Bytes),
    Dynamic(Box<[Part]>),
    Invalid(TemplateError),
    /// It holds an expression, and none may be evaluated on this node.
    Disabled,
}

#[derive(Clone, Debug)]
enum Part {
    Text(Box<[u8]>),
    Value(Expr),
}

impl Template {
    /// Compiles a template. A `$` that no balanced pair of parentheses follows is text.
    ///
    /// # Errors
    /// When an expression is not Lua, or not of the part of Lua understood here.
    pub fn compile(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        let mut searched = 0;
        while let Some(at) = rest[searched..].find("$(").map(|found| found + searched) {
            let Some(length) = balanced_len(&rest.as_bytes()[at + 1..]) else {
                searched = at + 1;
                continue;
            };
            if at > 0 {
                parts.push(Part::Text(rest.as_bytes()[..at].into()));
            }
            parts.push(Part::Value(parse::parse(&rest[at + 2..at + length])?));
            rest = &rest[at + 1 + length..];
            searched = 0;
        }
        if parts.is_empty() {
            let kind = TemplateKind::Constant(Bytes::copy_from_slice(text.as_bytes()));
            return Ok(Template { source: text.into(), kind });
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.as_bytes().into()));
        }
        Ok(Template { source: text.into(), kind: TemplateKind::Dynamic(parts.into()) })
    }

    /// Compiles a template where Kong compiles it only when a request comes: what is not Lua is kept, and
    /// fails then.
    ///
    /// # Errors
    /// When it is Lua, but not of the part understood here.
    pub fn compile_deferred(text: &str) -> Result<Self, TemplateError> {
        match Self::compile(text) {
            Err(error @ TemplateError::Syntax(_)) => {
                Ok(Template { source: text.into(), kind: TemplateKind::Invalid(error) })
            }
            other => other,
        }
    }

    /// The same template where no Lua may run: it fails for every request if there is an expression in it.
    #[must_use]
    pub fn without_lua(self) -> Self {
        match self.kind {
            TemplateKind::Constant(_) => self,
            _ => Template { kind: TemplateKind::Disabled, ..self },
        }
    }

    /// The text, if it is the same for every request.
    pub fn constant(&self) -> Option<&Bytes> {
        match &self.kind {
            TemplateKind::Constant(text) => Some(text),
            _ => None,
        }
    }

    /// Why every request will fail, if it will.
    pub fn syntax_error(&self) -> Option<&TemplateError> {
        match &self.kind {
            TemplateKind::Invalid(error) => Some(error),
            _ => None,
        }
    }

    /// Whether a global name occurs in it.
    pub fn uses(&self, name: &str) -> bool {
        let mut found = false;
        self.globals(&mut |global| found |= global == name);
        found
    }

    /// The first name in it that means nothing here.
    pub fn unknown_name(&self) -> Option<String> {
        let mut unknown = None;
        self.globals(&mut |global| {
            if unknown.is_none() && !env::is_known(global) {
                unknown = Some(global.to_owned());
            }
        });
        unknown
    }

    fn globals(&self, visit: &mut dyn FnMut(&str)) {
        let TemplateKind::Dynamic(parts) = &self.kind else { return };
        for part in parts {
            if let Part::Value(expr) = part {
                expr.globals(visit);
            }
        }
    }

    /// The text for a request; a value that is `nil` or `false` is empty.
    ///
    /// # Errors
    /// When an expression fails, such as by looking into something that is not there.
    pub fn render<'a>(&'a self, env: &Env<'_>) -> Result<Cow<'a, [u8]>, RenderError> {
        self.render_text(env).map_err(|reason| RenderError { template: self.source.to_string(), reason })
    }

    fn render_text<'a>(&'a self, env: &Env<'_>) -> Result<Cow<'a, [u8]>, String> {
        match &self.kind {
            TemplateKind::Constant(text) => Ok(Cow::Borrowed(text)),
            TemplateKind::Invalid(TemplateError::Syntax(why) | TemplateError::Unsupported(why)) => {
                Err(why.clone())
            }
            TemplateKind::Disabled => {
                Err("loading of untrusted Lua code disabled because 'untrusted_lua' config option is set \
                                   to 'off'"
                    .to_owned())
            }
            TemplateKind::Dynamic(parts) => {
                let mut out = Vec::new();
                for part in parts {
                    match part {
                        Part::Text(text) => out.extend_from_slice(text),
                        Part::Value(expr) => eval::evaluate(expr, env)?.write(&mut out),
                    }
                    if out.len() > MAX_TEXT_BYTES {
                        return Err("the text is too long".to_owned());
                    }
                }
                Ok(Cow::Owned(out))
            }
        }
    }
}

/// Length of the balanced parentheses that a text begins with. Quotes do not hide parentheses: so it is
/// in Kong's templates, and what is balanced there is balanced here.
fn balanced_len(text: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}
