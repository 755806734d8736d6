//! Entities without tags.

use super::{Lint, Report, Subject, called};
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

fn run(subject: &Subject<'_>, report: &mut Report<'_>) {
    let state = subject.state;
    let none = |tags: &Option<Set<String>>| tags.as_ref().is_none_or(|t| t.is_empty());
    state.services.rows().iter().filter(|s| none(&s.tags)).for_each(|row| tell(subject, report, row));
    state.routes.rows().iter().filter(|s| none(&s.tags)).for_each(|row| tell(subject, report, row));
    state.consumers.rows().iter().filter(|s| none(&s.tags)).for_each(|row| tell(subject, report, row));
}

fn tell<T: Row>(subject: &Subject<'_>, report: &mut Report<'_>, row: &T) {
    report.at(
        subject.span(row, &[]),
        format!("{} has no tags", called(row)),
        "add a tag that says whose it is",
    );
}
