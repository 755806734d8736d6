//! An upstream that has nowhere to send requests.

use ahash::AHashSet;

use super::{Lint, LintContext, Report, called};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/upstream-without-targets",
    level: Some(Level::Warning),
    summary: "an upstream in use has no targets",
    explanation: "A service leads to this upstream, which has no target, so every request is answered with 503. \
            Add targets.",
    bad: "_format_version: '3.0'\nupstreams:\n- {name: pool}\nservices:\n- {name: a, host: pool}\n",
    good: "_format_version: '3.0'\nupstreams:\n- {name: pool, targets: [{target: '10.0.0.1:80'}]}\nservices:\n- {name: a, host: pool}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let state = context.state;
    let filled: AHashSet<_> = state.targets.rows().iter().map(|t| t.upstream.id).collect();
    for service in state.services.rows() {
        let Some(upstream) = state.upstreams.by_name(&service.host).map(|ix| &state.upstreams[ix]) else {
            continue;
        };
        if !filled.contains(&upstream.id) {
            let other = context.span(service, &["host"]).map(|s| (s, "used here".to_owned()));
            report.with(
                context.span(upstream, &[]),
                format!(
                    "upstream {:?} has no targets: service {} answers 503",
                    upstream.name,
                    called(service)
                ),
                "add targets",
                other,
            );
        }
    }
}
