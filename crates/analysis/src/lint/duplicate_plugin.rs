//! Two rows of a plugin for the same requests.

use ahash::AHashMap;

use super::{Lint, LintContext, Report, scope};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/duplicate-plugin",
    level: Some(Level::Warning),
    summary: "a plugin is set twice for the same service, route and consumer",
    explanation: "Of the rows of a plugin for the same service, route and consumer one runs, whether they are \
            nested or name it in a field; the others do nothing. Keep one, and merge their settings.",
    bad: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  plugins: [{name: rate-limiting, config: {minute: 5}}]\nplugins:\n- {name: rate-limiting, service: a, config: {second: 1}}\n",
    good: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  plugins: [{name: rate-limiting, config: {minute: 5, second: 1}}]\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let mut seen = AHashMap::new();
    for plugin in context.plugins() {
        let applies =
            (plugin.route.map(|r| r.id), plugin.service.map(|s| s.id), plugin.consumer.map(|c| c.id));
        let first = *seen.entry((plugin.name.as_str(), applies)).or_insert(plugin);
        if first.id != plugin.id {
            report.with(
                context.span(plugin, &[]),
                format!(
                    "{} {} is set twice; this one does not run",
                    plugin.name,
                    scope(context.state, plugin)
                ),
                "keep one of them",
                context.span(first, &[]).map(|s| (s, "this one runs".to_owned())),
            );
        }
    }
}
