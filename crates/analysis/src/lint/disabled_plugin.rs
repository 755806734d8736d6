//! A plugin that is switched off.

use super::{Lint, LintContext, Report, scope};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/disabled-plugin",
    level: Some(Level::Note),
    summary: "a plugin is switched off",
    explanation: "A plugin with `enabled: false` counts as absent, also where it would replace one of a wider \
            scope. If it is off for good, taking it out keeps the file honest.",
    bad: "_format_version: '3.0'\nplugins: [{name: correlation-id, enabled: false}]\n",
    good: "_format_version: '3.0'\nplugins: [{name: correlation-id}]\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    for plugin in context.state.plugins.rows().iter().filter(|p| !p.enabled) {
        report.at(
            context.span(plugin, &["enabled"]),
            format!("{} {} is switched off", plugin.name, scope(context.state, plugin)),
            "take it out if it is not coming back",
        );
    }
}
