//! Authentication that recognises no consumer.

use super::{Lint, LintContext, Report, credentials, recognises, scope};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/authentication-without-credentials",
    level: Some(Level::Note),
    summary: "an authentication plugin runs, but no consumer has a credential for it",
    explanation: "Credentials are looked up among those of the consumers, and this file has none of the kind that \
            the plugin reads, so it refuses every request with 401. Give a consumer one: \
            `keyauth_credentials` for key-auth, `jwt_secrets` for jwt. Files without routes are not looked \
            at; allow the finding where consumers are in another file.",
    bad: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes: [{name: r, paths: [/x], plugins: [{name: jwt, config: {claims_to_verify: [exp]}}]}]\n",
    good: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes: [{name: r, paths: [/x], plugins: [{name: jwt, config: {claims_to_verify: [exp]}}]}]\nconsumers:\n- {username: u, jwt_secrets: [{key: u, secret: 5fKx0aQ7bTz1LmPwW3nS9fKx0aQ7bTz1LmP}]}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let state = context.state;
    if state.routes.is_empty() {
        return;
    }
    for (kind, name) in credentials() {
        if !state.tables()[kind.number].is_empty() {
            continue;
        }
        let table = kind.key;
        for plugin in context.named(name).filter(|p| recognises(context, p)) {
            let passes = plugin.config.json()["anonymous"].as_str().is_some_and(|guest| !guest.is_empty());
            let effect = if passes { "identifies no client" } else { "refuses every request" };
            report.at(
                context.span(plugin, &[]),
                format!("{name} {} {effect}: no consumer has {table}", scope(state, plugin)),
                &format!("give a consumer {table}"),
            );
        }
    }
}
