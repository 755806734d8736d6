//! Matching of origins.

use std::borrow::Cow;

use fancy_regex::Regex;
use http::HeaderValue;
use http_codec::authority;

use model::rule::compile_regex;
use plugin::BuildError;

/// Decision about the origin of a request.
pub enum AllowOrigin {
    /// All origins are allowed.
    Any,
    /// This origin is allowed.
    Exact(HeaderValue),
    /// The origin of the request is not allowed.
    Denied,
}

/// Allowed origins, compiled.
pub enum Origins {
    /// All origins.
    All,
    /// A single literal origin, sent regardless of the request's origin.
    Single(HeaderValue),
    /// The origins that match one of the rules; all if the list includes `*`.
    Matching { any: bool, rules: Vec<Rule> },
}

/// A compiled entry of `origins`.
pub enum Rule {
    /// A normalised origin.
    Literal(String),
    /// A regular expression, matched against the whole origin or, if `host`, against the host.
    Regex { regex: Box<Regex>, host: bool },
}

impl Origins {
    /// Compiles the entries of `origins`.
    ///
    /// # Errors
    /// If an entry is not a valid regular expression, or not a valid header value.
    pub fn new(entries: Vec<String>) -> Result<Self, BuildError> {
        match entries.as_slice() {
            [] => return Ok(Origins::All),
            [one] if one == "*" => return Ok(Origins::All),
            [one] if is_literal(one) => {
                let value = HeaderValue::from_str(one);
                return value.map(Origins::Single).map_err(|e| BuildError::at("/origins/0", e.to_string()));
            }
            _ => {}
        }
        let any = entries.iter().any(|entry| entry == "*");
        let rules = entries.iter().enumerate().filter(|(_, entry)| *entry != "*");
        let rules = rules.map(|(at, entry)| {
            Rule::new(entry).map_err(|_| {
                BuildError::at(format!("/origins/{at}"), format!("'{entry}' is not a valid regex"))
            })
        });
        Ok(Origins::Matching { any, rules: rules.collect::<Result<_, _>>()? })
    }

    /// Returns whether the response depends on the origin of the request.
    pub fn vary(&self) -> bool {
        !matches!(self, Origins::All)
    }

    /// Decides about the origin of a request.
    pub fn allowed(&self, origin: Option<&HeaderValue>) -> AllowOrigin {
        match self {
            Origins::All => AllowOrigin::Any,
            Origins::Single(value) => AllowOrigin::Exact(value.clone()),
            Origins::Matching { any: true, .. } if origin.is_some() => AllowOrigin::Any,
            Origins::Matching { rules, .. } => {
                let origin = origin.and_then(|origin| Some((origin, Origin::parse(origin.to_str().ok()?))));
                match origin {
                    Some((sent, origin)) if rules.iter().any(|rule| rule.matches(&origin)) => {
                        match HeaderValue::from_str(&origin.normalized) {
                            Ok(normalized) => AllowOrigin::Exact(normalized),
                            Err(_) => AllowOrigin::Exact(sent.clone()),
                        }
                    }
                    _ => AllowOrigin::Denied,
                }
            }
        }
    }
}

/// Returns whether an entry is a literal origin rather than a regular expression.
fn is_literal(entry: &str) -> bool {
    entry.bytes().all(|b| b.is_ascii_alphanumeric() || b".:/-".contains(&b))
}

impl Rule {
    fn new(entry: &str) -> Result<Self, String> {
        if is_literal(entry) {
            return Ok(Rule::Literal(Origin::parse(entry).normalized.into_owned()));
        }
        let regex = compile_regex(&format!("^(?:{entry})$"))?;
        Ok(Rule::Regex { regex: Box::new(regex), host: !entry.contains(':') })
    }

    fn matches(&self, origin: &Origin<'_>) -> bool {
        match self {
            Rule::Literal(normalized) => *normalized == origin.normalized,
            Rule::Regex { regex, host } => {
                regex.is_match(if *host { origin.host } else { &origin.normalized }).unwrap_or(false)
            }
        }
    }
}

/// A normalised origin: scheme, host, and the port unless it is the default of the scheme.
struct Origin<'a> {
    normalized: Cow<'a, str>,
    host: &'a str,
}

impl<'a> Origin<'a> {
    /// Parses `scheme://user@host:port/…`. A text without `//` is retained unchanged.
    fn parse(text: &'a str) -> Self {
        let whole = Origin { normalized: Cow::Borrowed(text), host: text };
        let scheme = text.split_once(':').map(|(scheme, _)| scheme).filter(|scheme| {
            let rest = |b: u8| b.is_ascii_alphanumeric() || b"+.-".contains(&b);
            scheme.starts_with(|c: char| c.is_ascii_alphanumeric()) && scheme.bytes().all(rest)
        });
        let after_scheme = scheme.map_or(text, |scheme| &text[scheme.len() + 1..]);
        let Some(written) = after_scheme.strip_prefix("//") else { return whole };
        let written = written.split(['/', '?', '#']).next().unwrap_or_default();
        let address = written.split_once('@').map_or(written, |(_, address)| address);
        let (host, port) = authority::split(address);
        if host.is_empty() {
            return whole;
        }
        let port =
            port.filter(|port| !matches!((scheme, *port), (Some("http"), "80") | (Some("https"), "443")));
        let normalized_len = scheme.map_or(0, |s| s.len() + 3) + host.len() + port.map_or(0, |p| p.len() + 1);
        // The text is already normalised.
        if normalized_len == text.len() {
            return Origin { normalized: Cow::Borrowed(text), host };
        }
        let mut normalized = scheme.map_or_else(String::new, |scheme| format!("{scheme}://"));
        normalized.push_str(host);
        if let Some(port) = port {
            normalized.push(':');
            normalized.push_str(port);
        }
        Origin { normalized: Cow::Owned(normalized), host }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_normalized() {
        let cases = [
            ("http://a.test", "http://a.test", "a.test"),
            ("http://a.test:80", "http://a.test", "a.test"),
            ("https://a.test:443", "https://a.test", "a.test"),
            ("https://a.test:80", "https://a.test:80", "a.test"),
            ("http://a.test/", "http://a.test", "a.test"),
            ("http://me@a.test:81/x?y", "http://a.test:81", "a.test"),
            ("http://[::1]:80", "http://[::1]", "[::1]"),
            ("http://[::1]", "http://[::1]", "[::1]"),
            ("a.test", "a.test", "a.test"),
            ("a.test:8080", "a.test:8080", "a.test:8080"),
            ("null", "null", "null"),
            ("//a.test", "a.test", "a.test"),
            ("", "", ""),
            ("://", "://", "://"),
        ];
        for (text, normalized, host) in cases {
            let origin = Origin::parse(text);
            assert_eq!((origin.normalized.as_ref(), origin.host), (normalized, host), "{text}");
        }
    }

    #[test]
    fn a_regex_matches_the_whole_origin_or_none_of_it() {
        let rule = Rule::new(r"a\.test|b\.test").expect("a regular expression");
        assert!(rule.matches(&Origin::parse("http://a.test")));
        assert!(rule.matches(&Origin::parse("http://b.test")));
        assert!(!rule.matches(&Origin::parse("http://a.test.evil.test")));
        assert!(!rule.matches(&Origin::parse("http://evil-b.test")));
    }
}
