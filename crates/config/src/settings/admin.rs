//! Setting types of the admin API's access control: hosts, origins, a token.

use std::fmt;

use aws_lc_rs::{constant_time, digest};
use http::Uri;

use super::value::{BadValue, Item, Setting};

/// Pattern of allowed `Host` values: one host, or all below a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// Exact host, in lower case.
    Exact(String),
    /// Suffix that starts with a dot: `*.example.com`.
    Below(String),
    /// Any host: `*`.
    Any,
}

impl HostPattern {
    /// Returns whether a host matches; it must be in lower case and without a port.
    pub fn matches(&self, host: &str) -> bool {
        match self {
            HostPattern::Exact(name) => host == name,
            HostPattern::Below(end) => host.len() > end.len() && host.ends_with(end.as_str()),
            HostPattern::Any => true,
        }
    }
}

impl Setting for HostPattern {
    const FORM: &'static str = "a host without port such as `kong.example.com`, `*.example.com`, or `*`";
    fn parse(text: &str) -> Result<Self, BadValue> {
        let name = text.strip_suffix('.').filter(|name| *name != "*").unwrap_or(text).to_ascii_lowercase();
        let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let domain = |name: &str| !name.is_empty() && !name.starts_with('.') && name.bytes().all(word);
        match name.strip_prefix('*') {
            Some("") => Ok(HostPattern::Any),
            Some(end) if end.strip_prefix('.').is_some_and(domain) => Ok(HostPattern::Below(end.to_owned())),
            None if domain(&name) => Ok(HostPattern::Exact(name)),
            _ => Err(BadValue::not::<Self>(text)),
        }
    }
    fn show(&self) -> String {
        match self {
            HostPattern::Exact(name) => name.clone(),
            HostPattern::Below(end) => format!("*{end}"),
            HostPattern::Any => "*".to_owned(),
        }
    }
}

impl Item for HostPattern {
    const LIST: &'static str =
        "hosts without port such as `kong.example.com` or `*.example.com`, separated by commas";
}

/// Web origin (RFC 6454): scheme, host and port; the default port is omitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebOrigin(String);

impl WebOrigin {
    /// Returns the origin of a URL or `Origin` header; `None` for `null` and for invalid values.
    pub fn parse(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"))?;
        let default = if scheme == "https" { 443 } else { 80 };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let host = authority.host().to_ascii_lowercase();
        Some(WebOrigin(match authority.port_u16().filter(|port| *port != default) {
            Some(port) => format!("{scheme}://{host}:{port}"),
            None => format!("{scheme}://{host}"),
        }))
    }
}

impl Setting for WebOrigin {
    const FORM: &'static str = "the URL of a web page such as `https://manager.example.com`";
    fn parse(text: &str) -> Result<Self, BadValue> {
        Self::parse(text).ok_or_else(|| BadValue::not::<Self>(text))
    }
    fn show(&self) -> String {
        self.0.clone()
    }
}

impl Item for WebOrigin {
    const LIST: &'static str = "URLs of web pages such as `https://manager.example.com`, separated by commas";
}

/// Admin token, stored as its SHA-256, so that the plain token does not remain in memory.
#[derive(Clone, PartialEq, Eq)]
pub struct AdminToken([u8; 32]);

impl AdminToken {
    /// Prefix of a hashed token.
    const HASHED: &'static str = "sha256:";
    /// Shorter tokens can be brute-forced.
    const MIN_BYTES: usize = 16;
    const MAX_BYTES: usize = 4096;

    /// Compares a token with this one in constant time.
    pub fn matches(&self, token: &[u8]) -> bool {
        let shown = digest::digest(&digest::SHA256, token);
        constant_time::verify_slices_are_equal(shown.as_ref(), &self.0).is_ok()
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(…)")
    }
}

impl Setting for AdminToken {
    const FORM: &'static str =
        "a text of at least 16 visible ASCII characters, or `sha256:` and the SHA-256 of one in hex";
    const SECRET: bool = true;
    fn parse(text: &str) -> Result<Self, BadValue> {
        let bad = || BadValue { message: format!("this is not {}", Self::FORM), help: None };
        let hash = match text.strip_prefix(Self::HASHED) {
            Some(hex) => {
                let byte = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
                let plain = hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit());
                (0..hex.len()).step_by(2).map(byte).collect::<Option<Vec<u8>>>().filter(|_| plain)
            }
            None => {
                let fits = (Self::MIN_BYTES..=Self::MAX_BYTES).contains(&text.len());
                let visible = text.bytes().all(|b| b.is_ascii_graphic());
                (fits && visible).then(|| digest::digest(&digest::SHA256, text.as_bytes()).as_ref().to_vec())
            }
        };
        hash.and_then(|hash| hash.try_into().ok()).map(AdminToken).ok_or_else(bad)
    }
    fn show(&self) -> String {
        "******".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_exact_or_all_below_a_domain() {
        let one = HostPattern::parse("Kong.Example.com.").expect("a host");
        assert!(one.matches("kong.example.com") && !one.matches("a.kong.example.com"));
        let below = HostPattern::parse("*.example.com").expect("a pattern");
        assert!(below.matches("a.example.com") && below.matches("a.b.example.com"));
        assert!(!below.matches("example.com") && !below.matches("badexample.com"));
        assert_eq!(below.show(), "*.example.com");
        assert!(HostPattern::parse("*").expect("any").matches("x"));
        for bad in ["https://a", "a:8001", "a/b", "*a.com", "a b", ".a", "*."] {
            assert!(HostPattern::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn origins_are_compared_without_case_path_and_default_port() {
        let of = |url| WebOrigin::parse(url);
        assert_eq!(of("https://GUI.example.com:443/manager"), of("https://gui.example.com"));
        assert_ne!(of("http://gui.example.com"), of("https://gui.example.com"));
        assert_ne!(of("http://gui.example.com:8002"), of("http://gui.example.com"));
        for bad in ["null", "gui.example.com", "file:///x", "https://u@gui.example.com", ""] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_token_is_plain_or_hashed() {
        let plain = AdminToken::parse("0123456789abcdef").expect("a token");
        assert!(
            plain.matches(b"0123456789abcdef") && !plain.matches(b"0123456789abcdeF") && !plain.matches(b"")
        );
        let hashed = "sha256:9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f";
        assert_eq!(AdminToken::parse(hashed), Ok(plain.clone()));
        assert!(!format!("{plain:?}{}", plain.show()).contains("9f9f"));
        for bad in ["short", "sha256:9f9f", "with a blank in it", &"sha256:zz".repeat(8)] {
            assert!(AdminToken::parse(bad).is_err(), "{bad}");
        }
    }
}
