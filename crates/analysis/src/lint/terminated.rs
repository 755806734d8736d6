//! Plugins and an upstream behind an answer that is always given.

use super::{Lint, LintContext, Report, scope};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/terminated",
    level: Some(Level::Note),
    summary: "a request-termination plugin answers every request of a service, or of the gateway",
    explanation: "Without a `trigger`, request-termination answers each request itself: the upstream is never \
            asked. On a route, or for one consumer, that is what it is for; for a whole service or \
            everything it is mostly left over from maintenance.",
    bad: "_format_version: '3.0'\nplugins: [{name: request-termination, config: {status_code: 503}}]\n",
    good: "_format_version: '3.0'\nplugins: [{name: request-termination, config: {status_code: 503, trigger: X-Closed}}]\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    for plugin in context.named("request-termination").filter(|p| p.route.is_none() && p.consumer.is_none()) {
        let config = plugin.config.json();
        // A service that leads nowhere is there to be answered for.
        let mock = plugin.service.and_then(|s| context.state.services.find(s)).is_some_and(|ix| {
            matches!(context.state.services[ix].host.as_str(), "localhost" | "127.0.0.1" | "0.0.0.0")
        });
        if config["trigger"].is_null() && !mock {
            report.at(
                context.span(plugin, &[]),
                format!("request-termination {} answers every request itself", scope(context.state, plugin)),
                "take it out once maintenance is over, or set a trigger",
            );
        }
    }
}
