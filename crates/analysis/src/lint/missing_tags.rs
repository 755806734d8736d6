//! Entities without tags.

use super::{Lint, LintContext, Report, called};
use model::{Row, Set};

pub static LINT: Lint = Lint {
    code: "lint/missing-tags",
    level: None,
    summary: "a service, route or consumer has no tags",
    explanation: "Tags name the owner of an entity, and decK's `select_tags` selects by them. Off by default: only \
            teams that use tags need it.",
    bad: "_format_version: '3.0'\nservices:\n- {name: a, url: 'https://a.test'}\n",
    good: "_format_version: '3.0'\nservices:\n- {name: a, url: 'https://a.test', tags: [team-a]}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let state = context.state;
    let is_untagged = |tags: &Option<Set<String>>| tags.as_ref().is_none_or(|t| t.is_empty());
    state
        .services
        .rows()
        .iter()
        .filter(|s| is_untagged(&s.tags))
        .for_each(|row| report_untagged(context, report, row));
    state
        .routes
        .rows()
        .iter()
        .filter(|s| is_untagged(&s.tags))
        .for_each(|row| report_untagged(context, report, row));
    state
        .consumers
        .rows()
        .iter()
        .filter(|s| is_untagged(&s.tags))
        .for_each(|row| report_untagged(context, report, row));
}

fn report_untagged<T: Row>(context: &LintContext<'_>, report: &mut Report<'_>, row: &T) {
    report.at(
        context.span(row, &[]),
        format!("{} has no tags", called(row)),
        "add a tag that names its owner",
    );
}
