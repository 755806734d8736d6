//! An upstream whose targets all have weight 0.

use ahash::AHashMap;

use super::{Lint, LintContext, Report};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/upstream-without-weight",
    level: Some(Level::Warning),
    summary: "all targets of an upstream have weight 0",
    explanation: "A target with weight 0 gets no requests. All targets of this upstream have it, so every request \
            is answered with 503.",
    bad: "_format_version: '3.0'\nupstreams:\n- {name: pool, targets: [{target: '10.0.0.1:80', weight: 0}]}\n",
    good: "_format_version: '3.0'\nupstreams:\n- {name: pool, targets: [{target: '10.0.0.1:80', weight: 0}, {target: '10.0.0.2:80'}]}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let state = context.state;
    // Upstreams with targets, and whether one of them is ever chosen.
    let mut usable: AHashMap<_, bool> = AHashMap::new();
    for target in state.targets.rows() {
        *usable.entry(target.upstream.id).or_default() |= target.weight != Some(0);
    }
    for upstream in state.upstreams.rows() {
        if usable.get(&upstream.id) == Some(&false) {
            report.at(
                context.span(upstream, &[]),
                format!("no target of upstream {:?} has a weight above 0", upstream.name),
                "give one of them a weight",
            );
        }
    }
}
