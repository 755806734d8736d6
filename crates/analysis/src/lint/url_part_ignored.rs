//! Parts of a URL that a service has no field for.

use super::{Lint, LintContext, Report, called};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/url-part-ignored",
    level: Some(Level::Warning),
    summary: "a part of a service's `url` has no effect",
    explanation: "`url` stands for `protocol`, `host`, `port` and `path`. A port that is no number is passed over, and the \
            protocol's own is used; a user and password, a query and a fragment have no field and are dropped. Write \
            the port as a number; what an upstream wants beside the path is added by the plugin request-transformer.",
    bad: "_format_version: '3.0'\nservices:\n- {name: a, url: 'https://a.test/x?tenant=1'}\n",
    good: "_format_version: '3.0'\nservices:\n- {name: a, url: 'https://a.test/x'}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    for service in context.state.services.rows() {
        let Some(node) = context.node(service, &["url"]) else { continue };
        let Some(url) = context.document.str(node) else { continue };
        for (what, help) in ignored(url) {
            report.at(
                Some(context.document.span(node)),
                format!("service {} does not use the {what} of its url", called(service)),
                &help.replace("PORT", &service.port.to_string()),
            );
        }
    }
}

/// The parts that have no effect, and what to do.
fn ignored(url: &str) -> Vec<(&'static str, &'static str)> {
    let mut found = Vec::new();
    let (url, fragment) = url.split_once('#').unwrap_or((url, ""));
    let (url, query) = url.split_once('?').unwrap_or((url, ""));
    let authority = url.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or(""));
    let (user, address) = authority.rsplit_once('@').unwrap_or(("", authority));
    let port = http_codec::authority::split(address).1.unwrap_or_default();
    if !user.is_empty() {
        found.push((
            "user and password",
            "remove them, and add the header Authorization with the plugin request-transformer",
        ));
    }
    if !port.is_empty() && port.parse::<u16>().is_err() {
        found.push(("port", "it is no number, and PORT is used: write the port as a number"));
    }
    if !query.is_empty() {
        found.push(("query", "remove it, and add the arguments with the plugin request-transformer"));
    }
    if !fragment.is_empty() {
        found.push(("fragment", "remove it: no request carries one"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::ignored;

    #[test]
    fn parts_without_a_field_are_found() {
        for (url, parts) in [
            ("http://a.test", &[][..]),
            ("http://a.test:80/x", &[]),
            ("http://[::1]:80/x", &[]),
            ("http://[::1]", &[]),
            ("http://a.test:${PORT}", &["port"]),
            ("http://a.test:PORT/", &["port"]),
            ("http://u:p@a.test", &["user and password"]),
            ("http://a.test/x?b=c#d", &["query", "fragment"]),
        ] {
            let found: Vec<_> = ignored(url).into_iter().map(|(what, _)| what).collect();
            assert_eq!(found, parts, "{url}");
        }
    }
}
