//! Credentials that no plugin looks at.

use super::{Lint, LintContext, Report, credentials};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/unused-credential",
    level: Some(Level::Note),
    summary: "consumers have credentials of a kind that no plugin reads",
    explanation: "Credentials are read by the plugin of their kind: `keyauth_credentials` by key-auth, `acls` by \
            acl. No such plugin is switched on in this file, so they do nothing here. Files without routes \
            are not looked at: the plugins live elsewhere.",
    bad: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: r, paths: [/x], plugins: [{name: jwt, config: {claims_to_verify: [exp]}}]}\nconsumers:\n- {username: u, keyauth_credentials: [{key: wW3nS9fKx0aQ7bTz1LmP}]}\n",
    good: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: r, paths: [/x], plugins: [{name: key-auth}]}\nconsumers:\n- {username: u, keyauth_credentials: [{key: wW3nS9fKx0aQ7bTz1LmP}]}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let state = context.state;
    if state.routes.is_empty() {
        return;
    }
    for (kind, plugin) in credentials() {
        if context.named(plugin).next().is_some() {
            continue;
        }
        let (table, rows) = (kind.key, state.tables()[kind.number]);
        if !rows.is_empty() {
            report.at(
                context.span(rows.row(0), &[]),
                format!(
                    "{table} ({} in this file) are not looked at: no {plugin} plugin is switched on",
                    rows.len()
                ),
                &format!("add the {plugin} plugin, or take them out"),
            );
        }
    }
}
