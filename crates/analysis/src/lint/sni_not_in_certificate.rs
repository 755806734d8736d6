//! Server names that the certificate is not for.

use super::{Lint, LintContext, Report, certificates::Facts};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/sni-not-in-certificate",
    level: Some(Level::Warning),
    summary: "a server name is not among those of its certificate",
    explanation: "Clients compare the name they asked for with those in the certificate (RFC 6125); this one is \
            not there, so they refuse the connection. Name the server as the certificate does, or use the \
            certificate made out to it.",
    bad: include_str!("examples/certificate_other_name.yml"),
    good: include_str!("examples/certificate.yml"),
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let state = context.state;
    for sni in state.snis.rows() {
        let Some(certificate) = state.certificates.find(sni.certificate).map(|ix| &state.certificates[ix])
        else {
            continue;
        };
        let Some(facts) = Facts::of(&certificate.cert) else { continue };
        if sni.name != "*" && !facts.names.is_empty() && !facts.covers(&sni.name) {
            report.at(
                context.span(sni, &[]),
                format!("the certificate for {} does not cover {:?}", facts.whose(), sni.name),
                "use a certificate that is made out to this name",
            );
        }
    }
}
