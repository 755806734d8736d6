//! Code shared by the transformer plugins: rules of the form `name:value`, and header values.

use http::HeaderValue;

use http_codec::HeaderSpelling;

/// Splits a rule into name and value. The name ends at the first colon; the value starts after all colons there.
/// Returns `None` if the name is empty.
pub fn split_rule(rule: &str) -> Option<(&str, &str)> {
    let (name, rest) = rule.split_once(':').unwrap_or((rule, ""));
    (!name.is_empty()).then(|| (name, rest.trim_start_matches(':')))
}

/// Parses the header name of a rule, retaining its case.
///
/// # Errors
/// If it is not a valid header name. The message is Kong's.
pub fn header_name(name: &str) -> Result<HeaderSpelling, String> {
    HeaderSpelling::new(name).map_err(|_| format!("'{name}' is not a valid header"))
}

/// Converts bytes to a header value. Bytes that are not allowed in header values are percent-encoded, as OpenResty
/// does.
pub fn header_value(text: &[u8]) -> HeaderValue {
    if let Ok(value) = HeaderValue::from_bytes(text) {
        return value;
    }
    let mut escaped = Vec::with_capacity(text.len() + 8);
    for byte in text {
        match byte {
            b'\t' | b' '..=b'~' | 0x80.. => escaped.push(*byte),
            _ => escaped.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    HeaderValue::from_bytes(&escaped).expect("bytes that headers may not hold are escaped")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_splits_at_its_first_colon() {
        assert_eq!(split_rule("a:b"), Some(("a", "b")));
        assert_eq!(split_rule("a:http://x:80"), Some(("a", "http://x:80")));
        assert_eq!(split_rule("a::b"), Some(("a", "b")));
        assert_eq!(split_rule("a"), Some(("a", "")));
        assert_eq!(split_rule(":b"), None);
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(header_value(b"a\r\nX-Evil: 1"), "a%0D%0AX-Evil: 1");
        assert_eq!(header_value("ü".as_bytes()).as_bytes(), "ü".as_bytes());
    }
}
