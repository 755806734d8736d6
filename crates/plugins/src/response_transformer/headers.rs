//! Compiled header rules.

use http::{HeaderName, HeaderValue};
use smallvec::SmallVec;

use super::config::Config;
use crate::shared::transform::{header_name, header_value, split_rule};
use http_codec::{HeaderSpelling, Headers};
use plugin::BuildError;

/// Compiled header rules.
#[derive(Debug)]
pub struct Rules {
    remove: Box<[HeaderName]>,
    rename: Box<[(HeaderName, HeaderSpelling)]>,
    replace: Box<[(HeaderSpelling, HeaderValue)]>,
    add: Box<[(HeaderSpelling, HeaderValue)]>,
    append: Box<[(HeaderSpelling, HeaderValue)]>,
}

impl Rules {
    /// Compiles the header rules. A rule without a value has no effect.
    pub fn of(config: &Config) -> Result<Self, BuildError> {
        let mut remove = Vec::new();
        for (at, rule) in config.remove.headers.iter().enumerate() {
            remove.push(name(rule, "remove", at)?.0.name);
        }
        let mut rename = Vec::new();
        for (at, rule) in config.rename.headers.iter().enumerate() {
            let (old, new) = name(rule, "rename", at)?;
            let new = header_name(new).map_err(|error| wrong("rename", at, error))?;
            rename.push((old.name, new));
        }
        Ok(Rules {
            remove: remove.into(),
            rename: rename.into(),
            replace: pairs("replace", &config.replace.headers)?,
            add: pairs("add", &config.add.headers)?,
            append: pairs("append", &config.append.headers)?,
        })
    }

    /// Applies the rules to the headers of a response. Conditions refer to the original headers.
    pub fn apply(&self, headers: &mut Headers) {
        let renamed_values: SmallVec<[SmallVec<[HeaderValue; 1]>; 2]> =
            self.rename.iter().map(|(old, _)| headers.get_all(old).iter().cloned().collect()).collect();
        let present = |list: &[(HeaderSpelling, HeaderValue)]| -> SmallVec<[bool; 16]> {
            list.iter().map(|(name, _)| headers.contains_key(&name.name)).collect()
        };
        let (replaceable, existing) = (present(&self.replace), present(&self.add));
        for name in &self.remove {
            headers.remove(name);
        }
        for ((old, new), values) in self.rename.iter().zip(renamed_values) {
            if values.is_empty() {
                continue;
            }
            if *old == new.name {
                headers.set_spelling(new);
                continue;
            }
            headers.remove(&new.name);
            for value in values {
                headers.add(new, value);
            }
            headers.remove(old);
        }
        for ((name, value), _) in self.replace.iter().zip(replaceable).filter(|(_, is_present)| *is_present) {
            headers.set(name, value.clone());
        }
        for ((name, value), _) in self.add.iter().zip(existing).filter(|(_, is_present)| !*is_present) {
            headers.set(name, value.clone());
        }
        for (name, value) in &self.append {
            headers.add(name, value.clone());
        }
    }
}

fn wrong(list: &str, at: usize, error: String) -> BuildError {
    BuildError::at(format!("/{list}/headers/{at}"), error)
}

fn name<'r>(rule: &'r str, list: &str, at: usize) -> Result<(HeaderSpelling, &'r str), BuildError> {
    let (name, value) = split_rule(rule).unwrap_or(("nil", ""));
    Ok((header_name(name).map_err(|error| wrong(list, at, error))?, value))
}

fn pairs(list: &str, rules: &[String]) -> Result<Box<[(HeaderSpelling, HeaderValue)]>, BuildError> {
    let mut pairs = Vec::new();
    for (at, rule) in rules.iter().enumerate() {
        let (name, value) = name(rule, list, at)?;
        if !value.is_empty() {
            pairs.push((name, header_value(value.as_bytes())));
        }
    }
    Ok(pairs.into())
}
