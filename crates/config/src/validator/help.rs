//! Suggested corrections for common violations. Never repeats a secret.

pub(super) use source::{confusable_name, is_confusable};

use super::{CompiledSchema, SchemaKind, StringSchema, Unit, Validator, messages::Violation};
use crate::nearest;
use model::{
    KINDS, KindInfo,
    rule::{pem, regex},
};
use source::{NodeId, Value, missing_space_help};

impl Validator<'_> {
    /// Returns the help for a violation by the value at the current path.
    pub(super) fn help(
        &self,
        schema: &CompiledSchema,
        node: NodeId,
        violation: &Violation,
        field: &str,
    ) -> Option<String> {
        let value = self.doc.value(node);
        match violation {
            Violation::Type(wanted) => self.type_help(schema, wanted, node, field),
            Violation::Missing if field == "`host`" => {
                Some("write `host: example.com`, or all in one: `url: http://example.com:80/`".to_owned())
            }
            Violation::Missing if field == "`name`" && self.is_plugin() => {
                Some("a plugin is chosen by its name: `name: rate-limiting`".to_owned())
            }
            Violation::NoKey => {
                let SchemaKind::Foreign(kind) = &schema.kind else { return None };
                let reference = self.reference_field()?;
                match KindInfo::of(kind).and_then(|kind| kind.name) {
                    None => Some(format!("{kind} have no name: give one an `id`, and write that id here")),
                    Some(field) => match self.doc.get(node, field).and_then(|name| self.doc.str(name)) {
                        Some(name) => Some(format!("write `{reference}: {name}`")),
                        None => Some(format!("write its name: `{reference}: NAME`")),
                    },
                }
            }
            Violation::NoUuid => {
                let reference = self.reference_field()?;
                let name = self.doc.str(node)?;
                Some(format!("an id is looked for here; by name, write `{reference}: {name}`"))
            }
            Violation::OneOf(_, got) if field == "`_format_version`" && got.starts_with('3') => {
                Some("write `_format_version: \"3.0\"`".to_owned())
            }
            // Numbers have no spelling suggestions.
            Violation::OneOf(_, got) if got.parse::<f64>().is_ok() => None,
            Violation::OneOf(values, got)
                if unit_of_size(got).is_some_and(|unit| values.iter().any(|v| v == unit)) =>
            {
                unit_of_size(got).map(|unit| format!("write `{unit}`"))
            }
            Violation::OneOf(values, got) => odd_help(got).or_else(|| shell_variable(got)).or_else(|| {
                let near = nearest(got, values.iter().map(String::as_str));
                near.map(|near| format!("did you mean `{near}`?"))
            }),
            Violation::TooShort(1) if schema.auto => {
                Some("write one, or leave the field out for a random one".to_owned())
            }
            _ => match (&schema.kind, value) {
                (SchemaKind::Text(text), Value::Str(written)) => self
                    .refusal_help(node, violation)
                    .or_else(|| text_help(text, written, schema.secret, field)),
                _ => None,
            },
        }
    }

    /// Returns the help for a certificate, a key or a regular expression that a rule rejected.
    pub(super) fn refusal_help(&self, node: NodeId, violation: &Violation) -> Option<String> {
        let Violation::Said(refusal) = violation else { return None };
        let written = self.doc.str(node)?;
        if refusal.contains("invalid regex") || refusal.contains("a valid regex") {
            return regex::advice(written.strip_prefix('~').unwrap_or(written));
        }
        pem::advice(written, refusal, self.doc.is_json(node))
    }

    /// Returns the field in which an entity contains a reference written as an object, if the current path is the
    /// object's `id`.
    fn reference_field(&self) -> Option<&'static str> {
        match self.path[..] {
            [.., super::PathStep::Field(field), super::PathStep::Field("id")] => Some(field),
            _ => None,
        }
    }

    fn is_plugin(&self) -> bool {
        self.records.last().is_some_and(|(record, _)| record.field("instance_name").is_some())
    }

    /// Suggests how to write a value of the wrong type that is close to the expected one.
    fn type_help(&self, schema: &CompiledSchema, wanted: &str, node: NodeId, field: &str) -> Option<String> {
        let fixed = |text: &str| Some(text.to_owned());
        match (wanted, self.doc.value(node)) {
            ("string", Value::Int(3)) if field == "`_format_version`" => {
                fixed("write `_format_version: \"3.0\"`")
            }
            ("string", Value::Int(_) | Value::Float(_) | Value::Bool(_)) => fixed("put it in quotes"),
            ("string", Value::Map(_)) => self.map_for_text(node),
            ("integer" | "number", Value::Str(text)) if !schema.secret => match &schema.kind {
                SchemaKind::Number(number) => number_help(number.unit, text),
                _ => None,
            },
            ("boolean", Value::Str(text)) => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" | "y" => fixed("write `true`, without quotes"),
                "false" | "no" | "off" | "0" | "n" => fixed("write `false`, without quotes"),
                _ => None,
            },
            ("boolean", Value::Int(1)) => fixed("write `true`"),
            ("boolean", Value::Int(0)) => fixed("write `false`"),
            ("array" | "set", Value::Map(_)) => Some(self.list_help(node, field)),
            ("array" | "set", Value::Str(text)) if text.contains(',') => {
                fixed("write it as a list, between brackets: [ a, b ]")
            }
            ("array" | "set", Value::Str(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_)) => {
                fixed("write it as a list of one item: [ … ]")
            }
            ("record" | "map", Value::Seq(_)) => fixed("write its fields without `- ` in front"),
            ("record" | "map", Value::Str(text)) => {
                match self.suggest_map(schema, text).or_else(|| missing_space_help(text)) {
                    Some(help) => Some(help),
                    None => fixed("write its fields on the lines below, indented, each as `name: value`"),
                }
            }
            _ => None,
        }
    }

    /// A map in place of a string: usually an unquoted string that YAML parses as a map.
    fn map_for_text(&self, node: NodeId) -> Option<String> {
        let [entry] = self.doc.entries(node) else { return None };
        let key = self.doc.key_text(entry.key);
        if key.starts_with("vault://") {
            return Some(format!("put the reference in quotes: \"{{{key}}}\""));
        }
        match self.doc.value(entry.value) {
            Value::Seq(_) | Value::Map(_) => None,
            Value::Null => Some("put it in quotes: `{` or `: ` makes a map of a text".to_owned()),
            _ => Some(format!("put it in quotes, without a space after the `:`: \"{key}:…\"")),
        }
    }

    /// A map in place of a list. For entities, usually a map by name, or a single entity without its `- `.
    fn list_help(&self, node: NodeId, field: &str) -> String {
        let name = field.trim_matches('`');
        let kind = KINDS.iter().position(|kind| kind.key == name);
        let record = kind.and_then(|kind| self.resolver.kind(kind));
        let first = self.doc.entries(node).first().map(|entry| self.doc.key_text(entry.key));
        if let Some(name) = first.as_deref().and_then(|key| key.strip_prefix('-')) {
            return format!("a space is missing after the `-`: write `- {name}: …`");
        }
        match (record, first) {
            // A scalar in place of an entity with secrets may be that secret.
            (Some(record), Some(first))
                if record.field(&first).is_none() && !record.may_conceal_secret(None) =>
            {
                let what = match name {
                    "plugins" => ", with its settings under `config:`",
                    _ => ", with its fields on the lines below",
                };
                format!("{name} are a list: write `- name: {first}`{what}")
            }
            _ => "begin each item with `- `".to_owned(),
        }
    }
}

