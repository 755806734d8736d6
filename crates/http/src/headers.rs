//! The header section of a message, parsed into a map only when it is looked up or modified.

use std::{
    cell::OnceCell,
    ops::{Deref, DerefMut},
    ptr,
};

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use smallvec::SmallVec;

use super::{
    KnownHeader, RawFields,
    spelling::{HeaderSpelling, conventional_spelling, write_title_case},
};

/// Header fields of a message.
///
/// Dereferences to a [`HeaderMap`], which is built on first use. Until then the fields of an HTTP/1 head stay raw bytes
/// ([`Headers::fields`]): building the map would take a quarter of the CPU time of a proxied request.
///
/// A map preserves neither the case of names nor the order of fields. Both are stored beside it for
/// [`Headers::lines`].
#[derive(Clone, Debug, Default)]
pub struct Headers {
    /// Fields of the HTTP/1 head that was received, if any.
    received: Option<RawFields>,
    /// Boxed: most maps are never built.
    map: OnceCell<Box<HeaderMap>>,
    /// Whether the map may differ from `received`.
    is_modified: bool,
    /// Whether names were received in lower case, as HTTP/2 requires.
    is_lower_case: bool,
    /// Names whose spelling the configuration sets. Boxed: headers are moved often, and few have any.
    #[allow(clippy::box_collection, reason = "a pointer is a third of the size")]
    spellings: Option<Box<Vec<HeaderSpelling>>>,
}

/// A header field as HTTP/1 serializes it.
#[derive(Clone, Copy, Debug)]
pub struct HeaderLine<'a> {
    /// Name.
    pub name: &'a HeaderName,
    /// Value.
    pub value: &'a HeaderValue,
    case: NameCase<'a>,
    /// Index of the received field that it represents. Added fields have 0 (before all) or `usize::MAX` (behind all).
    position: usize,
}

/// Case in which a name is written.
#[derive(Clone, Copy, Debug)]
enum NameCase<'a> {
    /// As in this text.
    Verbatim(&'a [u8]),
    /// `content-type`
    Lower,
    /// `Content-Type`
    Title,
}

impl HeaderLine<'_> {
    /// Appends the name in its spelling.
    pub fn write_name(&self, to: &mut Vec<u8>) {
        match self.case {
            NameCase::Verbatim(text) => to.extend_from_slice(text),
            NameCase::Lower => to.extend_from_slice(self.name.as_str().as_bytes()),
            NameCase::Title => write_title_case(self.name.as_str(), to),
        }
    }
}

impl Headers {
    /// Wraps the headers of an HTTP/2 message, whose names are in lower case.
    pub fn from_http2(map: HeaderMap) -> Self {
        Headers { is_lower_case: true, ..map.into() }
    }

    /// Returns the raw fields of the received head; `None` if the headers may have been modified.
    pub fn fields(&self) -> Option<&RawFields> {
        self.received.as_ref().filter(|_| !self.is_modified)
    }

    /// Converts the headers into a map.
    pub fn into_map(mut self) -> HeaderMap {
        std::mem::take(&mut *self)
    }

