//! A plugin that a narrower one replaces everywhere.

use ahash::{AHashMap, AHashSet};

use super::{Lint, Report, Subject, scope};
use crate::{model::Plugin, source::Level};

pub static LINT: Lint = Lint {
    code: "lint/plugin-overridden",
    level: Some(Level::Note),
    summary: "a plugin never runs, as each route has one of its own",
    story: "Of several rows of one plugin only the most specific runs: that of the route, else that of the \
            service, else the one for everything. This row is replaced on every route it could run on.",
    bad: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  plugins: [{name: rate-limiting, config: {minute: 5}}]\n  routes:\n  - {name: r, paths: [/x], plugins: [{name: rate-limiting, config: {minute: 3}}]}\n",
    good: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  plugins: [{name: rate-limiting, config: {minute: 5}}]\n  routes:\n  - {name: r, paths: [/x], plugins: [{name: rate-limiting, config: {minute: 3}}]}\n  - {name: s, paths: [/y]}\n",
    run,
};

fn run(subject: &Subject<'_>, report: &mut Report<'_>) {
    let state = subject.state;
    // One pass over the routes: the rows that run somewhere, and the rows that could.
    let mut rows: AHashMap<&str, Vec<&Plugin>> = AHashMap::new();
    for plugin in subject.plugins().filter(|p| p.consumer.is_none()) {
        rows.entry(&plugin.name).or_default().push(plugin);
    }
    for (name, rows) in rows.into_iter().filter(|(_, rows)| rows.len() > 1) {
        let mut runs = AHashSet::new();
        let mut could = AHashSet::new();
        for route in state.routes.rows() {
            let service = route.service.map(|s| s.id);
            let fits = rows.iter().filter(|p| {
                p.route.is_none_or(|r| r.id == route.id) && p.service.is_none_or(|s| Some(s.id) == service)
            });
            could.extend(fits.clone().map(|p| p.id));
            runs.extend(fits.max_by_key(|p| (p.route.is_some(), p.service.is_some())).map(|p| p.id));
        }
        for plugin in rows.iter().filter(|p| could.contains(&p.id) && !runs.contains(&p.id)) {
            // Requests that match no route still meet the row for everything.
            if plugin.service.is_none() && plugin.route.is_none() {
                continue;
            }
            report.at(
                subject.span(*plugin, &[]),
                format!("{name} {} never runs: each route has one of its own", scope(state, plugin)),
                "take it out",
            );
        }
    }
}
