//! TLS towards upstreams without verification.

use super::{Lint, LintContext, Report, called};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/tls-verify-off",
    level: Some(Level::Warning),
    summary: "the certificate of an upstream is not verified",
    explanation: "With `tls_verify: false` the gateway accepts any certificate, so an attacker on the path can read \
            and change the traffic. Trust the upstream's CA with `ca_certificates`, and verify.",
    bad: "_format_version: '3.0'\nservices:\n- {name: a, url: 'https://a.test', tls_verify: false}\n",
    good: "_format_version: '3.0'\nservices:\n- {name: a, url: 'https://a.test', tls_verify: true}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    for service in context.state.services.rows().iter().filter(|s| s.tls_verify == Some(false)) {
        report.at(
            context.span(service, &["tls_verify"]),
            format!("service {} does not verify the certificate of {}", called(service), service.host),
            "set tls_verify to true, and ca_certificates for a CA of your own",
        );
    }
}