    /// Returns whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.fields().map_or_else(|| self.map.get().is_none_or(|map| map.is_empty()), RawFields::is_empty)
    }

    /// Returns whether a field is present.
    pub fn contains_known(&self, known: KnownHeader) -> bool {
        match self.fields() {
            Some(fields) => fields.contains_any(&[known]),
            // Comparing names costs less than a lookup in maps of typical size.
            None => self.keys().any(|name| Some(name.as_str()) == known.name()),
        }
    }

    /// Returns the values of a field, in order.
    pub fn known_values(&self, known: KnownHeader) -> impl Iterator<Item = &[u8]> {
        let fields = self.fields().map(|fields| fields.values(known));
        let map = match (&fields, known.name()) {
            (None, Some(name)) => Some(self.get_all(name).iter().map(HeaderValue::as_bytes)),
            _ => None,
        };
        fields.into_iter().flatten().chain(map.into_iter().flatten())
    }

    /// Removes fields from the raw head. Returns `false`, and removes nothing, if the headers are a map already.
    pub fn remove_known(&mut self, names: impl Iterator<Item = KnownHeader>) -> bool {
        if self.is_modified {
            return false;
        }
        let Some(fields) = &mut self.received else { return false };
        names.for_each(|known| fields.remove(known));
        // A map built before still contains the removed fields.
        self.map.take();
        true
    }

    /// Returns the first value of a field, by its name in lower case. Builds no map.
    pub fn first_value(&self, name: &str) -> Option<&[u8]> {
        match self.fields() {
            Some(fields) => fields.first_value(name),
            None => self.get(name).map(HeaderValue::as_bytes),
        }
    }

    /// Returns the first Host, and whether there are more.
    pub fn host(&self) -> (Option<&[u8]>, bool) {
        match self.fields() {
            Some(fields) => first(fields.values(KnownHeader::Host)),
            None => first(self.get_all(header::HOST).iter().map(HeaderValue::as_bytes)),
        }
    }

    /// Sets a header, replacing all fields of that name. A name that is present keeps its spelling.
    pub fn set(&mut self, name: &HeaderSpelling, value: HeaderValue) {
        if self.insert(&name.name, value).is_none() {
            self.set_spelling(name);
        }
    }

    /// Appends a header. A name that is present keeps its spelling.
    pub fn add(&mut self, name: &HeaderSpelling, value: HeaderValue) {
        if !self.append(&name.name, value) {
            self.set_spelling(name);
        }
    }

    /// Sets the spelling of a name.
    pub fn set_spelling(&mut self, name: &HeaderSpelling) {
        // Mark the headers as modified: the raw head may spell the name differently.
        let _ = &mut **self;
        let spellings = self.spellings.get_or_insert_default();
        match spellings.iter_mut().find(|known| known.name == name.name) {
            Some(known) => known.clone_from(name),
            None => spellings.push(name.clone()),
        }
    }

    /// Appends the headers of an upstream's response to these.
    #[must_use]
    pub fn append_upstream(mut self, upstream: Headers) -> Headers {
        match upstream.fields() {
            Some(fields) => fields.append_to(&mut self),
            None => upstream.iter().for_each(|(name, value)| {
                self.append(name, value.clone());
            }),
        }
        self.received = upstream.received;
        self.is_lower_case = upstream.is_lower_case;
        self
    }

    /// Returns the field lines that HTTP/1 writes.
    ///
    /// A name is spelled as the configuration sets it, else as it was received, else as Kong spells it. Received fields
    /// keep their order. Added fields are written behind them, or before them if they were set before
    /// ([`Headers::append_upstream`]).
    pub fn lines(&self) -> SmallVec<[HeaderLine<'_>; 16]> {
        let mut lines = SmallVec::<[HeaderLine<'_>; 16]>::new();
        // `next`: index behind the last received field found; `added_position`: where a field that was not received goes.
        let (mut next, mut added_position) = (0, 0);
        let mut entries = self.iter().peekable();
        while let Some((name, value)) = entries.next() {
            // A map yields the values of a name in sequence, all with the same key.
            let previous = lines.last().filter(|previous| ptr::eq(previous.name, name)).copied();
            let has_more = entries.peek().is_some_and(|(following, _)| ptr::eq(*following, name));
            let found = self.received.as_ref().and_then(|fields| match (&previous, has_more) {
                (Some(_), _) => fields.find_name(name, next..fields.len()),
                (None, true) => fields.find_name(name, 0..fields.len()),
                // Most fields directly follow the previous one, so the first comparison finds them.
                (None, false) => {
                    fields.find_name(name, next..fields.len()).or_else(|| fields.find_name(name, 0..next))
                }
            });
            let position = match (found, &previous) {
                (Some((at, _)), _) => {
                    (next, added_position) = (at + 1, usize::MAX);
                    at
                }
                (None, Some(previous)) => previous.position,
                (None, None) => added_position,
            };
            let configured =
                self.spellings.iter().flat_map(|all| all.iter()).find(|known| known.name == *name);
            let case = match (configured, found, previous) {
                (Some(known), ..) => NameCase::Verbatim(&known.text),
                (_, Some((_, text)), _) => NameCase::Verbatim(text),
                (.., Some(previous)) => previous.case,
                _ => match conventional_spelling(name.as_str()) {
                    Some(text) => NameCase::Verbatim(text.as_bytes()),
                    None if self.is_lower_case => NameCase::Lower,
                    None => NameCase::Title,
                },
            };
            lines.push(HeaderLine { name, value, case, position });
        }
        if self.received.is_some() {
            lines.sort_by_key(|line| line.position);
        }
        lines
    }
}

