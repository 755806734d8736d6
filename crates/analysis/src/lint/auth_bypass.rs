//! One application behind two services, only one of which is protected.

use ahash::AHashMap;

use super::{Lint, LintContext, Report, called, protected};
use model::Service;
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/auth-bypass",
    level: Some(Level::Warning),
    summary: "a protected application can be reached through another service without authentication",
    explanation: "Two services lead to the same host, port and path. The routes of one require credentials, a \
            route of the other does not, so clients reach the application through it without credentials. Put \
            authentication on both, or let them share one service.",
    bad: "_format_version: '3.0'\nservices:\n- name: closed\n  url: https://a.test/v1\n  plugins: [{name: key-auth}]\n  routes: [{name: r1, paths: [/x]}]\n- name: open\n  url: https://a.test/v1\n  routes: [{name: r2, paths: [/y]}]\n",
    good: "_format_version: '3.0'\nservices:\n- name: closed\n  url: https://a.test/v1\n  plugins: [{name: key-auth}]\n  routes: [{name: r1, paths: [/x]}]\n- name: open\n  url: https://a.test/public\n  routes: [{name: r2, paths: [/y]}]\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let state = context.state;
    let services = context.routes_by_service();
    let mut guarded: AHashMap<_, &Service> = AHashMap::new();
    for (service, routes) in &services {
        let service = &state.services[*service];
        if service.enabled && routes.iter().all(|route| protected(context, route)) {
            guarded.entry(address(service)).or_insert(service);
        }
    }
    for (service, routes) in &services {
        let service = &state.services[*service];
        let Some(closed) = guarded.get(&address(service)).filter(|c| c.id != service.id && service.enabled)
        else {
            continue;
        };
        let Some(open) = routes.iter().find(|route| !protected(context, route)) else { continue };
        let other = context.span(*closed, &[]).map(|s| (s, "the same application, protected".to_owned()));
        report.with(
            context.span(*open, &[]),
            format!(
                "route {} reaches what service {} protects, without authentication",
                called(*open),
                called(*closed)
            ),
            "add authentication to this route too, or let both services be one",
            other,
        );
    }
}

/// What two services have to share to be one application.
fn address(service: &Service) -> (&str, u16, &str) {
    (&service.host, service.port, service.path.as_deref().unwrap_or("/").trim_end_matches('/'))
}
