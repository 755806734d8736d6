//! A regular expression that is taken literally.

use super::{Lint, Report, Subject, called};
use crate::source::Level;

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
