//! Plain http answered with 426.

use super::{Lint, LintContext, Report, called};
use model::Protocol;

pub static LINT: Lint = Lint {
    code: "lint/https-without-redirect",
    level: None,
    summary: "plain http requests to a route for https get 426, which browsers do not follow",
    explanation: "A route for https only answers plain http with `https_redirect_status_code`, by default 426 \
            (Upgrade Required). Programs understand that, browsers show an error. For a site that people \
            visit, 301 or 308 sends them on. Off by default: for an API, 426 is right.",
    bad: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: r, paths: [/x], protocols: [https]}\n",
    good: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: r, paths: [/x], protocols: [https], https_redirect_status_code: 308}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    for route in context.state.routes.rows() {
        if *route.protocols == [Protocol::Https] && route.https_redirect_status_code == 426 {
            report.at(
                context.span(route, &["protocols"]),
                format!("route {} answers plain http with 426", called(route)),
                "set https_redirect_status_code to 301 or 308",
            );
        }
    }
}
