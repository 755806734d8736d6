//! Trust in a certificate that is not there.

use super::{Lint, LintContext, Report, called};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/ca-certificate-missing",
    level: Some(Level::Warning),
    summary: "a service trusts a CA certificate that the file does not have",
    explanation: "The ids under `ca_certificates` are not checked when a file is loaded. One that no CA \
            certificate has makes every request to the service fail with 502, since nothing can be \
            verified. Add the certificate under `ca_certificates` at top level with that id, or mend the \
            id.",
    bad: "_format_version: '3.0'\nservices:\n- {name: a, url: 'https://a.test', tls_verify: true, ca_certificates: [4e3ad2e4-0bc4-4638-8e34-c84a417ba39b]}\n",
    good: "_format_version: '3.0'\nservices:\n- {name: a, url: 'https://a.test', tls_verify: true}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let state = context.state;
    for service in state.services.rows() {
        for (i, id) in service.ca_certificates.iter().flatten().enumerate() {
            if state.ca_certificates.by_id(*id).is_none() {
                report.at(
                    context.span(service, &["ca_certificates", &i.to_string()]),
                    format!(
                        "service {} trusts the CA certificate {id}, which does not exist",
                        called(service)
                    ),
                    "add it to ca_certificates at top level, or mend the id",
                );
            }
        }
    }
}
