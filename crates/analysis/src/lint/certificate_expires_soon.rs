//! Certificates shortly before their end.

use super::{Lint, LintContext, Report, certificates::Facts};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/certificate-expires-soon",
    level: Some(Level::Warning),
    summary: "a certificate ends within 30 days",
    explanation: "Clients refuse a certificate after its end (`notAfter`). Where certificates are renewed by hand, or a \
            renewal has failed silently, this is the time to put the new one in; what is past its end is found by \
            `lint/certificate-expired`.",
    bad: include_str!("examples/certificate_ends_soon.yml"),
    good: include_str!("examples/certificate.yml"),
    run,
};

/// Seconds before the end that are "soon": ACME clients renew by then.
const SOON: i64 = 30 * 24 * 60 * 60;

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    for row in context.state.certificates.rows() {
        if let Some(facts) = Facts::of(&row.cert).filter(|facts| soon(facts.until, row.updated_at)) {
            report.at(
                context.span(row, &["cert"]),
                format!("this certificate for {} ends on {}", facts.whose(), facts.until_date()),
                "renew it",
            );
        }
    }
    for row in context.state.ca_certificates.rows() {
        if let Some(facts) = Facts::of(&row.cert).filter(|facts| soon(facts.until, row.updated_at)) {
            report.at(
                context.span(row, &["cert"]),
                format!("this CA certificate ends on {}", facts.until_date()),
                "renew it",
            );
        }
    }
}

/// Whether an end is near, both in seconds since 1970. An end in the past is not.
fn soon(until: i64, now: i64) -> bool {
    (now..now + SOON).contains(&until)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soon_is_a_month_before_the_end_and_not_after_it() {
        let pem = LINT.bad.split_once("cert: |\n").expect("a certificate").1.replace("    ", "");
        let until = Facts::of(&pem).expect("a certificate").until;
        for (days_before, found) in [(31, false), (29, true), (1, true), (-1, false)] {
            assert_eq!(soon(until, until - days_before * 24 * 60 * 60), found, "{days_before} days before");
        }
    }
}
