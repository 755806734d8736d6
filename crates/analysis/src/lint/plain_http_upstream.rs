//! Traffic that leaves the gateway unencrypted.

use super::{Lint, LintContext, Report, called};
use model::ServiceProtocol;
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/plain-http-upstream",
    level: Some(Level::Note),
    summary: "a service is reached over plain HTTP by a public-looking name",
    explanation: "Requests to this host are sent unencrypted, credentials and all. Inside one host or a trusted \
            network that may be meant; for a name with a domain it rarely is. Use https, or grpcs.",
    bad: "_format_version: '3.0'\nservices:\n- {name: a, url: 'http://api.example.com/v1'}\n",
    good: "_format_version: '3.0'\nservices:\n- {name: a, url: 'https://api.example.com/v1'}\n",
    run,
};

/// Endings of names that lead nowhere outside.
const INSIDE: &[&str] = &[".local", ".internal", ".svc", ".cluster.local", ".localhost", ".lan", ".consul"];

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let state = context.state;
    for service in state.services.rows() {
        let plain = matches!(service.protocol, ServiceProtocol::Http | ServiceProtocol::Grpc);
        let host = service.host.trim_end_matches('.');
        let outside = host.contains('.')
            && host.parse::<std::net::IpAddr>().is_err()
            && state.upstreams.by_name(host).is_none()
            && !INSIDE.iter().any(|end| host.ends_with(end));
        if plain && outside {
            let span = context.span(service, &["url"]);
            report.at(
                span,
                format!("service {} sends requests to {host} unencrypted", called(service)),
                "use https if the upstream offers it",
            );
        }
    }
}
