//! Fields that the `url` beside them replaces.

use super::{Lint, Report, Subject, called};
use crate::source::Level;

pub static LINT: Lint = Lint {
    code: "lint/url-replaces-fields",
    level: Some(Level::Warning),
    summary: "a service has a `url` and, beside it, a field that the `url` replaces",
    story: "`url` stands for protocol, host, port and path, and wins over all four: what it leaves out gets \
            its default, not the value of the field. Write `port` and `path` into the `url`, or give the \
            four fields without it.",
    bad: "_format_version: '3.0'\nservices:\n- {name: a, url: 'https://a.test', port: 9000}\n",
    good: "_format_version: '3.0'\nservices:\n- {name: a, url: 'https://a.test:9000'}\n",
    run,
};

fn run(subject: &Subject<'_>, report: &mut Report<'_>) {
    for service in subject.state.services.rows() {
        let Some(url) = subject.node(service, &["url"]) else { continue };
        let values = serde_json::json!({
            "protocol": service.protocol, "host": service.host, "port": service.port, "path": service.path,
        });
        for field in ["protocol", "host", "port", "path"] {
            let Some(node) = subject.node(service, &[field]) else { continue };
            let written = subject.document.to_json(node);
            if written.is_null() || written == values[field] {
                continue;
            }
            report.with(
                subject.entry(service, &[field]).or_else(|| subject.span(service, &[field])),
                format!("{field} of service {} has no effect: url replaces it", called(service)),
                &format!("write the {field} into the url"),
                Some((subject.document.span(url), "this counts".to_owned())),
            );
        }
    }
}
