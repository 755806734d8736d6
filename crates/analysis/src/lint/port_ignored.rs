//! A port beside the name of an upstream.

use super::{Lint, LintContext, Report, called};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/port-ignored",
    level: Some(Level::Note),
    summary: "a service names a port, but its host is an upstream",
    explanation: "If a service's host is the name of an upstream, requests go to the targets with the targets' \
            ports; the service's own port is not used.",
    bad: "_format_version: '3.0'\nupstreams:\n- {name: pool, targets: [{target: '10.0.0.1:80'}]}\nservices:\n- {name: a, host: pool, port: 8080}\n",
    good: "_format_version: '3.0'\nupstreams:\n- {name: pool, targets: [{target: '10.0.0.1:80'}]}\nservices:\n- {name: a, host: pool}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    for service in context.state.services.rows() {
        // 80 and 443 are what dumps and URLs write without being asked.
        let usual = matches!(service.port, 80 | 443);
        if context.state.upstreams.by_name(&service.host).is_some()
            && !usual
            && context.node(service, &["port"]).is_some()
        {
            report.at(
                context.span(service, &["port"]),
                format!(
                    "service {} goes to upstream {:?}; port {} is not used",
                    called(service),
                    service.host,
                    service.port
                ),
                "leave the port out, and give the targets theirs",
            );
        }
    }
}
