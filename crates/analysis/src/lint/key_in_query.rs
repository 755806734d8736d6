//! Keys in addresses.

use super::{Lint, LintContext, Report, scope};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/key-in-query",
    level: Some(Level::Note),
    summary: "an API key may be sent in the query",
    explanation: "Queries end up in access logs, in histories of browsers and in Referer headers, and a key in \
            them with them. Set `key_in_query: false` and let clients send a header. The plugin's own \
            default is true; only files that say so are reported.",
    bad: "_format_version: '3.0'\nplugins: [{name: key-auth, config: {key_in_query: true}}]\n",
    good: "_format_version: '3.0'\nplugins: [{name: key-auth, config: {key_in_query: false}}]\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    for plugin in context.named("key-auth") {
        let place = ["config", "key_in_query"];
        // A dump writes every default; beside all others it says nothing.
        let dump = context.node(plugin, &["config", "key_in_body"]).is_some()
            && context.node(plugin, &["config", "key_in_header"]).is_some();
        if context.node(plugin, &place).is_some() && !dump && plugin.config.json()["key_in_query"] == true {
            report.at(
                context.span(plugin, &place),
                format!("key-auth {} takes keys from the query", scope(context.state, plugin)),
                "set key_in_query to false and send the key in a header",
            );
        }
    }
}
