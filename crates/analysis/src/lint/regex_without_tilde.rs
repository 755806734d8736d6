//! A regular expression that is taken literally.

use super::{Lint, Report, Subject, called};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/regex-without-tilde",
    level: Some(Level::Warning),
    summary: "a path looks like a regular expression but does not begin with `~`",
    story: "Since format 3.0 a path is a regular expression only after `~`; `/users/.*` matches a request \
            for exactly these letters. Write `~/users/.*`, or for everything below a path simply the path: \
            `/users`.",
    bad: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: r, paths: ['/users/.*']}\n",
    good: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: r, paths: ['~/users/.*']}\n",
    run,
};

fn run(subject: &Subject<'_>, report: &mut Report<'_>) {
    for route in subject.state.routes.rows() {
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
                    subject.span(route, &["paths", &i.to_string()]),
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
                let bare = path.trim_end_matches(['.', '*', '+', '$']);
                report.at(
                    subject.span(route, &["paths", &i.to_string()]),
                    format!("route {} matches the letters {path}, not a pattern", called(route)),
                    &format!("write ~{path} for a regular expression, or {bare} for all that begins so"),
                );
            }
        }
    }
}

/// Whether a segment is a parameter: `{id}`, `:id`.
fn is_parameter(segment: &str) -> bool {
    let named = |s: &str| s.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    segment.strip_prefix(':').is_some_and(named)
        || segment.split_once('{').is_some_and(|(_, rest)| named(rest) && rest.contains('}'))
}

#[cfg(test)]
mod tests {
    use super::is_parameter;

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
