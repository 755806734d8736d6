//! Header look-up by a configured name in which `_` and `-` are equivalent, and content codings.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONTENT_ENCODING, InvalidHeaderName},
};

/// Returns whether a body has a content coding such as gzip (RFC 9110 section 8.4), so that it cannot be parsed as
/// its content type.
pub fn is_content_encoded(headers: &HeaderMap) -> bool {
    let codings =
        headers.get_all(CONTENT_ENCODING).iter().flat_map(|value| value.as_bytes().split(|b| *b == b','));
    codings
        .map(<[u8]>::trim_ascii)
        .any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
}

/// Name of a header to look up, in both spellings.
#[derive(Clone, Debug)]
pub struct HeaderKey {
    /// Name with `-`.
    name: HeaderName,
    /// Name with `_`, which some clients send; `None` if it does not differ.
    underscored: Option<HeaderName>,
}

impl HeaderKey {
    /// Creates a key from a configured name.
    ///
    /// # Errors
    /// If it is not a valid header name.
    pub fn new(name: &str) -> Result<Self, InvalidHeaderName> {
        let name = HeaderName::from_bytes(name.replace('_', "-").as_bytes())?;
        let underscored = match name.as_str().contains('-') {
            true => Some(HeaderName::from_bytes(name.as_str().replace('-', "_").as_bytes())?),
            false => None,
        };
        Ok(HeaderKey { name, underscored })
    }

    /// Returns the first value of the header.
    pub fn get<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        headers.get(&self.name).or_else(|| headers.get(self.underscored.as_ref()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_and_underscores_are_equivalent() {
        let mut headers = HeaderMap::new();
        headers.insert("x-tenant", HeaderValue::from_static("a"));
        headers.append("x-tenant", HeaderValue::from_static("b"));
        headers.insert("api_key", HeaderValue::from_static("c"));
        let get = |name| HeaderKey::new(name).expect("a valid name").get(&headers).cloned();
        assert_eq!(get("X_Tenant"), Some(HeaderValue::from_static("a")));
        assert_eq!(get("X-TENANT"), Some(HeaderValue::from_static("a")));
        assert_eq!(get("api-key"), Some(HeaderValue::from_static("c")));
        assert_eq!(get("tenant"), None);
    }
}
