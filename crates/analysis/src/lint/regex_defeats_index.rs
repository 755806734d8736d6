//! A regular expression that every request is tried against.

use super::{Lint, LintContext, Report, called};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/regex-defeats-index",
    level: Some(Level::Note),
    summary: "a regular expression path does not begin with fixed text",
    explanation: "The router finds the few routes a request may belong to by host and by the fixed beginning of \
            the path. An expression such as `~/.*/x` has none, and the route no host, so it is tried on \
            every request. Begin with a fixed segment, or name hosts.",
    bad: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: r, paths: ['~/.*/users$']}\n",
    good: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: r, paths: ['~/v\\d+/users$']}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    for route in context.state.routes.rows().iter().filter(|r| r.hosts.as_ref().is_none_or(|h| h.is_empty()))
    {
        for (i, path) in route.paths.iter().flatten().enumerate() {
            let Some(regex) = path.strip_prefix("~/") else { continue };
            // A lone expression for everything else is the catch-all that it looks like.
            let all = matches!(regex, "" | ".*" | ".*$" | "$");
            let free = regex.starts_with(['.', '(', '[', '\\']) && !regex.starts_with("\\.");
            if free && !all {
                report.at(
                    context.span(route, &["paths", &i.to_string()]),
                    format!("route {}: {path} is tried on every request", called(route)),
                    "begin with a fixed segment, or name the route's hosts",
                );
            }
        }
    }
}
