//! Certificates past their end.

use super::{Lint, LintContext, Report, certificates::Facts};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/certificate-expired",
    level: Some(Level::Warning),
    summary: "a certificate is past its end",
    explanation: "Clients refuse a certificate after its end (`notAfter`). Put the new one in.",
    bad: include_str!("examples/certificate_expired.yml"),
    good: include_str!("examples/certificate.yml"),
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    for row in context.state.certificates.rows() {
        if let Some(facts) = Facts::of(&row.cert).filter(|f| f.until < row.updated_at) {
            report.at(
                context.span(row, &["cert"]),
                format!("this certificate for {} ended on {}", facts.whose(), facts.until_date()),
                "renew it",
            );
        }
    }
    for row in context.state.ca_certificates.rows() {
        if let Some(facts) = Facts::of(&row.cert).filter(|f| f.until < row.updated_at) {
            report.at(
                context.span(row, &["cert"]),
                format!("this CA certificate ended on {}", facts.until_date()),
                "renew it",
            );
        }
    }
}
