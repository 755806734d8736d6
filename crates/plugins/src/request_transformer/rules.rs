//! Compiled rules: names and templates for fields, header names and values for headers.

use http::{HeaderName, HeaderValue};

use super::config::{Config, unsupported};
use crate::shared::{
    template::Template,
    transform::{header_name, header_value, split_rule},
};
use http_codec::HeaderSpelling;
use plugin::BuildError;

/// A field name, and its new name or value.
pub type FieldPair = (Box<str>, Template);

/// Rules for named fields: the arguments of a query, or the fields of a body.
#[derive(Debug, Default)]
pub struct FieldRules {
    /// Names to remove.
    pub remove: Box<[Box<str>]>,
    /// Old and new names.
    pub rename: Box<[FieldPair]>,
    /// Values of fields that exist.
    pub replace: Box<[FieldPair]>,
    /// Values of fields that do not exist.
    pub add: Box<[FieldPair]>,
    /// Values to append.
    pub append: Box<[FieldPair]>,
}

impl FieldRules {
    /// Compiles the rules for the query.
    pub fn of_query(config: &Config, lua_enabled: bool) -> Result<Self, BuildError> {
        Ok(FieldRules {
            remove: names(&config.remove.querystring),
            rename: pairs("/rename/querystring", &config.rename.querystring, lua_enabled)?,
            replace: pairs("/replace/querystring", &config.replace.querystring, lua_enabled)?,
            add: pairs("/add/querystring", &config.add.querystring, lua_enabled)?,
            append: pairs("/append/querystring", &config.append.querystring, lua_enabled)?,
        })
    }

    /// Compiles the rules for the body.
    pub fn of_body(config: &Config, lua_enabled: bool) -> Result<Self, BuildError> {
        Ok(FieldRules {
            remove: names(&config.remove.body),
            rename: pairs("/rename/body", &config.rename.body, lua_enabled)?,
            replace: pairs("/replace/body", &config.replace.body, lua_enabled)?,
            add: pairs("/add/body", &config.add.body, lua_enabled)?,
            append: pairs("/append/body", &config.append.body, lua_enabled)?,
        })
    }

    /// Returns whether there are no rules.
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.templates().next().is_none()
    }

    /// Returns whether a rule removes something that the client sent.
    pub fn hides_fields(&self) -> bool {
        !self.remove.is_empty() || !self.rename.is_empty() || !self.replace.is_empty()
    }

    /// Iterates over all templates of the rules.
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

/// Disables the expressions of a template unless Lua is enabled on this node.
pub fn restrict_lua(template: Template, lua_enabled: bool) -> Template {
    if lua_enabled { template } else { template.without_lua() }
}

/// Value of a header rule.
#[derive(Debug)]
pub enum HeaderText {
    /// The same value for every request.
    Constant(HeaderValue),
    /// A value that is rendered for each request.
    Template(Template),
}

/// A header name and its value.
pub type HeaderPair = (HeaderSpelling, HeaderText);

/// Rules for headers. Rules that cannot have an effect are omitted.
#[derive(Debug, Default)]
pub struct HeaderRules {
    /// Names to remove.
    pub remove: Box<[HeaderName]>,
    /// Old and new names.
    pub rename: Box<[(HeaderName, HeaderSpelling)]>,
    /// Values of headers that exist.
    pub replace: Box<[HeaderPair]>,
    /// Values of headers that do not exist.
    pub add: Box<[HeaderPair]>,
    /// Values to append.
    pub append: Box<[HeaderPair]>,
}

impl HeaderRules {
    /// Compiles the header rules.
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

    /// Iterates over all templates in the order in which they are rendered.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        [&self.replace, &self.add, &self.append].into_iter().flatten().filter_map(|(_, text)| match text {
            HeaderText::Template(template) => Some(template),
            HeaderText::Constant(_) => None,
        })
    }

    /// Returns whether a rule applies to a header.
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

fn header_renames(rules: &[String]) -> Result<Box<[(HeaderName, HeaderSpelling)]>, BuildError> {
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
        // A rule without a value is valid, but has no effect.
        match template.constant() {
            Some(text) if text.is_empty() => {}
            Some(text) => pairs.push((name, HeaderText::Constant(header_value(text)))),
            None => pairs.push((name, HeaderText::Template(template))),
        }
    }
    Ok(pairs.into())
}