/// Returns a size unit's full name.
fn unit_of_size(text: &str) -> Option<&'static str> {
    match text.to_ascii_lowercase().as_str() {
        "mb" | "mib" | "m" => Some("megabytes"),
        "kb" | "kib" | "k" => Some("kilobytes"),
        "b" => Some("bytes"),
        _ => None,
    }
}

/// Converts a text such as `60s` to the field's unit.
fn number_help(unit: Option<Unit>, text: &str) -> Option<String> {
    let text = text.trim();
    if text.parse::<f64>().is_ok_and(f64::is_finite) {
        return Some("write it without quotes".to_owned());
    }
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    let (number, suffix) = text.split_at(digits);
    let milliseconds = match suffix.trim().to_ascii_lowercase().as_str() {
        "ms" | "millis" | "milliseconds" => 1.0,
        "s" | "sec" | "secs" | "second" | "seconds" => 1_000.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000.0,
        "h" | "hr" | "hour" | "hours" => 3_600_000.0,
        "d" | "day" | "days" => 86_400_000.0,
        _ => return None,
    } * number.parse::<f64>().ok()?;
    match unit {
        Some(Unit::Milliseconds) => Some(format!("write `{milliseconds}`: it is a number of milliseconds")),
        Some(Unit::Seconds) => Some(format!("write `{}`: it is a number of seconds", milliseconds / 1_000.0)),
        None => Some("write a number alone, without a unit".to_owned()),
    }
}

