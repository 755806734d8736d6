//! Plugins of consumers in a configuration without authentication.

use super::{Lint, LintContext, Report, recognises, scope};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/consumer-plugin-without-authentication",
    level: Some(Level::Warning),
    summary: "a plugin is scoped to a consumer, but no plugin authenticates clients",
    explanation: "A plugin scoped to a consumer runs only on requests that an authentication plugin has identified as \
            that consumer's. No authentication plugin is enabled in this file, so it never runs.",
    bad: "_format_version: '3.0'\nconsumers:\n- {username: u, plugins: [{name: rate-limiting, config: {minute: 5}}]}\n",
    good: "_format_version: '3.0'\nplugins: [{name: key-auth}]\nconsumers:\n- {username: u, plugins: [{name: rate-limiting, config: {minute: 5}}], keyauth_credentials: [{key: wW3nS9fKx0aQ7bTz1LmP}]}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    if context.plugins().any(|plugin| recognises(context, plugin)) {
        return;
    }
    for plugin in context
        .plugins()
        // lint/authentication-for-consumer reports the others.
        .filter(|p| p.consumer.is_some() && !context.registry.authenticates(&p.name))
    {
        report.at(
            context.span(plugin, &[]),
            format!(
                "{} {} never runs: no plugin authenticates clients",
                plugin.name,
                scope(context.state, plugin)
            ),
            "add an authentication plugin such as key-auth",
        );
    }
}
