//! The settings' lists, compiled: names and templates for fields, header names and values for headers.

use http::{HeaderName, HeaderValue};

use super::config::{Config, unsupported};
use crate::shared::{
    template::Template,
    transform::{header_name, header_value, split_rule},
};
use http_codec::Spelling;
use plugin::BuildError;

/// A field's name, and its new name or value.
pub type FieldPair = (Box<str>, Template);

/// Rules for named fields: a query's arguments, a body's fields.
#[derive(Debug, Default)]
pub struct FieldRules {
    /// Names to take out.
    pub remove: Box<[Box<str>]>,
    /// Old names and new ones.
    pub rename: Box<[FieldPair]>,
    /// Values for what is there.
    pub replace: Box<[FieldPair]>,
    /// Values for what is not.
    pub add: Box<[FieldPair]>,
    /// One value more.
    pub append: Box<[FieldPair]>,
}

impl FieldRules {
    /// The rules for a query.
    pub fn of_query(config: &Config, lua_enabled: bool) -> Result<Self, BuildError> {
        Ok(FieldRules {
            remove: names(&config.remove.querystring),
            rename: pairs("/rename/querystring", &config.rename.querystring, lua_enabled)?,
            replace: pairs("/replace/querystring", &config.replace.querystring, lua_enabled)?,
            add: pairs("/add/querystring", &config.add.querystring, lua_enabled)?,
            append: pairs("/append/querystring", &config.append.querystring, lua_enabled)?,
        })
    }

    /// The rules for a body.
    pub fn of_body(config: &Config, lua_enabled: bool) -> Result<Self, BuildError> {
        Ok(FieldRules {
            remove: names(&config.remove.body),
            rename: pairs("/rename/body", &config.rename.body, lua_enabled)?,
            replace: pairs("/replace/body", &config.replace.body, lua_enabled)?,
            add: pairs("/add/body", &config.add.body, lua_enabled)?,
            append: pairs("/append/body", &config.append.body, lua_enabled)?,
        })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.templates().next().is_none()
    }

    /// Whether a rule takes something away that the client sent.
    pub fn hides_fields(&self) -> bool {
        !self.remove.is_empty() || !self.rename.is_empty() || !self.replace.is_empty()
    }

    /// All templates in them.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        [&self.rename, &self.replace, &self.add, &self.append]
            .into_iter()
            .flatten()
            .map(|(_, template)| template)
    }
}

fn names(rules: &[String]) -> Box<[Box<str>]> {
    rules.iter().filter_map(|rule| split_rule(rule)).map(|(name, _)| name.into()).collect()
}

fn pairs(pointer: &str, rules: &[String], lua_enabled: bool) -> Result<Box<[FieldPair]>, BuildError> {
    let compiled = rules.iter().enumerate().filter_map(|(at, rule)| {
        let (name, value) = split_rule(rule)?;
        let template = Template::compile(value)
            .map_err(|error| BuildError::at(format!("{pointer}/{at}"), unsupported(value, &error)));
        Some(template.map(|template| (name.into(), restrict_lua(template, lua_enabled))))
    });
    compiled.collect()
}

/// A template as it may be used on this node.
pub fn restrict_lua(template: Template, lua_enabled: bool) -> Template {
    if lua_enabled { template } else { template.without_lua() }
}

/// A header's value: one that is always the same, or a template.
#[derive(Debug)]
pub enum HeaderText {
    /// Always the same.
    Constant(HeaderValue),
    /// Another one for every request.
    Template(Template),
}

/// A header and its value.
pub type HeaderPair = (Spelling, HeaderText);

/// Rules for headers. Those that can never change anything are left out.
#[derive(Debug, Default)]
pub struct HeaderRules {
    /// Names to take out.
    pub remove: Box<[HeaderName]>,
    /// Old names and new ones.
    pub rename: Box<[(HeaderName, Spelling)]>,
    /// Values for what is there.
    pub replace: Box<[HeaderPair]>,
    /// Values for what is not.
    pub add: Box<[HeaderPair]>,
    /// One value more.
    pub append: Box<[HeaderPair]>,
}

impl HeaderRules {
    /// Compiles them.
    pub fn of(config: &Config, lua_enabled: bool) -> Result<Self, BuildError> {
        let no_host = |(name, _): &HeaderPair| name.name != http::header::HOST;
        let mut rules = HeaderRules {
            remove: header_names(&config.remove.headers)?,
            rename: header_renames(&config.rename.headers)?,
            replace: header_pairs("/replace/headers", &config.replace.headers, lua_enabled)?,
            add: header_pairs("/add/headers", &config.add.headers, lua_enabled)?,
            append: header_pairs("/append/headers", &config.append.headers, lua_enabled)?,
        };
        for list in [&mut rules.add, &mut rules.append] {
            *list = std::mem::take(list).into_iter().filter(no_host).collect();
        }
        Ok(rules)
    }

    /// All templates in them, in the order in which they are rendered.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        [&self.replace, &self.add, &self.append].into_iter().flatten().filter_map(|(_, text)| match text {
            HeaderText::Template(template) => Some(template),
            HeaderText::Constant(_) => None,
        })
    }

    /// Whether some rule is about that header.
    pub fn affects(&self, header: &HeaderName) -> bool {
        self.remove.contains(header)
            || self.rename.iter().any(|(old, new)| old == header || new.name == *header)
            || [&self.replace, &self.add, &self.append]
                .into_iter()
                .flatten()
                .any(|(name, _)| name.name == *header)
    }
}

fn header_names(rules: &[String]) -> Result<Box<[HeaderName]>, BuildError> {
    let mut names = Vec::new();
    for (at, rule) in rules.iter().enumerate() {
        let name = split_rule(rule).map_or("nil", |(name, _)| name);
        let name =
            header_name(name).map_err(|error| BuildError::at(format!("/remove/headers/{at}"), error))?;
        if name.name != http::header::HOST {
            names.push(name.name);
        }
    }
    Ok(names.into())
}

fn header_renames(rules: &[String]) -> Result<Box<[(HeaderName, Spelling)]>, BuildError> {
    let mut pairs = Vec::new();
    for (at, rule) in rules.iter().enumerate() {
        let (old, new) = split_rule(rule).unwrap_or(("nil", "nil"));
        let wrong = |error| BuildError::at(format!("/rename/headers/{at}"), error);
        let (old, new) = (header_name(old).map_err(wrong)?.name, header_name(new).map_err(wrong)?);
        if old != http::header::HOST {
            pairs.push((old, new));
        }
    }
    Ok(pairs.into())
}

fn header_pairs(pointer: &str, rules: &[String], lua_enabled: bool) -> Result<Box<[HeaderPair]>, BuildError> {
    let mut pairs = Vec::new();
    for (at, rule) in rules.iter().enumerate() {
        let (name, value) = split_rule(rule).unwrap_or(("nil", ""));
        let wrong = |error| BuildError::at(format!("{pointer}/{at}"), error);
        let name = header_name(name).map_err(wrong)?;
        let template =
            Template::compile_deferred(value).map_err(|error| wrong(unsupported(value, &error)))?;
        let template = restrict_lua(template, lua_enabled);
        // A rule without a value is restrict_lua, and does nothing.
        match template.constant() {
            Some(text) if text.is_empty() => {}
            Some(text) => pairs.push((name, HeaderText::Constant(header_value(text)))),
            None => pairs.push((name, HeaderText::Template(template))),
        }
    }
    Ok(pairs.into())
}