/// Suggests a correction for a text that violates its field's rules.
fn text_help(text: &StringSchema, written: &str, secret: bool, field: &str) -> Option<String> {
    if let Some(help) = odd_help(written).or_else(|| shell_variable(written)) {
        return Some(help);
    }
    if secret {
        return None;
    }
    if written.starts_with("~~/") {
        return Some(
            "in formats before 3.0 a `~` is part of the path: write `_format_version: \"3.0\"`".to_owned(),
        );
    }
    if field == "`host`" {
        if written
            .split_once("://")
            .is_some_and(|(scheme, _)| scheme.bytes().all(|b| b.is_ascii_alphabetic()))
        {
            return Some(format!("`host` takes a name alone: write `url: {written}` in its place"));
        }
        if let Some((host, port)) = written.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()) {
            return Some(format!("write `host: {host}` and `port: {port}`"));
        }
    }
    if let Some(help) = address_help(written, field) {
        return Some(help);
    }
    let repaired =
        |repaired: String| (repaired != written && text.violation(&repaired).is_none()).then_some(repaired);
    let upper = repaired(written.to_ascii_uppercase());
    let lower = || repaired(written.to_ascii_lowercase());
    let trimmed = || repaired(written.trim().to_owned());
    let slash = || match written.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        true => repaired(format!("/{written}")),
        false => None,
    };
    if let Some(better) = upper.or_else(lower).or_else(trimmed).or_else(slash) {
        return Some(format!("write `{better}`"));
    }
    let pair = repaired(written.replacen('=', ":", 1)).or_else(|| repaired(written.replacen(": ", ":", 1)));
    pair.map(|better| format!("name and value are separated by a `:` alone: write `{better}`"))
}

/// Suggests a correction for a path, host or target in another gateway's syntax.
fn address_help(written: &str, field: &str) -> Option<String> {
    let is = |name: &str| field == format!("`{name}`") || field.ends_with(&format!(" of `{name}`"));
    let bare = written.split_once("://").map(|(_, rest)| rest);
    if is("paths") {
        if written == "*" {
            return Some("write `/`: it takes every path".to_owned());
        }
        let regex =
            written.strip_prefix("~*").or_else(|| written.strip_prefix('~')).unwrap_or(written).trim_start();
        let regex = regex.strip_prefix('^').unwrap_or(regex);
        let regex = regex.starts_with('/').then_some(regex).filter(|_| written.starts_with(['~', '^']))?;
        // Already in our syntax: the violation has another cause.
        if written.strip_prefix('~') == Some(regex) {
            return None;
        }
        return Some(format!(
            "write `~{regex}`: a regular expression begins with `~/`, and at the start of the path"
        ));
    }
    if is("hosts") {
        if written == "*" {
            return Some("leave `hosts` out: without it every host matches".to_owned());
        }
        let name = written.strip_prefix("Host(`").and_then(|rest| rest.strip_suffix("`)"));
        let name = name.or_else(|| bare.map(|rest| rest.split('/').next().unwrap_or_default()))?;
        return (!name.is_empty() && !name.contains('@')).then(|| format!("write `{name}`"));
    }
    if is("target") {
        let address = bare?.split('/').next().unwrap_or_default();
        return (!address.is_empty() && !address.contains('@')).then(|| format!("write `{address}`"));
    }
    None
}

/// `${NAME}` is not expanded.
pub(super) fn shell_variable(text: &str) -> Option<String> {
    let start = text.find("${")?;
    let name = text[start + 2..].split_once('}')?.0;
    let word = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let prefixed = name.strip_prefix("DECK_").unwrap_or(name);
    word.then(|| {
        format!(
            "`${{{name}}}` is not expanded: write `${{{{ env \"DECK_{prefixed}\" }}}}` and set that variable"
        )
    })
}

fn odd_help(text: &str) -> Option<String> {
    confusable_name(text).map(|name| format!("it contains {name}: type it again"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_with_a_unit_is_converted_to_the_unit_of_its_field() {
        let milliseconds = |text| number_help(Some(Unit::Milliseconds), text);
        assert_eq!(milliseconds("60s").as_deref(), Some("write `60000`: it is a number of milliseconds"));
        assert_eq!(milliseconds("1.5 s").as_deref(), Some("write `1500`: it is a number of milliseconds"));
        assert_eq!(milliseconds("20ms").as_deref(), Some("write `20`: it is a number of milliseconds"));
        assert_eq!(milliseconds(" 60 ").as_deref(), Some("write it without quotes"));
        assert_eq!(milliseconds("soon"), None);
        let seconds = number_help(Some(Unit::Seconds), "1h");
        assert_eq!(seconds.as_deref(), Some("write `3600`: it is a number of seconds"));
        assert_eq!(number_help(None, "5m").as_deref(), Some("write a number alone, without a unit"));
    }

    #[test]
    fn a_shell_variable_is_detected_and_a_template_is_not() {
        let help = shell_variable("http://${ORDERS_HOST}:80").expect("a variable");
        assert!(
            help.contains("${ORDERS_HOST}") && help.contains("${{ env \"DECK_ORDERS_HOST\" }}"),
            "{help}"
        );
        assert!(shell_variable("${DECK_X}").is_some_and(|help| help.contains("env \"DECK_X\"")));
        for text in ["${{ env \"DECK_X\" }}", "$X", "${}", "a"] {
            assert_eq!(shell_variable(text), None, "{text}");
        }
    }
}
