//! Text that YAML takes for a tag.

use ahash::AHashSet;

use super::{Lint, Report, Subject};
use crate::source::{Level, NodeId, Value};

pub static LINT: Lint = Lint {
    code: "lint/value-lost-to-tag",
    level: Some(Level::Warning),
    summary: "a value begins with `!`, so YAML takes its first word for a tag and drops it",
    story: "In YAML `!word` is a tag: it names a type and is no part of the value. `key: !another` is null, \
            and a key is made up at random; `!Ref name` is the text `name`. Put a text that begins with `!` \
            in quotes.",
    bad: "_format_version: '3.0'\nconsumers:\n- username: u\n  keyauth_credentials:\n  - key: !wW3nS9fKx0aQ7bTz1LmP\n",
    good: "_format_version: '3.0'\nconsumers:\n- username: u\n  keyauth_credentials:\n  - key: '!wW3nS9fKx0aQ7bTz1LmP'\n",
    run,
};

fn run(subject: &Subject<'_>, report: &mut Report<'_>) {
    let document = subject.document;
    // Aliases, defaults and rewritten maps repeat a place.
    let mut seen = AHashSet::new();
    for node in (0..document.next_id().0).map(NodeId) {
        let span = document.span(node);
        let text = subject.sources.snippet(span);
        // `!!str` names a type of YAML itself, and `!` alone says that the value is a text.
        let is_tag =
            text.starts_with('!') && !text.starts_with("!!") && !text.starts_with("! ") && text != "!";
        let is_scalar = !matches!(document.value(node), Value::Map(_) | Value::Seq(_));
        if is_tag && is_scalar && seen.insert(span) {
            let left = if *document.value(node) == Value::Null {
                "the value is null"
            } else {
                "only what follows it is the value"
            };
            report.at(
                Some(span),
                format!("what begins with `!` is a YAML tag: {left}"),
                "put the value in quotes",
            );
        }
    }
}
