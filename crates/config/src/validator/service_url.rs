//! `url` of a service: its expansion, and errors in its parts, which are reported on `url` and not on fields that
//! the user never wrote.

use smallvec::SmallVec;

use super::{RecordSchema, Validator, help, shorthand::Expansion, validate::Checkpoint};
use crate::nearest;
use http_codec::authority;
use source::{Entry, ErrorPathSegment, Finding, NodeId, Value};

/// Finding code: a service has both `url` and a field that `url` overrides.
const OVERRIDDEN: &str = "config/overridden-field";

/// Allowed URL schemes.
const SCHEMES: &[&str] = &["grpc", "grpcs", "http", "https", "tcp", "tls", "tls_passthrough", "udp"];

impl Validator<'_> {
    /// Expands `url` to `protocol`, `host`, `port`, `path`, which override explicit fields.
    pub(super) fn service_url(&mut self, node: NodeId, url: Entry) -> NodeId {
        let span = self.doc.span(url.value);
        let Some(text) = self.doc.str(url.value).map(str::to_owned) else { return self.without(node, "url") };
        let parts = UrlParts::of(&text);
        let mut entries: Vec<Entry> = Vec::with_capacity(self.doc.entries(node).len() + 3);
        let mut without_effect: SmallVec<[Entry; 4]> = SmallVec::new();
        for entry in self.doc.entries(node) {
            match self.doc.str(entry.key) {
                Some("url") => {}
                Some("protocol" | "host" | "port" | "path") => without_effect.push(*entry),
                _ => entries.push(*entry),
            }
        }
        for entry in without_effect {
            self.warn_of_url(&parts, node, url, entry);
        }
        let mut add = |key: &'static str, value: Value| {
            let key = self.doc.add(Value::Str(key.into()), span);
            let value = self.doc.add(value, span);
            entries.push(Entry { key, value });
        };
        add("protocol", Value::Str(parts.protocol.into()));
        add("host", parts.host.map_or(Value::Null, |h| Value::Str(h.into())));
        add("port", Value::Int(parts.port));
        add("path", parts.path.map_or(Value::Null, |p| Value::Str(p.into())));
        let span = self.doc.span(node);
        self.doc.add(Value::Map(entries.into()), span)
    }

    /// Warns about a field that `url` overrides with a different value.
    fn warn_of_url(&mut self, parts: &UrlParts<'_>, service: NodeId, url: Entry, entry: Entry) {
        let name = self.doc.key_text(entry.key);
        let same = match (self.doc.value(entry.value), name.as_str()) {
            (Value::Null, _) => true,
            (Value::Str(text), "protocol") => **text == *parts.protocol,
            (Value::Str(text), "host") => Some(&**text) == parts.host,
            (Value::Str(text), "path") => Some(&**text) == parts.path,
            (Value::Int(port), "port") => *port == parts.port,
            _ => false,
        };
        // Defaults declared for all services are outside the service's span.
        if same || !self.doc.span(service).contains(self.doc.span(entry.key)) {
            return;
        }
        let mut path = self.path_of_record();
        path.push_str(&name);
        let finding = Finding::warning(OVERRIDDEN, format!("`{name}` has no effect beside `url`"))
            .at(self.doc.span(entry.key), "without effect")
            .at(self.doc.span(url.key), "this counts")
            .path(path)
            .help(format!(
                "remove `{name}`, or write `protocol`, `host`, `port` and `path` in place of `url`"
            ));
        self.report(finding);
    }

    /// Returns the path of the record that contains the current field.
    fn path_of_record(&mut self) -> String {
        let last = self.path.pop();
        let mut path = self.path_text();
        self.path.extend(last);
        if !path.is_empty() {
            path.push('.');
        }
        path
    }

    /// Returns the record's entry that expands to the parts of a URL.
    pub(super) fn url_entry(&self, record: &RecordSchema, node: NodeId) -> Option<Entry> {
        let has = record.shorthands.iter().any(|s| s.rule == Some(Expansion::ServiceUrl));
        if has { self.doc.entry(node, "url") } else { None }
    }

    /// Merges the errors about fields that `url` expands to into one finding.
    pub(super) fn merge_url_errors(&mut self, url: Entry, checkpoint: Checkpoint) {
        let span = self.doc.span(url.value);
        let Some(text) = self.doc.str(url.value).map(str::to_owned) else { return };
        let about_url = |finding: &Finding| {
            finding.span() == Some(span)
                && finding
                    .kong_errors
                    .first()
                    .is_some_and(|(path, _)| path.last() != Some(&ErrorPathSegment::Key("url".to_owned())))
        };
        let first = checkpoint.retained();
        let numbers: SmallVec<[usize; 4]> =
            (first..self.findings.0.len()).filter(|&i| about_url(&self.findings.0[i])).collect();
        let Some((&first, others)) = numbers.split_first() else { return };
        let (message, help) = wrong_url(&text, &self.findings.0[first]);
        let mut path = self.path_text();
        path.push_str(if path.is_empty() { "url" } else { ".url" });
        let mut merged = Finding::error("config/invalid-value", message).at(span, "").path(path);
        merged.help = help;
        for &number in others.iter().rev() {
            let finding = self.remove(number);
            merged.kong_errors.splice(0..0, finding.kong_errors);
            merged.implied_errors.extend(finding.implied_errors);
        }
        let finding = std::mem::replace(&mut self.findings.0[first], merged);
        let merged = &mut self.findings.0[first];
        merged.kong_errors.splice(0..0, finding.kong_errors);
        merged.implied_errors.extend(finding.implied_errors);
    }

    /// Removes a finding.
    fn remove(&mut self, number: usize) -> Finding {
        self.reported -= 1;
        self.on_finding_removed(number);
        self.findings.0.remove(number)
    }
}

