//! ACLs on routes without authentication.

use ahash::AHashSet;

use super::{Lint, LintContext, Report, called, recognised, scope};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/acl-without-authentication",
    level: Some(Level::Warning),
    summary: "an acl plugin runs on a route without authentication",
    explanation: "The acl plugin checks the groups of the consumer that an authentication plugin identified. Without \
            such a plugin there is no consumer, and every request is refused with 401. Add an authentication \
            plugin to the route, to its service, or at top level.",
    bad: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: r, paths: [/x], plugins: [{name: acl, config: {allow: [g]}}]}\n",
    good: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: r, paths: [/x], plugins: [{name: key-auth}, {name: acl, config: {allow: [g]}}]}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let mut reported = AHashSet::new();
    for route in context.state.routes.rows() {
        let Some(acl) = context.effective("acl", route) else { continue };
        if recognised(context, route) || !reported.insert(acl.id) {
            continue;
        }
        report.at(
            context.span(acl, &[]),
            format!(
                "acl {} refuses every request to route {}: no plugin authenticates the client",
                scope(context.state, acl),
                called(route)
            ),
            "add an authentication plugin such as key-auth or jwt",
        );
    }
}
