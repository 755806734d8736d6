//! Looking at headers: by a name from the settings, in which `_` and `-` are the same; and content codings.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONTENT_ENCODING, InvalidHeaderName},
};

/// Whether a body is encoded, for example compressed, so that it cannot be read as its content type (RFC 9110
/// section 8.4).
pub fn is_content_encoded(headers: &HeaderMap) -> bool {
    let codings =
        headers.get_all(CONTENT_ENCODING).iter().flat_map(|value| value.as_bytes().split(|b| *b == b','));
    codings
        .map(<[u8]>::trim_ascii)
        .any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
}

/// The name of a header to look for.
#[derive(Clone, Debug)]
pub struct HeaderKey {
    /// With `-`.
    name: HeaderName,
    /// With `_`, as some clients write; none where that makes no difference.
    underscored: Option<HeaderName>,
}

impl HeaderKey {
    /// From a name in the settings.
    ///
    /// # Errors
    /// When no header can have that name.
    pub fn new(name: &str) -> Result<Self, InvalidHeaderName> {
        let name = HeaderName::from_bytes(name.replace('_', "-").as_bytes())?;
        let underscored = match name.as_str().contains('-') {
            true => Some(HeaderName::from_bytes(name.as_str().replace('-', "_").as_bytes())?),
            false => None,
        };
        Ok(HeaderKey { name, underscored })
    }

    /// The header's first value.
    pub fn get<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        headers.get(&self.name).or_else(|| headers.get(self.underscored.as_ref()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_and_underscores_are_the_same() {
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
