//! Credentials that can be guessed.

use super::{Lint, LintContext, Report};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/weak-secret",
    level: Some(Level::Warning),
    summary: "a key or secret is short enough to be guessed",
    explanation: "API keys of fewer than 16 characters, and secrets of HMAC-signed tokens shorter than the hash they \
            feed (RFC 7518, section 3.2: 32 bytes for HS256), can be found by trying. Use random ones, or leave \
            the field out: the gateway makes one up.",
    bad: "_format_version: '3.0'\nconsumers:\n- username: u\n  keyauth_credentials: [{key: abc}]\n",
    good: "_format_version: '3.0'\nconsumers:\n- username: u\n  keyauth_credentials: [{key: wW3nS9fKx0aQ7bTz1LmP}]\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let reference = |text: &str| text.starts_with("{vault://");
    for key in context.state.keyauth_credentials.rows() {
        if key.key.len() < 16 && !reference(&key.key) {
            report.at(
                context.span(key, &["key"]),
                format!("an API key of {} characters can be guessed", key.key.len()),
                "use at least 16 random characters",
            );
        }
    }
    for secret in context.state.jwt_secrets.rows() {
        let wanted = match secret.algorithm.as_deref() {
            Some("HS256") => 32,
            Some("HS384") => 48,
            Some("HS512") => 64,
            _ => continue,
        };
        let Some(text) = secret.secret.as_deref().filter(|t| !reference(t)) else { continue };
        if text.len() < wanted {
            report.at(
                context.span(secret, &["secret"]),
                format!("the secret has {} bytes; its algorithm wants {wanted}", text.len()),
                "use a longer random secret",
            );
        }
    }
}
