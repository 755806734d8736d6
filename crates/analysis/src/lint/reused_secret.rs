//! One secret for several users.

use ahash::AHashMap;
use serde_json::Value as Json;

use super::{Lint, LintContext, Report, credential_rows, is_reference};
use config::secret;
use model::Row;
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/reused-secret",
    level: Some(Level::Warning),
    summary: "several consumers share a password or secret",
    explanation: "A client with the secret can act as every consumer that has it, and the secret cannot be changed \
            for one consumer alone. Give each consumer its own.",
    bad: "_format_version: '3.0'\nconsumers:\n- username: a\n  jwt_secrets: [{key: one, secret: 5fKx0aQ7bTz1LmPwW3nS9fKx0aQ7bTz1LmP}]\n- username: b\n  jwt_secrets: [{key: two, secret: 5fKx0aQ7bTz1LmPwW3nS9fKx0aQ7bTz1LmP}]\n",
    good: "_format_version: '3.0'\nconsumers:\n- username: a\n  jwt_secrets: [{key: one, secret: 5fKx0aQ7bTz1LmPwW3nS9fKx0aQ7bTz1LmP}]\n- username: b\n  jwt_secrets: [{key: two, secret: aQ7bTz1LmPwW3nS9fKx0aQ7bTz1LmP5fKx0}]\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let mut seen: AHashMap<(&str, &str, String), &dyn Row> = AHashMap::new();
    for (kind, row) in credential_rows(context.state) {
        // Secrets of OAuth 2.0 clients may be salted hashes, which are never equal.
        if kind.key == "oauth2_credentials" {
            continue;
        }
        let mut fields = row.to_json();
        // Names are unique.
        for field in secret::paths_of_kind(kind.key).iter().filter(|field| kind.name != Some(field)) {
            let Json::String(secret) = fields[field].take() else { continue };
            // One that was not written was made up at random.
            if secret.is_empty() || is_reference(&secret) || context.node(row, &[field]).is_none() {
                continue;
            }
            let first = *seen.entry((kind.key, field, secret)).or_insert(row);
            if first.linked("consumer") != row.linked("consumer") {
                let place = context.span(first, &[field]).map(|s| (s, "the same here".to_owned()));
                report.with(
                    context.span(row, &[field]),
                    format!("another consumer has the same {field}"),
                    "give each consumer its own",
                    place,
                );
            }
        }
    }
}
