//! A regular expression that is taken literally.

use super::{Lint, LintContext, Report, called};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/regex-without-tilde",
    level: Some(Level::Warning),
    summary: "a path looks like a regular expression but does not begin with `~`",
    explanation: "Since format 3.0 a path is a regular expression only after `~`; `/users/.*` matches a request \
            for exactly these letters. Write `~/users/.*`, or for everything below a path simply the path: \
            `/users`.",
    bad: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: r, paths: ['/users/.*']}\n",
    good: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: r, paths: ['~/users/.*']}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    for route in context.state.routes.rows() {
        for (i, path) in route.paths.iter().flatten().enumerate().filter(|(_, p)| !p.starts_with('~')) {
            // A name in the place of a segment, as frameworks and API descriptions write it.
            if let Some(segment) = path.split('/').find(|s| is_parameter(s)) {
                let name: String =
                    segment.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                let regex: String = path
                    .split('/')
                    .map(|s| if is_parameter(s) { "[^/]+" } else { s })
                    .collect::<Vec<_>>()
                    .join("/");
                report.at(
                    context.span(route, &["paths", &i.to_string()]),
                    format!("route {} matches the letters {segment}, not any {name}", called(route)),
                    &format!("write ~{regex}$ to match any {name}"),
                );
                continue;
            }
            let looks =
                [".*", ".+", "(?", "\\", "[", ")$", "]+", "]*"].iter().any(|sign| path.contains(sign))
                    || path.ends_with('*')
                    || path.ends_with('$');
            if looks {
                let prefix = prefix(path);
                let or =
                    prefix.map_or_else(String::new, |prefix| format!(", or {prefix} for all that begins so"));
                report.at(
                    context.span(route, &["paths", &i.to_string()]),
                    format!("route {} matches the letters {path}, not a pattern", called(route)),
                    &format!("write ~{} for a regular expression{or}", regex(path)),
                );
            }
        }
    }
}

/// The regular expression that was meant: a `*` that repeats nothing stands for any text, as in a shell.
fn regex(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 4);
    for (at, c) in path.char_indices() {
        let repeats =
            path[..at].ends_with(|c: char| matches!(c, '.' | ')' | ']' | '}' | '\\') || c.is_alphanumeric());
        match c {
            '*' if !repeats && path[at + 1..].is_empty() => out.push_str(".*"),
            '*' if !repeats => out.push_str("[^/]*"),
            c => out.push(c),
        }
    }
    out
}

/// What stands before a pattern for any text at the end.
fn prefix(path: &str) -> Option<&str> {
    const ANY: [&str; 10] = ["(.*)$", "(.+)$", ".*$", ".+$", "(.*)", "(.+)", ".*", ".+", "**", "*"];
    let prefix = ANY.iter().find_map(|any| path.strip_suffix(any))?;
    let plain = !prefix.contains(['*', '+', '(', '[', '\\', '?', '^', '$', '|']);
    (plain && prefix.starts_with('/')).then_some(prefix)
}

/// Whether a segment is a parameter: `{id}`, `:id`.
fn is_parameter(segment: &str) -> bool {
    let named = |s: &str| s.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    segment.strip_prefix(':').is_some_and(named)
        || segment.split_once('{').is_some_and(|(_, rest)| named(rest) && rest.contains('}'))
}

#[cfg(test)]
mod tests {
    use super::{is_parameter, prefix, regex};

    #[test]
    fn what_is_suggested_is_what_was_meant() {
        for (path, meant, begins) in [
            ("/orders/*", "/orders/.*", Some("/orders/")),
            ("/a/(.*)", "/a/(.*)", Some("/a/")),
            ("/users/.*", "/users/.*", Some("/users/")),
            ("/a/*/b/*", "/a/[^/]*/b/.*", None),
            ("/v[12]/x", "/v[12]/x", None),
            ("/a$", "/a$", None),
        ] {
            assert_eq!((regex(path).as_str(), prefix(path)), (meant, begins), "{path}");
        }
    }

    #[test]
    fn parameters_of_frameworks_are_known() {
        for segment in ["{id}", ":id", "{user_id}.json", ":userId"] {
            assert!(is_parameter(segment), "{segment}");
        }
        for segment in ["id", "a:b", ":", "", "{}", "12:30", "v1:batch"] {
            assert!(!is_parameter(segment), "{segment}");
        }
    }
}
