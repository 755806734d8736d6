//! Authentication for one consumer.

use super::{Lint, LintContext, Report, called, protected, scope};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/authentication-for-consumer",
    level: Some(Level::Warning),
    summary: "an authentication plugin is scoped to a consumer and requires credentials of no client",
    explanation: "A plugin scoped to a consumer runs only on requests that another plugin has identified as that \
            consumer's. An authentication plugin under a consumer therefore never runs on a request without \
            credentials, and protects nothing. Put it on a service, a route, or at top level; the consumer \
            keeps its credentials.",
    bad: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes: [{name: r, paths: [/x]}]\nconsumers:\n- {username: u, keyauth_credentials: [{key: wW3nS9fKx0aQ7bTz1LmP}], plugins: [{name: key-auth}]}\n",
    good: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes: [{name: r, paths: [/x]}]\nplugins: [{name: key-auth}]\nconsumers:\n- {username: u, keyauth_credentials: [{key: wW3nS9fKx0aQ7bTz1LmP}]}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let state = context.state;
    let guards =
        || context.plugins().filter(|p| p.consumer.is_some() && context.registry.authenticates(&p.name));
    if guards().next().is_none() {
        return;
    }
    let open = state.routes.rows().iter().find(|route| !protected(context, route));
    for guard in guards() {
        let effect = open.map_or_else(
            || "other plugins protect the routes".to_owned(),
            |route| format!("route {} serves requests without credentials", called(route)),
        );
        report.at(
            context.span(guard, &[]),
            format!("{} {} requires credentials of no client: {effect}", guard.name, scope(state, guard)),
            "put it on a service, a route, or at top level",
        );
    }
}
