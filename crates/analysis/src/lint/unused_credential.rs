//! Credentials that no plugin looks at.

use super::{CREDENTIALS, Lint, LintContext, Report};
use model::Row;
use source::{Level, Span};

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
    for (table, plugin) in CREDENTIALS {
        if context.named(plugin).next().is_some() {
            continue;
        }
        let (count, place) = match table {
            "keyauth_credentials" => first(context, state.keyauth_credentials.rows()),
            "basicauth_credentials" => first(context, state.basicauth_credentials.rows()),
            "hmacauth_credentials" => first(context, state.hmacauth_credentials.rows()),
            "jwt_secrets" => first(context, state.jwt_secrets.rows()),
            "oauth2_credentials" => first(context, state.oauth2_credentials.rows()),
            _ => first(context, state.acls.rows()),
        };
        if count > 0 {
            report.at(
                place,
                format!(
                    "{table} ({count} in this file) are not looked at: no {plugin} plugin is switched on"
                ),
                &format!("add the {plugin} plugin, or take them out"),
            );
        }
    }
}

fn first<T: Row>(context: &LintContext<'_>, rows: &[T]) -> (usize, Option<Span>) {
    (rows.len(), rows.first().and_then(|row| context.span(row, &[])))
}
