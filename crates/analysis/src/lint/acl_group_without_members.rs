//! Groups without members.

use ahash::AHashSet;

use super::{Lint, LintContext, Report, SUGGESTIONS, is_reference};
use config::nearest;
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/acl-group-without-members",
    level: Some(Level::Warning),
    summary: "an acl plugin names a group that no consumer is in",
    explanation: "The consumers of this file are in other groups, so an entry of `allow` admits no consumer and one of \
            `deny` refuses none. Mostly the name is misspelt. Files without any consumer are not looked \
            at: theirs live elsewhere.",
    bad: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: r, paths: [/x], plugins: [{name: key-auth}, {name: acl, config: {allow: [admins]}}]}\nconsumers:\n- {username: u, acls: [{group: admin}], keyauth_credentials: [{key: wW3nS9fKx0aQ7bTz1LmP}]}\n",
    good: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: r, paths: [/x], plugins: [{name: key-auth}, {name: acl, config: {allow: [admin]}}]}\nconsumers:\n- {username: u, acls: [{group: admin}], keyauth_credentials: [{key: wW3nS9fKx0aQ7bTz1LmP}]}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let state = context.state;
    if state.consumers.is_empty() {
        return;
    }
    let groups: AHashSet<&str> = state.acls.rows().iter().map(|acl| acl.group.as_str()).collect();
    // Groups may also come from a directory.
    if context.plugins().any(|p| p.name == "ldap-auth" || p.name == "openid-connect") {
        return;
    }
    let mut suggestions = 0..SUGGESTIONS;
    for acl in context.named("acl") {
        let config = acl.config.json();
        if config["always_use_authenticated_groups"] == true {
            continue;
        }
        for list in ["allow", "deny"] {
            for (i, group) in config[list].as_array().into_iter().flatten().enumerate() {
                let Some(group) = group.as_str().filter(|g| !groups.contains(g) && !is_reference(g)) else {
                    continue;
                };
                let near = suggestions.next().and_then(|_| nearest(group, groups.iter().copied()));
                let help = near.map_or_else(
                    || "give a consumer that group, or take the entry out".to_owned(),
                    |near| format!("there is a group {near:?}"),
                );
                report.at(
                    context.span(acl, &["config", list, &i.to_string()]),
                    format!("no consumer is in group {group:?}"),
                    &help,
                );
            }
        }
    }
}
