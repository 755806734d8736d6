//! An upstream that no service names.

use ahash::AHashSet;

use super::{Lint, Report, Subject};
use crate::{config::nearest, source::Level};

pub static LINT: Lint = Lint {
    code: "lint/unused-upstream",
    level: Some(Level::Note),
    summary: "no service has an upstream as its host",
    story: "A service uses an upstream by having the upstream's name as its host. No service of this file \
            does, so its targets get no requests. Often one of the two names is misspelt.",
    bad: "_format_version: '3.0'\nupstreams:\n- {name: pool, targets: [{target: '10.0.0.1:80'}]}\nservices:\n- {name: a, host: pol}\n",
    good: "_format_version: '3.0'\nupstreams:\n- {name: pool, targets: [{target: '10.0.0.1:80'}]}\nservices:\n- {name: a, host: pool}\n",
    run,
};

fn run(subject: &Subject<'_>, report: &mut Report<'_>) {
    let state = subject.state;
    // A file without any services has them elsewhere.
    if state.services.is_empty() {
        return;
    }
    let used: AHashSet<&str> = state.services.rows().iter().map(|s| s.host.as_str()).collect();
    // Plugins may choose an upstream by name; which do is theirs to know.
    let named: String = subject.plugins().map(|p| p.config.json().to_string()).collect();
    for upstream in state.upstreams.rows() {
        if used.contains(upstream.name.as_str()) || named.contains(&format!("{:?}", upstream.name)) {
            continue;
        }
        let near = nearest(&upstream.name, used.iter().copied().filter(|host| !host.contains('.')));
        let help = near.map_or_else(
            || "name it as the host of a service, or take it out".to_owned(),
            |near| format!("a service has the host {near:?}"),
        );
        report.at(
            subject.span(upstream, &[]),
            format!("no service uses upstream {:?}", upstream.name),
            &help,
        );
    }
}