/// Returns the first value, and whether there are more.
fn first<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> (Option<&'a [u8]>, bool) {
    (values.next(), values.next().is_some())
}

impl Deref for Headers {
    type Target = HeaderMap;

    fn deref(&self) -> &HeaderMap {
        self.map.get_or_init(|| Box::new(self.received.as_ref().map(RawFields::to_map).unwrap_or_default()))
    }
}

impl DerefMut for Headers {
    fn deref_mut(&mut self) -> &mut HeaderMap {
        let _ = **self;
        self.is_modified = true;
        self.map.get_mut().expect("the line above builds the map")
    }
}

impl From<HeaderMap> for Headers {
    fn from(map: HeaderMap) -> Self {
        Headers { map: OnceCell::from(Box::new(map)), ..Headers::default() }
    }
}

impl From<RawFields> for Headers {
    fn from(fields: RawFields) -> Self {
        Headers { received: Some(fields), ..Headers::default() }
    }
}

impl<'a> IntoIterator for &'a Headers {
    type Item = (&'a HeaderName, &'a HeaderValue);
    type IntoIter = http::header::Iter<'a, HeaderValue>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Source of a header map, which may be built on first access.
pub trait HeaderSource: fmt::Debug {
    /// Returns the map.
    fn map(&self) -> &HeaderMap;
}

impl HeaderSource for HeaderMap {
    fn map(&self) -> &HeaderMap {
        self
    }
}

impl HeaderSource for Headers {
    fn map(&self) -> &HeaderMap {
        self
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::HeadBytes;

    /// Headers of a received head, not yet parsed into a map.
    fn received(lines: &[&str]) -> Headers {
        let (mut text, mut fields) = (String::new(), RawFields::default());
        for line in lines {
            let (name, _) = line.split_once(": ").expect("a name and a value");
            let begin = text.len();
            text += &format!("{line}\r\n");
            let at = |at: usize| (begin + at) as u32;
            let value = (at(name.len() + 2), at(line.len()));
            fields.push((at(0), at(name.len())), value, KnownHeader::from_name(name.as_bytes()));
        }
        fields.complete(HeadBytes::new(Bytes::from(text)));
        fields.into()
    }

    fn rendered(headers: &Headers) -> Vec<String> {
        let lines = headers.lines();
        let text = lines.iter().map(|line| {
            let mut text = Vec::new();
            line.write_name(&mut text);
            format!("{}: {}", String::from_utf8(text).expect("ASCII"), line.value.to_str().expect("text"))
        });
        text.collect()
    }

    fn value(text: &'static str) -> HeaderValue {
        HeaderValue::from_static(text)
    }

    fn spelling(text: &str) -> HeaderSpelling {
        HeaderSpelling::new(text).expect("a name")
    }

    const SENT: [&str; 6] = ["SOAPAction: x", "aCCept: a", "X_y: 1", "ACCEPT: b", "ETag: e", "Accept: c"];

    #[test]
    fn modification_preserves_case_and_order() {
        let mut headers = received(&SENT);
        assert!(headers.fields().is_some());
        headers.insert("new", value("1"));
        assert!(headers.fields().is_none());
        let mut expected = SENT.map(String::from).to_vec();
        expected.push("New: 1".to_owned());
        assert_eq!(rendered(&headers), expected);
        headers.remove("soapaction");
        headers.insert("etag", value("f"));
        headers.remove("new");
        assert_eq!(rendered(&headers), ["aCCept: a", "X_y: 1", "ACCEPT: b", "ETag: f", "Accept: c"]);
        // A single value that replaces several takes the position of one of them; surplus values follow the last one.
        headers.insert("accept", value("d"));
        assert_eq!(rendered(&headers), ["X_y: 1", "ETag: f", "Accept: d"]);
        for text in ["e", "f", "g"] {
            headers.append("accept", value(text));
        }
        assert_eq!(
            rendered(&headers),
            ["aCCept: d", "X_y: 1", "ACCEPT: e", "ETag: f", "Accept: f", "Accept: g"]
        );
    }

    proptest! {
        #[test]
        fn lines_have_the_fields_of_the_map_in_received_order(
            sent in proptest::collection::vec("[aA][bB]?: [0-9]", 0..8),
            changes in proptest::collection::vec((0..4_u8, "[a-c][bB]?"), 0..6),
        ) {
            let sent: Vec<&str> = sent.iter().map(String::as_str).collect();
            let mut headers = received(&sent);
            for (kind, name) in &changes {
                let name = spelling(name);
                match kind {
                    0 => drop(headers.remove(&name.name)),
                    1 => headers.set(&name, value("x")),
                    2 => headers.add(&name, value("y")),
                    _ => headers.set_spelling(&name),
                }
            }
            let lines = headers.lines();
            prop_assert_eq!(lines.len(), headers.len());
            for name in headers.keys() {
                let values: Vec<_> = lines.iter().filter(|line| line.name == name).map(|line| line.value).collect();
                prop_assert_eq!(values, headers.get_all(name).iter().collect::<Vec<_>>());
            }
            let rendered = rendered(&headers);
            for (line, text) in lines.iter().zip(&rendered) {
                let (name, _) = text.split_once(": ").expect("a name");
                prop_assert_eq!(name.to_ascii_lowercase(), line.name.as_str());
            }
            if changes.is_empty() {
                prop_assert_eq!(rendered, sent);
            }
        }
    }

    #[test]
    fn added_names_are_spelled_as_configured_or_as_kong_spells_them() {
        let mut headers = received(&["host: a"]);
        headers.insert("x-consumer-id", value("1"));
        headers.set(&spelling("X-My-HEADER"), value("2"));
        headers.add(&spelling("x-MY-header"), value("3"));
        headers.add(&spelling("HOST"), value("b"));
        headers.append("x-other", value("4"));
        assert_eq!(
            rendered(&headers),
            ["host: a", "host: b", "X-Consumer-ID: 1", "X-My-HEADER: 2", "X-My-HEADER: 3", "X-Other: 4"]
        );
        headers.set_spelling(&spelling("X-OTHER"));
        headers.set_spelling(&spelling("Host"));
        assert_eq!(rendered(&headers)[5], "X-OTHER: 4");
        assert_eq!(rendered(&headers)[0], "Host: a");
    }

    #[test]
    fn names_of_http2_stay_in_lower_case() {
        let mut headers = Headers::from_http2(HeaderMap::from_iter([(header::ACCEPT, value("a"))]));
        headers.insert("x-consumer-username", value("b"));
        headers.set(&spelling("X-My"), value("c"));
        assert_eq!(rendered(&headers), ["accept: a", "X-Consumer-Username: b", "X-My: c"]);
    }

    #[test]
    fn headers_set_by_plugins_precede_those_of_the_upstream() {
        let mut before = Headers::default();
        before.insert("ratelimit-limit", value("1"));
        before.append("vary", value("a"));
        let headers = before.append_upstream(received(&["DATE: x", "VARY: b", "x-b: 2"]));
        assert_eq!(rendered(&headers), ["RateLimit-Limit: 1", "DATE: x", "VARY: a", "VARY: b", "x-b: 2"]);
    }

    #[test]
    fn stripped_fields_are_not_in_the_map() {
        let mut headers = received(&["Connection: close", "A: b"]);
        assert!(headers.remove_known([KnownHeader::Connection].into_iter()));
        headers.insert("c", value("d"));
        assert_eq!(rendered(&headers), ["A: b", "C: d"]);
        assert!(!headers.remove_known([KnownHeader::Connection].into_iter()));
    }
}
