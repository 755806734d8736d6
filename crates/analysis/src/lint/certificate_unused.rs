//! Certificates that are never shown.

use ahash::AHashSet;

use super::{Lint, LintContext, Report};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/certificate-unused",
    level: Some(Level::Note),
    summary: "no server name and no service uses a certificate",
    explanation: "A certificate is shown for the server names in its `snis` (`*` for all others), or to an \
            upstream as `client_certificate`. This one is used for neither.",
    bad: include_str!("examples/certificate_unused.yml"),
    good: include_str!("examples/certificate.yml"),
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let state = context.state;
    let used: AHashSet<_> = (state.snis.rows().iter().map(|s| s.certificate.id))
        .chain(state.services.rows().iter().filter_map(|s| s.client_certificate.map(|c| c.id)))
        .chain(state.upstreams.rows().iter().filter_map(|u| u.client_certificate.map(|c| c.id)))
        .collect();
    for row in state.certificates.rows().iter().filter(|c| !used.contains(&c.id)) {
        report.at(
            context.span(row, &[]),
            "this certificate is used for no server name and no service".to_owned(),
            "add the server names to its snis, or take it out",
        );
    }
}
