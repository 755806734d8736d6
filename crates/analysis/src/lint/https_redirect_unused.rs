//! A redirect that is never sent.

use super::{Lint, LintContext, Report, called};
use model::Protocol;
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/https-redirect-unused",
    level: Some(Level::Warning),
    summary: "a redirect to https is configured on a route that serves plain http",
    explanation: "`https_redirect_status_code` is used when a plain http request meets a route whose protocols are \
            https only. This route accepts http itself, so the request is forwarded unencrypted, and no \
            client is redirected.",
    bad: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: r, paths: [/x], protocols: [http, https], https_redirect_status_code: 301}\n",
    good: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: r, paths: [/x], protocols: [https], https_redirect_status_code: 301}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    for route in context.state.routes.rows() {
        let http = route.protocols.contains(&Protocol::Http) || route.protocols.contains(&Protocol::Grpc);
        // Dumps contain every default, so 426 need not be intended.
        if http && route.https_redirect_status_code != 426 {
            report.at(
                context.span(route, &["https_redirect_status_code"]),
                format!("route {} serves plain http and so never redirects", called(route)),
                "set protocols to [https]",
            );
        }
    }
}
