//! A `#` in a secret that begins a comment.

use super::{Lint, LintContext, Report, credential_rows};
use config::secret;
use source::{Level, Span, Value};

pub static LINT: Lint = Lint {
    code: "lint/value-cut-by-comment",
    level: Some(Level::Warning),
    summary: "a `#` after a space ends a secret",
    explanation: "In YAML a `#` after a space begins a comment: `password: abc #123` is `abc`, and `key: #123` is nothing, \
            for which the gateway makes up a random key. Put the value in quotes if the `#` is part of it; put a \
            space after the `#` if it is a comment.",
    bad: "_format_version: '3.0'\nconsumers:\n- username: u\n  keyauth_credentials:\n  - key: wW3nS9fKx0aQ7bTz1LmP #789\n",
    good: "_format_version: '3.0'\nconsumers:\n- username: u\n  keyauth_credentials:\n  - key: 'wW3nS9fKx0aQ7bTz1LmP #789'\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let document = context.document;
    for (kind, row) in credential_rows(context.state) {
        let Some(origin) = row.origin().filter(|origin| !document.is_json(*origin)) else { continue };
        let secrets = secret::paths_of_kind(kind.key).iter().map(String::as_str);
        let other = secrets.filter(|field| !kind.generated.contains(field));
        for field in kind.generated.iter().copied().chain(other) {
            let Some(entry) = document.entry(origin, field) else { continue };
            let (key, value) = (document.span(entry.key), document.span(entry.value));
            let nothing = *document.value(entry.value) == Value::Null;
            let after = rest_of_line(context, if nothing { key } else { value });
            let after = if nothing { after.trim_start().strip_prefix(':').unwrap_or("") } else { after };
            let Some(comment) = after.trim_start().strip_prefix('#').filter(|_| after.starts_with(' '))
            else {
                continue;
            };
            if comment.starts_with(|c: char| !c.is_whitespace() && c != '#') {
                let what = if nothing { "this {} is empty" } else { "this {} ends here" };
                report.at(
                    Some(if nothing { key } else { value }),
                    format!("{}: what follows the `#` is a comment", what.replace("{}", field)),
                    "put the value in quotes if the `#` is part of it; if not, write a space after the `#`",
                );
            }
        }
    }
}

fn rest_of_line<'a>(context: &LintContext<'a>, span: Span) -> &'a str {
    let text = context.sources.get(span.file).text();
    text.get(span.end as usize..).and_then(|rest| rest.lines().next()).unwrap_or("")
}
