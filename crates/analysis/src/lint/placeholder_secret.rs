//! Placeholders that are live credentials.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value as Json;

use super::{Lint, LintContext, Report, credential_rows, scope};
use config::secret;
use model::{PluginEntity, Row};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/placeholder-secret",
    level: Some(Level::Warning),
    summary: "a credential is a placeholder, and works as it is written",
    explanation: "A reference that is not resolved, a variable that is not substituted, and `changeme` are valid \
            credentials: every reader of the template can use them. Kong resolves `{vault://…}` only in \
            fields that may be references, and keys and passwords of consumers may not; only variables of \
            the form `${{ env \"DECK_NAME\" }}` are substituted. Write the real credential, or leave the \
            field out for a random one.",
    bad: "_format_version: '3.0'\nconsumers:\n- username: u\n  keyauth_credentials: [{key: '{vault://env/MY_API_KEY}'}]\n",
    good: "_format_version: '3.0'\nconsumers:\n- username: u\n  keyauth_credentials: [{key: wW3nS9fKx0aQ7bTz1LmP}]\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    for (kind, row) in credential_rows(context.state) {
        let fields = row.to_json();
        for field in secret::paths_of_kind(kind.key) {
            credential(context, report, row, field, fields[field].as_str().unwrap_or_default());
        }
    }
    for plugin in context.plugins() {
        let config = plugin.config.json();
        settings(context, report, plugin, &config);
    }
}

fn credential(context: &LintContext<'_>, report: &mut Report<'_>, row: &dyn Row, field: &str, text: &str) {
    let what = if text.starts_with("{vault://") {
        "a reference that is not resolved here: its letters are"
    } else if is_placeholder(text) {
        "a placeholder: its letters are"
    } else {
        return;
    };
    report.at(
        context.span(row, &[field]),
        format!("this {field} is {what} the credential"),
        "write the real one, or leave it out for a random one",
    );
}

/// Whether a text is there to be replaced: `$VAR`, `${VAR}`, `<key>`, `changeme`.
fn is_placeholder(text: &str) -> bool {
    static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?ix) ^ ( \$\w+ | \$\{[^}]*\} | \{\{.*\}\} | %\w+% | <[^<>]+> | __\w+__ | x{3,} | \*{3,} | \.{3}
            | todo | tbd | fixme | placeholder | dummy | example | secret | password | passw0rd | default
            | (your|insert|put|enter|replace)[-_\ ].* | .*[-_\ ](goes[-_\ ])?here ) $
            | (^|[^a-z]) (change[-_\ ]?(me|it|this) | replace[-_\ ]?me) ($|[^a-z])",
        )
        .expect("the pattern is a constant, and a test uses it")
    });
    PLACEHOLDER.is_match(text)
}

/// References in settings that may hold none.
fn settings(context: &LintContext<'_>, report: &mut Report<'_>, plugin: &PluginEntity, config: &Json) {
    let Some(entry) = context.registry.find(&plugin.name) else { return };
    let mut literal = Vec::new();
    unresolved(config, &mut vec!["config".to_owned()], &mut literal);
    if literal.is_empty() {
        return;
    }
    let schema = (entry.schema)().to_value();
    for path in literal {
        let below: Vec<&str> = path.iter().map(String::as_str).collect();
        if !is_referenceable(&schema, &below[1..]) {
            report.at(
                context.span(plugin, &below),
                format!(
                    "{} of {} {} is a reference that is not resolved here: it is used letter by letter",
                    below.join("."),
                    plugin.name,
                    scope(context.state, plugin)
                ),
                "only some settings may be references; write the value",
            );
        }
    }
}

/// The paths of all references in a value.
fn unresolved(value: &Json, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let mut below = |step: String, value: &Json| {
        path.push(step);
        unresolved(value, path, found);
        path.pop();
    };
    match value {
        Json::String(text) if text.starts_with("{vault://") => found.push(path.clone()),
        Json::Array(items) => items.iter().enumerate().for_each(|(i, item)| below(i.to_string(), item)),
        Json::Object(map) => map.iter().for_each(|(key, value)| below(key.clone(), value)),
        _ => {}
    }
}

/// Whether the field at a path may be a reference.
fn is_referenceable(schema: &Json, path: &[&str]) -> bool {
    let Some((step, rest)) = path.split_first() else { return schema["x-referenceable"] == true };
    let next = if step.parse::<usize>().is_ok() { &schema["items"] } else { &schema["properties"][step] };
    is_referenceable(next, rest)
}

#[cfg(test)]
mod tests {
    use super::is_placeholder;

    #[test]
    fn placeholders_are_distinguished_from_secrets() {
        for text in [
            "$API_KEY",
            "${API_KEY}",
            "changeme",
            "change-me-please",
            "<your key>",
            "YOUR_API_KEY",
            "xxxx",
            "{{ .Values.key }}",
        ] {
            assert!(is_placeholder(text), "{text}");
        }
        for text in [
            "$2y$10$abcdefghijkl",
            "wW3nS9fKx0aQ7bTz1LmP",
            "exchange-medium",
            "where",
            "secret-of-the-sea",
            "",
        ] {
            assert!(!is_placeholder(text), "{text}");
        }
    }
}
