//! An upstream that no service names.

use ahash::AHashSet;
use serde_json::Value;

use super::{Lint, LintContext, Report, SUGGESTIONS};
use config::nearest;
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/unused-upstream",
    level: Some(Level::Note),
    summary: "no service has an upstream as its host",
    explanation: "A service uses an upstream by having the upstream's name as its host. No service of this file \
            does, so its targets get no requests. Often one of the two names is misspelt.",
    bad: "_format_version: '3.0'\nupstreams:\n- {name: pool, targets: [{target: '10.0.0.1:80'}]}\nservices:\n- {name: a, host: pol}\n",
    good: "_format_version: '3.0'\nupstreams:\n- {name: pool, targets: [{target: '10.0.0.1:80'}]}\nservices:\n- {name: a, host: pool}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let state = context.state;
    // The services of a file without any are in another file.
    if state.services.is_empty() {
        return;
    }
    if state.upstreams.is_empty() {
        return;
    }
    let mut used = AHashSet::new();
    let mut unknown = Vec::new();
    for host in state.services.rows().iter().map(|s| s.host.as_str()) {
        match state.upstreams.by_name(host) {
            Some(upstream) => _ = used.insert(upstream),
            // A host without a dot may be an upstream's name, misspelt.
            None if !host.contains('.') => unknown.push(host),
            None => {}
        }
    }
    // Plugins may choose an upstream by name; which do is theirs to know.
    for plugin in context.plugins() {
        texts(&plugin.config.json(), &mut |text| used.extend(state.upstreams.by_name(text)));
    }
    let mut suggestions = 0..SUGGESTIONS;
    for (ix, upstream) in state.upstreams.iter() {
        if used.contains(&ix) {
            continue;
        }
        let near = suggestions.next().and_then(|_| nearest(&upstream.name, unknown.iter().copied()));
        let help = near.map_or_else(
            || "name it as the host of a service, or take it out".to_owned(),
            |near| format!("a service has the host {near:?}"),
        );
        report.at(
            context.span(upstream, &[]),
            format!("no service uses upstream {:?}", upstream.name),
            &help,
        );
    }
}

/// Visits all strings in a value, keys included.
fn texts(value: &Value, visit: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, visit)),
        Value::Object(entries) => {
            for (name, value) in entries {
                visit(name);
                texts(value, visit);
            }
        }
        _ => {}
    }
}
