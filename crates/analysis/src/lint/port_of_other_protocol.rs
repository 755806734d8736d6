//! A port that belongs to another protocol.

use super::{Lint, LintContext, Report, called};
use model::ServiceProtocol;
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/port-of-other-protocol",
    level: Some(Level::Warning),
    summary: "a service uses HTTP with port 443, or HTTPS with port 80",
    explanation: "Port 80 is that of HTTP and port 443 that of HTTPS. A server on one rarely uses the other \
            protocol, and clients get 502 or 400. A service with `protocol: https` and no port has port 80, as \
            in Kong: write `port: 443`, or the `url`.",
    bad: "_format_version: '3.0'\nservices:\n- {name: a, protocol: https, host: a.test}\n",
    good: "_format_version: '3.0'\nservices:\n- {name: a, protocol: https, host: a.test, port: 443}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let state = context.state;
    for service in state.services.rows() {
        let (wrong, protocol, usual) = match service.protocol {
            ServiceProtocol::Http | ServiceProtocol::Grpc => (443, "HTTP", 80),
            ServiceProtocol::Https | ServiceProtocol::Grpcs => (80, "HTTPS", 443),
            _ => continue,
        };
        // An upstream's targets have their own ports.
        if service.port != wrong || state.upstreams.by_name(&service.host).is_some() {
            continue;
        }
        let written =
            ["url", "port", "protocol"].into_iter().find(|field| context.node(service, &[field]).is_some());
        let default = if written == Some("protocol") { ", which it has by default" } else { "" };
        report.at(
            context.span(service, &[written.unwrap_or("host")]),
            format!("service {} uses {protocol} with port {wrong}{default}", called(service)),
            &format!("write port {usual}, or the other protocol"),
        );
    }
}
