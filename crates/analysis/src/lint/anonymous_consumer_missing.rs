//! An anonymous consumer that does not exist.

use super::{Lint, LintContext, Report};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/anonymous-consumer-missing",
    level: Some(Level::Warning),
    summary: "an authentication plugin falls back to a consumer that is not there",
    explanation: "A request without valid credentials is given to the consumer named by `anonymous`. There is none of \
            that name or id in the file, so such requests are answered with 500 in place of 401. Files \
            without any consumer are not looked at.",
    bad: "_format_version: '3.0'\nplugins: [{name: key-auth, config: {anonymous: guest}}]\nconsumers:\n- {username: guests}\n",
    good: "_format_version: '3.0'\nplugins: [{name: key-auth, config: {anonymous: guest}}]\nconsumers:\n- {username: guest}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let state = context.state;
    if state.consumers.is_empty() {
        return;
    }
    for plugin in context.plugins().filter(|p| context.registry.authenticates(&p.name)) {
        let config = plugin.config.json();
        let Some(name) = config["anonymous"].as_str().filter(|n| !n.is_empty()) else { continue };
        if state.consumer(name).is_none() {
            report.at(
                context.span(plugin, &["config", "anonymous"]),
                format!(
                    "there is no consumer {name:?} for the requests that {} does not authenticate",
                    plugin.name
                ),
                "add the consumer, or leave `anonymous` out to refuse them",
            );
        }
    }
}
