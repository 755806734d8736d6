//! Consumers that no client can authenticate as.

use ahash::AHashSet;
use uuid::Uuid;

use super::{Lint, LintContext, Report, called, credential_rows, credentials};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/consumer-without-credential",
    level: Some(Level::Note),
    summary: "a consumer has nothing to be recognised by",
    explanation: "The file has authentication plugins, and this consumer has no credential for any of them and no \
            `custom_id`, and no plugin falls back to it as `anonymous`. No request is ever made in its name.",
    bad: "_format_version: '3.0'\nplugins: [{name: key-auth}]\nconsumers:\n- {username: a, keyauth_credentials: [{key: wW3nS9fKx0aQ7bTz1LmP}]}\n- {username: b}\n",
    good: "_format_version: '3.0'\nplugins: [{name: key-auth, config: {anonymous: b}}]\nconsumers:\n- {username: a, keyauth_credentials: [{key: wW3nS9fKx0aQ7bTz1LmP}]}\n- {username: b}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let state = context.state;
    let owners: AHashSet<Uuid> =
        credential_rows(state).filter_map(|(_, row)| row.linked("consumer")).collect();
    // Credentials kept elsewhere, or a plugin that finds consumers by name.
    let elsewhere =
        |name: &str| context.registry.authenticates(name) && !credentials().any(|(_, plugin)| plugin == name);
    if owners.is_empty() || context.plugins().any(|p| elsewhere(&p.name)) {
        return;
    }
    let anonymous: AHashSet<Uuid> = context
        .plugins()
        .filter_map(|p| p.config.json()["anonymous"].as_str().and_then(|name| state.consumer(name)))
        .map(|ix| state.consumers[ix].id)
        .collect();
    for consumer in state.consumers.rows() {
        let known =
            owners.contains(&consumer.id) || anonymous.contains(&consumer.id) || consumer.custom_id.is_some();
        if !known {
            report.at(
                context.span(consumer, &[]),
                format!("consumer {} has no credential", called(consumer)),
                "add a credential, or take the consumer out",
            );
        }
    }
}
