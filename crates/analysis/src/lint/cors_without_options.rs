//! CORS whose preflights match no route.

use super::{Lint, LintContext, Report, called, scope};
use model::Route;
use router::SampleRequest;
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/cors-without-options",
    level: Some(Level::Warning),
    summary: "a route with cors does not take OPTIONS, so no preflight reaches it",
    explanation: "Before a request with other methods, headers or credentials a browser sends OPTIONS. The cors \
            plugin answers it, but it runs on a route, and a route whose `methods` lack OPTIONS does not \
            match: the preflight is answered with 404 and the browser sends nothing more. Add OPTIONS to \
            the methods.",
    bad: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes: [{name: r, paths: [/x], methods: [GET, PUT], plugins: [{name: cors}]}]\n",
    good: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes: [{name: r, paths: [/x], methods: [GET, PUT, OPTIONS], plugins: [{name: cors}]}]\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let state = context.state;
    for route in state.routes.rows() {
        let lacks =
            route.methods.as_deref().is_some_and(|m| !m.is_empty() && m.iter().all(|m| m != "OPTIONS"));
        let Some(cors) = context.effective("cors", route).filter(|_| lacks && !is_answered(context, route))
        else {
            continue;
        };
        let other = context.span(cors, &[]).map(|s| (s, "would answer them".to_owned()));
        report.with(
            context.span(route, &["methods"]),
            format!(
                "preflights of route {} do not reach cors {}: no route takes OPTIONS",
                called(route),
                scope(state, cors)
            ),
            "add OPTIONS to the methods",
            other,
        );
    }
}

/// Whether the preflights of a route's requests match another route with cors.
fn is_answered(context: &LintContext<'_>, route: &Route) -> bool {
    let preflights = SampleRequest::of(route)
        .into_iter()
        .map(|probe| SampleRequest { method: "OPTIONS".to_owned(), ..probe });
    preflights.into_iter().all(|probe| {
        let winner = probe.find_route(context.router()).map(|ix| &context.state.routes[ix]);
        winner.is_some_and(|winner| context.effective("cors", winner).is_some())
    })
}
