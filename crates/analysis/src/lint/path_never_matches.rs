//! Paths that no request has.

use super::{Lint, LintContext, Report, called};
use source::{Level, confusable_name, is_invisible};

pub static LINT: Lint = Lint {
    code: "lint/path-never-matches",
    level: Some(Level::Warning),
    summary: "a path has characters that the path of a request does not have",
    explanation: "The path of a request ends before `?`, and a `#` is never sent; a blank at the end, or a character that \
            cannot be seen, mostly came along with a copy. The route matches no request by such a path. Conditions on \
            arguments are `http.queries.*` of the router flavor `expressions`.",
    bad: "_format_version: '3.0'\nservices:\n- {name: a, url: 'https://a.test', routes: [{name: r, paths: ['/a?x=1']}]}\n",
    good: "_format_version: '3.0'\nservices:\n- {name: a, url: 'https://a.test', routes: [{name: r, paths: [/a]}]}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    for route in context.state.routes.rows() {
        for (i, path) in route.paths.iter().flatten().enumerate().filter(|(_, p)| !p.starts_with('~')) {
            let Some((what, help)) = amiss(path) else { continue };
            report.at(
                context.span(route, &["paths", &i.to_string()]),
                format!("route {} matches nothing by this path: {what}", called(route)),
                &help,
            );
        }
    }
}

/// What no path of a request has, and what to write.
fn amiss(path: &str) -> Option<(String, String)> {
    if let Some(at) = path.find(['?', '#']) {
        let what = match path.as_bytes()[at] {
            b'?' => "the path of a request ends before the `?`",
            _ => "no request carries a `#`",
        };
        return Some((what.to_owned(), format!("write {}", &path[..at])));
    }
    if let Some(at) = path.find(is_invisible) {
        let name = confusable_name(&path[at..]).unwrap_or("an invisible character");
        return Some((format!("it contains {name}"), "type it again".to_owned()));
    }
    let trimmed = path.trim_end();
    (trimmed != path).then(|| ("it ends with a blank".to_owned(), format!("write {trimmed}")))
}

#[cfg(test)]
mod tests {
    use super::amiss;

    #[test]
    fn what_no_request_has_is_found() {
        for (path, said) in [
            ("/a?x=1", Some("write /a")),
            ("/a#b", Some("write /a")),
            ("/b ", Some("write /b")),
            ("/a\u{200b}", Some("type it again")),
            ("/a\u{a0}b", Some("type it again")),
            ("/a b", None),
            ("/ä", None),
            ("/", None),
        ] {
            assert_eq!(amiss(path).map(|(_, help)| help).as_deref(), said, "{path:?}");
        }
    }
}