/// Returns message and suggestion for an invalid URL.
fn wrong_url(text: &str, finding: &Finding) -> (String, Option<String>) {
    let variable = help::shell_variable(text);
    if let Some(odd) = help::confusable_name(text) {
        return (format!("`url` contains {odd}"), Some("type it again".to_owned()));
    }
    let address = text.trim_start_matches('/');
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    match scheme {
        None if let Some((scheme, rest)) = broken_scheme(text) => {
            let shown = if rest.contains('@') { "…" } else { rest };
            (format!("`url`: after `{scheme}` comes `://`"), Some(format!("write `{scheme}://{shown}`")))
        }
        None if variable.is_none() => {
            // Anything before an `@` is a credential.
            let shown = if address.contains('@') { "…" } else { address };
            ("`url` has no scheme".to_owned(), Some(format!("write `http://{shown}`")))
        }
        Some(scheme) if !SCHEMES.contains(&scheme) && variable.is_none() => {
            let help = match nearest(scheme, SCHEMES.iter().copied()) {
                Some(near) => format!("did you mean `{near}://`?"),
                None => format!("it may be {}", SCHEMES.join(", ")),
            };
            (format!("`url`: there is no scheme `{scheme}`"), Some(help))
        }
        _ => {
            let (path, text) = finding.kong_errors.first().map_or((&[][..], ""), |(path, text)| (path, text));
            let part = match path.last() {
                Some(ErrorPathSegment::Key(part)) => part.as_str(),
                _ => "value",
            };
            match (part, text) {
                ("host", "required field missing") => ("`url` names no host".to_owned(), variable),
                _ => (format!("the {part} of `url` cannot be used: {text}"), variable),
            }
        }
    }
}

/// Splits a scheme from an incomplete `://`.
fn broken_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_at(text.find([':', '/'])?);
    let rest = rest.trim_start_matches([':', '/']);
    let port = rest.starts_with(|c: char| c.is_ascii_digit()) && !rest.contains('.');
    (SCHEMES.contains(&scheme) && !rest.is_empty() && !port).then_some((scheme, rest))
}

/// Parts of a service URL.
#[derive(Debug, PartialEq, Eq)]
struct UrlParts<'t> {
    protocol: &'t str,
    host: Option<&'t str>,
    port: i64,
    path: Option<&'t str>,
}

impl<'t> UrlParts<'t> {
    /// Splits any text; invalid parts are detected when the fields are validated.
    fn of(text: &'t str) -> Self {
        let (text, _) = text.split_once('#').unwrap_or((text, ""));
        let scheme_end = text.find(':').filter(|&end| {
            end > 0 && text[..end].bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        });
        let (scheme, rest) = match scheme_end {
            Some(end) => (Some(&text[..end]), &text[end + 1..]),
            None => (None, text),
        };
        let (authority, rest) = match rest.strip_prefix("//") {
            Some(rest) => {
                let end = rest.find('/').unwrap_or(rest.len());
                (Some(&rest[..end]), &rest[end..])
            }
            None => (None, rest),
        };
        let path = rest.split('?').next().filter(|p| !p.is_empty());
        let authority = authority.map(|a| a.rsplit_once('@').map_or(a, |(_, host)| host));
        let (host, port) = match authority {
            Some(authority) => {
                let (host, port) = authority::split(authority);
                (host, port.and_then(|port| port.parse::<i64>().ok()))
            }
            None => ("", None),
        };
        let host = authority::without_brackets(host);
        let protocol = scheme.unwrap_or(if port == Some(443) { "https" } else { "http" });
        let port = port.unwrap_or(if protocol == "https" { 443 } else { 80 });
        UrlParts { protocol, host: Some(host).filter(|h| !h.is_empty()), port, path }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_a_scheme_is_one_error_that_shows_how_to_write_it() {
        let finding = Finding::error("x", "")
            .kong_error(vec![ErrorPathSegment::Key("host".to_owned())], "required field missing");
        for (url, help) in [
            ("orders:8080", "write `http://orders:8080`"),
            ("orders.internal", "write `http://orders.internal`"),
            ("//orders", "write `http://orders`"),
            ("user:hunter2@orders", "write `http://…`"),
        ] {
            assert_eq!(wrong_url(url, &finding), ("`url` has no scheme".to_owned(), Some(help.to_owned())));
        }
        for url in ["http:/a.internal", "http//a.internal", "http:a.internal"] {
            let help = wrong_url(url, &finding).1;
            assert_eq!(help.as_deref(), Some("write `http://a.internal`"), "{url}");
        }
        let (message, help) = wrong_url("htps://orders", &finding);
        assert_eq!(message, "`url`: there is no scheme `htps`");
        assert_eq!(help.as_deref(), Some("did you mean `https://`?"));
        let (message, help) = wrong_url("http://${HOST}:80", &finding);
        assert_eq!(message, "`url` names no host");
        assert!(help.is_some_and(|help| help.contains("DECK_HOST")));
    }
}
