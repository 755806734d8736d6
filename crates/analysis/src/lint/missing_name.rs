//! Services and routes without a name.

use super::{Lint, LintContext, Report};
use model::Row;
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/missing-name",
    level: Some(Level::Note),
    summary: "a service or route has no name",
    explanation: "Without a name and an id, every load generates a new id: a comparison of two versions shows \
            the entity as deleted and created again, and logs and metrics show ids. decK refuses such files.",
    bad: "_format_version: '3.0'\nservices:\n- {url: 'https://a.test'}\n",
    good: "_format_version: '3.0'\nservices:\n- {name: a, url: 'https://a.test'}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    for service in context.state.services.rows().iter().filter(|s| s.name.is_none()) {
        report_unnamed(context, report, service, &format!("this service (to {}) has no name", service.host));
    }
    for route in context.state.routes.rows().iter().filter(|r| r.name.is_none()) {
        report_unnamed(context, report, route, "this route has no name");
    }
}

fn report_unnamed<T: Row>(context: &LintContext<'_>, report: &mut Report<'_>, row: &T, message: &str) {
    if context.node(row, &["id"]).is_none() {
        report.at(context.span(row, &[]), message.to_owned(), "give it a name");
    }
}
