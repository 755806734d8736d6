//! Which origins are allowed.

use std::borrow::Cow;

use fancy_regex::Regex;
use http::HeaderValue;

use model::rule::compile_regex;
use plugin::BuildError;

/// What an answer may say about the request's origin.
pub enum Allowed {
    /// All origins are allowed.
    Any,
    /// This one is.
    This(HeaderValue),
    /// The request's is not.
    None,
}

/// Allowed origins, ready to be compared with.
pub enum Origins {
    /// All, whatever the request says.
    All,
    /// The only one, sent whatever the request says.
    One(HeaderValue),
    /// The request's, if one of these fits; all, where `*` is among them.
    Some { any: bool, rules: Vec<Rule> },
}

/// One entry of the settings.
pub enum Rule {
    /// An origin in its short form.
    Plain(String),
    /// Compared with the whole origin, or with its host alone.
    Regex { regex: Box<Regex>, host: bool },
}

impl Origins {
    /// From the entries of the settings.
    ///
    /// # Errors
    /// When an entry is no regular expression, or cannot be sent in a header.
    pub fn new(entries: Vec<String>) -> Result<Self, BuildError> {
        match entries.as_slice() {
            [] => return Ok(Origins::All),
            [one] if one == "*" => return Ok(Origins::All),
            [one] if is_plain(one) => {
                let value = HeaderValue::from_str(one);
                return value.map(Origins::One).map_err(|e| BuildError::at("/origins/0", e.to_string()));
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
        Ok(Origins::Some { any, rules: rules.collect::<Result<_, _>>()? })
    }

    /// Whether answers to different origins may differ.
    pub fn vary(&self) -> bool {
        !matches!(self, Origins::All)
    }

    /// What to answer to a request of that origin.
    pub fn allowed(&self, origin: Option<&HeaderValue>) -> Allowed {
        match self {
            Origins::All => Allowed::Any,
            Origins::One(value) => Allowed::This(value.clone()),
            Origins::Some { any: true, .. } if origin.is_some() => Allowed::Any,
            Origins::Some { rules, .. } => {
                let origin = origin.and_then(|origin| Some((origin, Origin::parse(origin.to_str().ok()?))));
                match origin {
                    Some((sent, origin)) if rules.iter().any(|rule| rule.fits(&origin)) => {
                        match HeaderValue::from_str(&origin.short) {
                            Ok(short) => Allowed::This(short),
                            Err(_) => Allowed::This(sent.clone()),
                        }
                    }
                    _ => Allowed::None,
                }
            }
        }
    }
}

/// Whether an entry is an origin rather than a regular expression.
fn is_plain(entry: &str) -> bool {
    entry.bytes().all(|b| b.is_ascii_alphanumeric() || b".:/-".contains(&b))
}

impl Rule {
    fn new(entry: &str) -> Result<Self, String> {
        if is_plain(entry) {
            return Ok(Rule::Plain(Origin::parse(entry).short.into_owned()));
        }
        let regex = compile_regex(&format!("^(?:{entry})$"))?;
        Ok(Rule::Regex { regex: Box::new(regex), host: !entry.contains(':') })
    }

    fn fits(&self, origin: &Origin<'_>) -> bool {
        match self {
            Rule::Plain(short) => *short == origin.short,
            Rule::Regex { regex, host } => {
                regex.is_match(if *host { origin.host } else { &origin.short }).unwrap_or(false)
            }
        }
    }
}

/// An origin in its short form: scheme, host, and the port where it is not the scheme's usual one.
struct Origin<'a> {
    short: Cow<'a, str>,
    host: &'a str,
}

impl<'a> Origin<'a> {
    /// Takes apart `scheme://user@host:port/…`; anything without `//` is kept whole.
    fn parse(text: &'a str) -> Self {
        let whole = Origin { short: Cow::Borrowed(text), host: text };
        let scheme = text.split_once(':').map(|(scheme, _)| scheme).filter(|scheme| {
            let rest = |b: u8| b.is_ascii_alphanumeric() || b"+.-".contains(&b);
            scheme.starts_with(|c: char| c.is_ascii_alphanumeric()) && scheme.bytes().all(rest)
        });
        let after_scheme = scheme.map_or(text, |scheme| &text[scheme.len() + 1..]);
        let Some(authority) = after_scheme.strip_prefix("//") else { return whole };
        let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
        let address = authority.split_once('@').map_or(authority, |(_, address)| address);
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (address, None),
        };
        if host.is_empty() {
            return whole;
        }
        let port =
            port.filter(|port| !matches!((scheme, *port), (Some("http"), "80") | (Some("https"), "443")));
        let kept = scheme.map_or(0, |s| s.len() + 3) + host.len() + port.map_or(0, |p| p.len() + 1);
        // Nothing left out: what remains is the text itself.
        if kept == text.len() {
            return Origin { short: Cow::Borrowed(text), host };
        }
        let mut short = scheme.map_or_else(String::new, |scheme| format!("{scheme}://"));
        short.push_str(host);
        if let Some(port) = port {
            short.push(':');
            short.push_str(port);
        }
        Origin { short: Cow::Owned(short), host }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_shortened() {
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
        for (text, short, host) in cases {
            let origin = Origin::parse(text);
            assert_eq!((origin.short.as_ref(), origin.host), (short, host), "{text}");
        }
    }

    #[test]
    fn a_regex_matches_the_whole_origin_or_none_of_it() {
        let rule = Rule::new(r"a\.test|b\.test").expect("a regular expression");
        assert!(rule.fits(&Origin::parse("http://a.test")));
        assert!(rule.fits(&Origin::parse("http://b.test")));
        assert!(!rule.fits(&Origin::parse("http://a.test.evil.test")));
        assert!(!rule.fits(&Origin::parse("http://evil-b.test")));
    }
}
