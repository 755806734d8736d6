//! CORS that lets every site act with the visitor's cookies.

use super::{Lint, LintContext, Report};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/cors-any-origin-with-credentials",
    level: Some(Level::Warning),
    summary: "any origin may send requests with credentials",
    explanation: "With `credentials: true` and `*` (or no list) as origins, the gateway answers every site with that \
            site's own origin, so any page a user visits can call the API as that user. Name the origins that \
            are yours.",
    bad: "_format_version: '3.0'\nplugins:\n- name: cors\n  config: {origins: ['*'], credentials: true}\n",
    good: "_format_version: '3.0'\nplugins:\n- name: cors\n  config: {origins: ['https://app.example.com'], credentials: true}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    for row in context.state.plugins.rows().iter().filter(|p| p.name == "cors" && p.enabled) {
        let config = row.config.json();
        let origins = config["origins"].as_array();
        let any = origins.is_none_or(|list| list.iter().any(|o| o == "*"));
        if any && config["credentials"] == true {
            report.at(
                context.span(row, &["config", "credentials"]),
                "any site may send requests with the user's credentials".to_owned(),
                "list the origins that may, or set credentials to false",
            );
        }
    }
}
