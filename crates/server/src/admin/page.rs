//! Pagination and tag filters.
//!
//! Entities are listed in the order of their ids, and the offset token of a page contains the last id before it. A client
//! that walks through the pages therefore skips no entity when the configuration changes in between.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{
    body::Fields,
    reply::{ErrorCode, Reply},
};

/// Entries on a page by default.
const DEFAULT_SIZE: usize = 100;
/// Most entries on a page.
const MAX_SIZE: usize = 1000;
/// Most tags in a filter.
const MAX_TAGS: usize = 5;

/// Characters that are percent-encoded in a link.
pub const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The requested part of a list.
#[derive(Debug)]
pub struct Page {
    size: usize,
    after: Option<String>,
    tags: Option<Tags>,
    /// Query parameters of size and filter, for the link to the next page.
    next_query: String,
}

/// A filter by tag.
#[derive(Debug, PartialEq, Eq)]
struct Tags {
    names: Vec<String>,
    /// Whether an entity must have all tags, or any.
    all: bool,
}

impl Page {
    /// Parses a query; `tagged`: whether the entities have tags.
    ///
    /// # Errors
    /// With the response to a query that is not valid.
    pub fn new(query: &Fields, tagged: bool) -> Result<Self, Reply> {
        let mut next_query = String::new();
        let tags = match query.get("tags").filter(|_| tagged) {
            Some(text) => {
                next_query.push_str(&format!("&tags={}", utf8_percent_encode(text, ESCAPED)));
                Some(Tags::parse(text).map_err(|why| {
                    let message = format!("invalid option (tags: {why})");
                    let details = ("options", json!({ "tags": why }));
                    Reply::error(ErrorCode::InvalidOptions, message.into(), Some(details))
                })?)
            }
            None => None,
        };
        let size = match query.get("size") {
            Some(text) => {
                next_query.push_str(&format!("&size={}", utf8_percent_encode(text, ESCAPED)));
                size(text).map_err(|message| Reply::error(ErrorCode::InvalidSize, message.into(), None))?
            }
            None => DEFAULT_SIZE,
        };
        let after = match query.get("offset") {
            Some(token) => Some(decode_cursor(token).ok_or_else(|| {
                let message = format!("'{token}' is not a valid offset: bad base64 encoding");
                Reply::error(ErrorCode::InvalidOffset, message.into(), None)
            })?),
            None => None,
        };
        Ok(Page { size, after, tags, next_query })
    }

    /// Omits size and filter from the link to the next page.
    pub fn without_query_in_next(self) -> Self {
        Page { next_query: String::new(), ..self }
    }

    /// Whether an entity with these tags matches the filter.
    pub fn wants(&self, tags: &[String]) -> bool {
        self.tags.as_ref().is_none_or(|filter| {
            let has = |name: &String| tags.contains(name);
            if filter.all { filter.names.iter().all(has) } else { filter.names.iter().any(has) }
        })
    }

    /// Renders a page of a list: `keys` are the unique sort keys of the entries, `show` renders an entry, `path` is the
    /// path of the list.
    pub fn reply<T>(
        &self,
        mut keys: Vec<(String, T)>,
        show: impl Fn(T) -> Value,
        path: &str,
        more: &[(&str, Value)],
    ) -> Reply {
        keys.sort_by(|(a, _), (b, _)| a.cmp(b));
        let begin = self.after.as_ref().map_or(0, |after| keys.partition_point(|(key, _)| key <= after));
        let mut data = Vec::new();
        let mut last = None;
        for (key, entry) in keys.into_iter().skip(begin).take(self.size) {
            data.push(show(entry));
            last = Some(key);
        }
        let mut body = json!({});
        // A full page always has a link to the next one, which may be empty, as in Kong.
        let token = last.filter(|_| data.len() == self.size).map(|key| URL_SAFE_NO_PAD.encode(key));
        body["data"] = data.into();
        body["next"] = Value::Null;
        if let Some(token) = token {
            body["next"] = format!("{path}?offset={token}{}", self.next_query).into();
            body["offset"] = token.into();
        }
        for (key, value) in more {
            body[*key] = value.clone();
        }
        Reply::ok(&body)
    }
}

fn size(text: &str) -> Result<usize, &'static str> {
    let number: f64 = text.trim().parse().map_err(|_| "size must be a number")?;
    let fits = number.fract() == 0.0 && (1.0..=MAX_SIZE as f64).contains(&number);
    if fits { Ok(number as usize) } else { Err("size must be an integer between 1 and 1000") }
}

fn decode_cursor(token: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(token.trim_end_matches('=')).ok()?;
    String::from_utf8(bytes).ok()
}

impl Tags {
    /// Parses `a,b` (all of them) or `a/b` (any of them).
    fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("cannot be null");
        }
        let (all, separator) = match (text.contains(','), text.contains('/')) {
            (true, true) => return Err("invalid filter syntax"),
            (_, false) => (true, ','),
            (false, true) => (false, '/'),
        };
        let text = text.strip_suffix(separator).unwrap_or(text);
        let names: Vec<String> = text.split(separator).map(str::to_owned).collect();
        if names.iter().any(|name| name.is_empty() || name.contains(|c: char| c.is_ascii_control())) {
            return Err("invalid filter syntax");
        }
        if names.len() > MAX_TAGS {
            return Err("cannot query more than 5 tags");
        }
        Ok(Tags { names, all })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &str) -> Result<Page, Reply> {
        Page::new(&Fields::of_query(query), true)
    }

    #[test]
    fn tags_are_all_wanted_with_commas_and_any_with_slashes() {
        let has = |tags: &str, filter: &str| {
            let tags: Vec<String> = tags.split(' ').map(str::to_owned).collect();
            page(&format!("tags={filter}")).expect("a page").wants(&tags)
        };
        assert!(has("a b", "a,b"));
        assert!(!has("a", "a,b"));
        assert!(has("a", "a/b"));
        assert!(!has("c", "a/b"));
        assert!(page("tags=a,b/c").is_err());
        assert!(page("tags=").is_err());
        assert!(page("tags=a/b/c/d/e/f").is_err());
    }

    #[test]
    fn sizes_are_whole_and_within_bounds() {
        assert_eq!(size("3"), Ok(3));
        assert_eq!(size("x"), Err("size must be a number"));
        for text in ["0", "1001", "1.5", "-1", "inf"] {
            assert_eq!(size(text), Err("size must be an integer between 1 and 1000"), "{text}");
        }
    }

    #[test]
    fn an_offset_is_a_token() {
        assert!(page("offset=%2A").is_err());
        assert!(page(&format!("offset={}", URL_SAFE_NO_PAD.encode("x"))).is_ok());
    }
}
