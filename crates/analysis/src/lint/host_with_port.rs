//! A route for one port only.

use super::{Lint, LintContext, Report, called};
use router::split_port;
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/host-with-port",
    level: Some(Level::Note),
    summary: "a host of a route names a port",
    explanation: "`hosts: [api.test:8443]` matches requests on port 8443 only; on another listener, or behind a \
            load balancer that maps ports, the route is not found. Leave the port out unless the routes of \
            one host differ by it.",
    bad: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: r, hosts: ['api.test:8443']}\n",
    good: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: r, hosts: [api.test]}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    for route in context.state.routes.rows() {
        for (i, host) in route.hosts.iter().flatten().enumerate() {
            let (name, port) = split_port(host);
            if let Some(port) = port {
                report.at(
                    context.span(route, &["hosts", &i.to_string()]),
                    format!("route {} is found on port {port} only", called(route)),
                    &format!("write {name} for every port"),
                );
            }
        }
    }
}
