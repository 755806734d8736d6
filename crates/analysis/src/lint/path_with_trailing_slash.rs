//! A path that does not match itself without the slash.

use ahash::AHashSet;

use super::{Lint, LintContext, Report, called};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/path-with-trailing-slash",
    level: Some(Level::Note),
    summary: "a path ends with a slash, so the path without it is not found",
    explanation: "Prefixes are compared byte by byte: `/api/` matches `/api/x`, but not `/api`. List both, or leave \
            the slash out (then `/apiary` matches too; the regular expression `~/api(/|$)` does not match \
            it).",
    bad: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: r, paths: [/api/]}\n",
    good: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: r, paths: [/api/, /api]}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    // If another route has the path without the slash, the difference is intended.
    let plain: AHashSet<&str> = context
        .state
        .routes
        .rows()
        .iter()
        .flat_map(|r| r.paths.iter().flatten())
        .map(String::as_str)
        .collect();
    for route in context.state.routes.rows() {
        for (i, path) in route.paths.iter().flatten().enumerate() {
            let Some(bare) = path.strip_suffix('/').filter(|p| !p.is_empty() && !p.starts_with('~')) else {
                continue;
            };
            if !plain.contains(bare) {
                report.at(
                    context.span(route, &["paths", &i.to_string()]),
                    format!("route {} does not match {bare}, only what is below it", called(route)),
                    &format!("add {bare}, if it is meant too"),
                );
            }
        }
    }
}
