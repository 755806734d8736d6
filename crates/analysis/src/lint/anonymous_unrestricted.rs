//! Authentication that refuses no request.

use ahash::AHashSet;

use super::{Lint, LintContext, Report, called};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/anonymous-unrestricted",
    level: Some(Level::Note),
    summary: "an authentication plugin refuses no request",
    explanation: "With `anonymous`, a request without valid credentials passes as that consumer. Unless another \
            plugin restricts that consumer (acl, or a plugin of the consumer such as request-termination or \
            rate-limiting), the service is as open as without authentication.",
    bad: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: r, paths: [/x], plugins: [{name: key-auth, config: {anonymous: guest}}]}\nconsumers:\n- {username: guest}\n",
    good: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: r, paths: [/x], plugins: [{name: key-auth, config: {anonymous: guest}}]}\nconsumers:\n- {username: guest, plugins: [{name: request-termination, config: {status_code: 401}}]}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let state = context.state;
    if context.plugins().any(|p| context.registry.traits(&p.name).authorizes) {
        return;
    }
    let restricted: AHashSet<_> = context.plugins().filter_map(|p| p.consumer).map(|c| c.id).collect();
    for plugin in context.plugins().filter(|p| context.registry.authenticates(&p.name)) {
        let config = plugin.config.json();
        let Some(guest) = config["anonymous"].as_str().and_then(|name| state.consumer(name)) else {
            continue;
        };
        let guest = &state.consumers[guest];
        if !restricted.contains(&guest.id) {
            report.at(
                context.span(plugin, &["config", "anonymous"]),
                format!("{} lets every request pass, as consumer {}", plugin.name, called(guest)),
                "restrict that consumer with a plugin of its own, or leave `anonymous` out",
            );
        }
    }
}
