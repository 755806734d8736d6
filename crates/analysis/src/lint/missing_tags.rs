//! Entities without tags.

use super::{Lint, LintContext, Report, called};
use model::{Row, Set};

pub static LINT: Lint = Lint {
    code: "lint/missing-tags",
    level: None,
    summary: "a service, route or consumer has no tags",
    explanation: "Tags tell whose an entity is, and decK's `select_tags` works by them. Off by default: only teams \
            that use tags want it.",
    bad: "_format_version: '3.0'\nservices:\n- {name: a, url: 'https://a.test'}\n",
    good: "_format_version: '3.0'\nservices:\n- {name: a, url: 'https://a.test', tags: [team-a]}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let state = context.state;
    let none = |tags: &Option<Set<String>>| tags.as_ref().is_none_or(|t| t.is_empty());
    state.services.rows().iter().filter(|s| none(&s.tags)).for_each(|row| tell(context, report, row));
    state.routes.rows().iter().filter(|s| none(&s.tags)).for_each(|row| tell(context, report, row));
    state.consumers.rows().iter().filter(|s| none(&s.tags)).for_each(|row| tell(context, report, row));
}

fn tell<T: Row>(context: &LintContext<'_>, report: &mut Report<'_>, row: &T) {
    report.at(
        context.span(row, &[]),
        format!("{} has no tags", called(row)),
        "add a tag that says whose it is",
    );
}
