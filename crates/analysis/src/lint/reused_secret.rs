//! One secret for several users.

use ahash::AHashMap;
use uuid::Uuid;

use super::{Lint, LintContext, Report, is_reference};
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
    let state = context.state;
    let passwords = state.basicauth_credentials.rows().iter().map(|c| (c.consumer.id, Some(&*c.password), c));
    report_shared(context, report, "password", passwords);
    let secrets = state.jwt_secrets.rows().iter().map(|c| (c.consumer.id, c.secret.as_deref(), c));
    report_shared(context, report, "secret", secrets);
    let secrets = state.hmacauth_credentials.rows().iter().map(|c| (c.consumer.id, Some(&*c.secret), c));
    report_shared(context, report, "secret", secrets);
}

fn report_shared<'a, T: Row>(
    context: &LintContext<'_>,
    report: &mut Report<'_>,
    field: &str,
    credentials: impl Iterator<Item = (Uuid, Option<&'a str>, &'a T)>,
) {
    let mut seen: AHashMap<&str, (Uuid, &T)> = AHashMap::new();
    for (consumer, secret, row) in credentials {
        let Some(secret) = secret.filter(|s| !s.is_empty() && !is_reference(s)) else { continue };
        // One that was not written was made up at random.
        if context.node(row, &[field]).is_none() {
            continue;
        }
        let (other, first) = *seen.entry(secret).or_insert((consumer, row));
        if other != consumer {
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
