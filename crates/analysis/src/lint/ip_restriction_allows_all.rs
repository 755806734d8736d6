//! An address list with everybody on it.

use super::{Lint, LintContext, Report, scope};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/ip-restriction-allows-all",
    level: Some(Level::Warning),
    summary: "an ip-restriction plugin allows every address",
    explanation: "`0.0.0.0/0` or `::/0` in `allow` lets everybody in, so the other entries mean nothing. Name the \
            networks, or take the plugin out.",
    bad: "_format_version: '3.0'\nplugins: [{name: ip-restriction, config: {allow: [10.0.0.0/8, 0.0.0.0/0]}}]\n",
    good: "_format_version: '3.0'\nplugins: [{name: ip-restriction, config: {allow: [10.0.0.0/8]}}]\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    for plugin in context.named("ip-restriction") {
        let config = plugin.config.json();
        // With a list of those kept out, allowing the rest is meant.
        if config["deny"].as_array().is_some_and(|list| !list.is_empty()) {
            continue;
        }
        for (i, network) in config["allow"].as_array().into_iter().flatten().enumerate() {
            if network.as_str().is_some_and(|n| n.ends_with("/0")) {
                report.at(
                    context.span(plugin, &["config", "allow", &i.to_string()]),
                    format!("ip-restriction {} allows every address", scope(context.state, plugin)),
                    "name the networks that are yours",
                );
            }
        }
    }
}
