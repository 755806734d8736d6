//! Lists in pages, and filters by tag.
//!
//! Entities are listed in the order of their ids, and the token of a page names the last id before it: so a walk
//! through the pages stays whole when the configuration changes on the way.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{
    answer::{Answer, Failure},
    body::Fields,
};

/// Entries on a page where the request does not say.
const DEFAULT_SIZE: usize = 100;
/// Most entries on a page.
const MAX_SIZE: usize = 1000;
/// Most tags in a filter.
const MAX_TAGS: usize = 5;

/// What does not stay as it is in a link.
pub const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Which part of a list is asked for.
#[derive(Debug)]
pub struct Page {
    size: usize,
    after: Option<String>,
    tags: Option<Tags>,
    /// Size and filter as they were given, for the link to the next page.
    repeat: String,
}

/// A filter by tag.
#[derive(Debug, PartialEq, Eq)]
struct Tags {
    names: Vec<String>,
    /// Whether all must be there, or any.
    all: bool,
}

impl Page {
    /// The page that a query asks for; `tagged` says whether filters by tag mean anything here.
    ///
    /// # Errors
    /// With the answer for a query that makes no sense.
    pub fn new(query: &Fields, tagged: bool) -> Result<Self, Answer> {
        let mut repeat = String::new();
        let tags = match query.get("tags").filter(|_| tagged) {
            Some(text) => {
                repeat.push_str(&format!("&tags={}", utf8_percent_encode(text, ESCAPED)));
                Some(Tags::parse(text).map_err(|why| {
                    let message = format!("invalid option (tags: {why})");
                    let details = ("options", json!({ "tags": why }));
                    Answer::failure(Failure::InvalidOptions, message.into(), Some(details))
                })?)
            }
            None => None,
        };
        let size = match query.get("size") {
            Some(text) => {
                repeat.push_str(&format!("&size={}", utf8_percent_encode(text, ESCAPED)));
                size(text).map_err(|message| Answer::failure(Failure::InvalidSize, message.into(), None))?
            }
            None => DEFAULT_SIZE,
        };
        let after = match query.get("offset") {
            Some(token) => Some(untoken(token).ok_or_else(|| {
                let message = format!("'{token}' is not a valid offset: bad base64 encoding");
                Answer::failure(Failure::InvalidOffset, message.into(), None)
            })?),
            None => None,
        };
        Ok(Page { size, after, tags, repeat })
    }

    /// Without size and filter in the link to the next page.
    pub fn forgetful(self) -> Self {
        Page { repeat: String::new(), ..self }
    }

    /// Whether something with these tags is asked for.
    pub fn wants(&self, tags: &[String]) -> bool {
        self.tags.as_ref().is_none_or(|filter| {
            let has = |name: &String| tags.contains(name);
            if filter.all { filter.names.iter().all(has) } else { filter.names.iter().any(has) }
        })
    }

    /// The answer for a list: `keys` are what entries are ordered by and told apart, `show` makes an entry of
    /// what stands with it, `path` is that of the list.
    pub fn answer<T>(
        &self,
        mut keys: Vec<(String, T)>,
        show: impl Fn(T) -> Value,
        path: &str,
        more: &[(&str, Value)],
    ) -> Answer {
        keys.sort_by(|(a, _), (b, _)| a.cmp(b));
        let begin = self.after.as_ref().map_or(0, |after| keys.partition_point(|(key, _)| key <= after));
        let mut data = Vec::new();
        let mut last = None;
        for (key, entry) in keys.into_iter().skip(begin).take(self.size) {
            data.push(show(entry));
            last = Some(key);
        }
        let mut body = json!({});
        // A full page may be the last one: the next is empty then, as Kong's is.
        let token = last.filter(|_| data.len() == self.size).map(|key| URL_SAFE_NO_PAD.encode(key));
        body["data"] = data.into();
        body["next"] = Value::Null;
        if let Some(token) = token {
            body["next"] = format!("{path}?offset={token}{}", self.repeat).into();
            body["offset"] = token.into();
        }
        for (key, value) in more {
            body[*key] = value.clone();
        }
        Answer::ok(&body)
    }
}

fn size(text: &str) -> Result<usize, &'static str> {
    let number: f64 = text.trim().parse().map_err(|_| "size must be a number")?;
    let fits = number.fract() == 0.0 && (1.0..=MAX_SIZE as f64).contains(&number);
    if fits { Ok(number as usize) } else { Err("size must be an integer between 1 and 1000") }
}

fn untoken(token: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(token.trim_end_matches('=')).ok()?;
    String::from_utf8(bytes).ok()
}

impl Tags {
    /// `a,b`: all of them; `a/b`: any of them.
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

    fn page(query: &str) -> Result<Page, Answer> {
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
