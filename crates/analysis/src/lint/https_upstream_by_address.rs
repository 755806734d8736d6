//! TLS to an address.

use std::net::IpAddr;

use ahash::AHashMap;

use super::{Lint, LintContext, Report, called};
use http_codec::authority;
use model::ServiceProtocol;
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/https-upstream-by-address",
    level: Some(Level::Note),
    summary: "a service uses TLS with an address in place of a host name",
    explanation: "A certificate is issued for a name. With an address as host there is no name to send (SNI) or to \
            check, so the gateway does not detect a wrong certificate. Use a name, or an upstream with \
            `host_header`.",
    bad: "_format_version: '3.0'\nservices:\n- {name: a, url: 'https://10.0.0.1'}\n",
    good: "_format_version: '3.0'\nservices:\n- {name: a, url: 'https://a.test'}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let routes: AHashMap<_, _> = context.routes_by_service().into_iter().collect();
    for (ix, service) in context.state.services.iter() {
        let tls = matches!(service.protocol, ServiceProtocol::Https | ServiceProtocol::Grpcs);
        let address = authority::without_brackets(&service.host).parse::<IpAddr>();
        if let (true, Ok(address)) = (tls, address) {
            // The client's name is sent on then.
            let keeps_host = routes.get(&ix).is_some_and(|routes| routes.iter().all(|r| r.preserve_host));
            if address.is_loopback() || keeps_host {
                continue;
            }
            let field = if context.node(service, &["url"]).is_some() { "url" } else { "host" };
            report.at(
                context.span(service, &[field]),
                format!("service {} uses TLS to {address}, which has no name to check", called(service)),
                "use a host name",
            );
        }
    }
}
