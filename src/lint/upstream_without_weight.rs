//! An upstream whose targets all have weight 0.

use super::{Lint, Report, Subject};
use crate::source::Level;

pub static LINT: Lint = Lint {
    code: "lint/upstream-without-weight",
    level: Some(Level::Warning),
    summary: "all targets of an upstream have weight 0",
    story: "A target with weight 0 gets no requests. All targets of this upstream have it, so every request \
            is answered with 503.",
    bad: "_format_version: '3.0'\nupstreams:\n- {name: pool, targets: [{target: '10.0.0.1:80', weight: 0}]}\n",
    good: "_format_version: '3.0'\nupstreams:\n- {name: pool, targets: [{target: '10.0.0.1:80', weight: 0}, {target: '10.0.0.2:80'}]}\n",
    run,
};

fn run(subject: &Subject<'_>, report: &mut Report<'_>) {
    let state = subject.state;
    for upstream in state.upstreams.rows() {
        let mut targets = state.targets.rows().iter().filter(|t| t.upstream.id == upstream.id).peekable();
        if targets.peek().is_some() && targets.all(|t| t.weight == Some(0)) {
            report.at(
                subject.span(upstream, &[]),
                format!("no target of upstream {:?} has a weight above 0", upstream.name),
                "give one of them a weight",
            );
        }
    }
}
