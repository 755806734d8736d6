//! Templates: text in which `$(…)` is replaced by a value of the request, such as `/users/$(uri_captures.id or 'me')`.
//!
//! The text between the parentheses is a Lua expression: operators, literals, indexing, calls, and the functions in
//! [`strings`]. Statements, function definitions and table constructors are not supported, so that every expression
//! terminates and its cost is bounded. The global names are listed in [`env`]. As with Kong, an unknown name is `nil`,
//! and using it fails at request time.
//!
//! Everything is compiled once. A template without `$(…)` is a constant, and rendering it costs nothing.
//!
//! ```text
//!  template ── Template::compile ──> text and expressions
//!                lex ── tokens ──> parse ── Expr ──> eval (per request)
//! ```

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

pub use env::Env;
pub use number::{number, number_text};
use parse::Expr;

/// Maximum length of a rendered template, and of every intermediate string. Bounds the memory of one evaluation.
const MAX_TEXT_BYTES: usize = 1 << 20;

/// Error of compiling a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The expression is not valid Lua. The message is that of Kong's Lua parser.
    #[error("[string \"TMP\"]:1: {0}")]
    Syntax(String),
    /// The expression is valid Lua, but outside the supported subset.
    #[error("[string \"TMP\"]:1: {0} is not supported in a template")]
    Unsupported(String),
}

/// Error of rendering a template for a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to render the template {template}, error:[string \"TMP\"]:1: {reason}")]
pub struct RenderError {
    /// Source of the template.
    pub template: String,
    /// Lua's error message.
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
    /// The template has an expression, and `untrusted_lua` is off.
    Disabled,
}

#[derive(Clone, Debug)]
enum Part {
    Text(Box<[u8]>),
    Value(Expr),
}

impl Template {
    /// Compiles a template. A `$` that is not followed by balanced parentheses is literal text.
    ///
    /// # Errors
    /// If an expression is not valid Lua, or outside the supported subset.
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

    /// Compiles a template that Kong compiles at request time. A syntax error is retained and reported when the
    /// template is rendered.
    ///
    /// # Errors
    /// If an expression is valid Lua, but outside the supported subset.
    pub fn compile_deferred(text: &str) -> Result<Self, TemplateError> {
        match Self::compile(text) {
            Err(error @ TemplateError::Syntax(_)) => {
                Ok(Template { source: text.into(), kind: TemplateKind::Invalid(error) })
            }
            other => other,
        }
    }

    /// Returns the template for a node on which Lua is disabled: rendering fails if it has an expression.
    #[must_use]
    pub fn without_lua(self) -> Self {
        match self.kind {
            TemplateKind::Constant(_) => self,
            _ => Template { kind: TemplateKind::Disabled, ..self },
        }
    }

    /// Returns the text if it is the same for every request.
    pub fn constant(&self) -> Option<&Bytes> {
        match &self.kind {
            TemplateKind::Constant(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the syntax error with which every rendering fails, if there is one.
    pub fn syntax_error(&self) -> Option<&TemplateError> {
        match &self.kind {
            TemplateKind::Invalid(error) => Some(error),
            _ => None,
        }
    }

    /// Returns whether an expression refers to a global name.
    pub fn uses(&self, name: &str) -> bool {
        let mut found = false;
        self.globals(&mut |global| found |= global == name);
        found
    }

    /// Returns the first global name that is not defined in templates.
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

    /// Renders the template for a request. A value that is `nil` or `false` renders as empty text.
    ///
    /// # Errors
    /// If an expression fails, such as by indexing `nil`.
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

/// Returns the length of the balanced parentheses at the start of a text. As in Kong's templates, parentheses in
/// string literals count.
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
