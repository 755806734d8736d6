//! Regular expression paths that match more than they show.

use super::{Lint, LintContext, Report, called};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/regex-path-without-end",
    level: Some(Level::Note),
    summary: "a regular expression path does not say where it ends",
    explanation: "A path after `~` is anchored at its start only: `~/users/\\d+` also matches /users/1/secrets. End it \
            with `$` for exactly that path, or with `(/|$)` for whole segments.",
    bad: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: r, paths: ['~/users/\\d+']}\n",
    good: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: r, paths: ['~/users/\\d+$']}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    for route in context.state.routes.rows() {
        for (i, path) in route.paths.iter().flatten().enumerate() {
            let open = path.starts_with('~')
                && !path.ends_with('$')
                && !path.ends_with("$)")
                && !path.ends_with(".*")
                && !path.ends_with('/');
            if open {
                report.at(
                    context.span(route, &["paths", &i.to_string()]),
                    format!("route {}: {path} also matches every longer path", called(route)),
                    &format!("end it with $: {path}$"),
                );
            }
        }
    }
}
