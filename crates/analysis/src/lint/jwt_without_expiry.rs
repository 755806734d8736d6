//! Tokens that work for ever.

use super::{Lint, LintContext, Report, scope};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/jwt-without-expiry",
    level: Some(Level::Warning),
    summary: "a jwt plugin does not look at when a token ends",
    explanation: "Without `exp` in `claims_to_verify` a token that leaked once works until its secret is changed, \
            even if it says when it ends. Add `claims_to_verify: [exp]`; tokens without the claim are then \
            refused.",
    bad: "_format_version: '3.0'\nplugins: [{name: jwt}]\n",
    good: "_format_version: '3.0'\nplugins: [{name: jwt, config: {claims_to_verify: [exp]}}]\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    for plugin in context.named("jwt") {
        let config = plugin.config.json();
        if !config["claims_to_verify"].as_array().is_some_and(|list| list.iter().any(|c| c == "exp")) {
            report.at(
                context.span(plugin, &["config", "claims_to_verify"]),
                format!("jwt {} accepts tokens that have expired", scope(context.state, plugin)),
                "add exp to claims_to_verify",
            );
        }
    }
}
