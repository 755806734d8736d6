//! A message's headers.

use std::{
    cell::OnceCell,
    ops::{Deref, DerefMut},
    ptr,
};

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use smallvec::SmallVec;

use super::{
    Fields, Known,
    spelling::{Spelling, usual, write_title},
};

/// Headers. A caller that looks one up or changes one finds a [`HeaderMap`]. Until then, those of an HTTP/1 head are
/// what is written there ([`Headers::fields`]): making the map would be a quarter of what a proxied request costs.
///
/// A map knows neither the spelling of names nor the order of fields. Both are kept beside it, for
/// [`Headers::lines`].
#[derive(Clone, Debug, Default)]
pub struct Headers {
    /// As they arrived in a head of HTTP/1.
    arrived: Option<Fields>,
    /// Boxed, since most are never made.
    map: OnceCell<Box<HeaderMap>>,
    /// Whether the map may differ from what arrived.
    changed: bool,
    /// Whether names arrived in lower case, as HTTP/2 has them.
    lower: bool,
    /// Names that the configuration spells. Boxed, since headers are moved often and few have any.
    #[allow(clippy::box_collection, reason = "a pointer is a third of the size")]
    spelled: Option<Box<Vec<Spelling>>>,
}

/// A header as it is written in HTTP/1.
#[derive(Clone, Copy, Debug)]
pub struct HeaderLine<'a> {
    /// Name.
    pub name: &'a HeaderName,
    /// Value.
    pub value: &'a HeaderValue,
    spelled: Spelled<'a>,
    /// Which of the fields that arrived it stands for, or at which end of them.
    place: usize,
}

#[derive(Clone, Copy, Debug)]
enum Spelled<'a> {
    Text(&'a [u8]),
    Lower,
    Title,
}

impl HeaderLine<'_> {
    /// Writes the name in its spelling.
    pub fn write_name(&self, to: &mut Vec<u8>) {
        match self.spelled {
            Spelled::Text(text) => to.extend_from_slice(text),
            Spelled::Lower => to.extend_from_slice(self.name.as_str().as_bytes()),
            Spelled::Title => write_title(self.name.as_str(), to),
        }
    }
}

impl Headers {
    /// Those of a message of HTTP/2, whose names are in lower case.
    pub fn of_http2(map: HeaderMap) -> Self {
        Headers { lower: true, ..map.into() }
    }

    /// The fields as they arrived in their head; `None` if one may have changed.
    pub fn fields(&self) -> Option<&Fields> {
        self.arrived.as_ref().filter(|_| !self.changed)
    }

    /// As a map.
    pub fn into_map(mut self) -> HeaderMap {
        std::mem::take(&mut *self)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.fields().map_or_else(|| self.map.get().is_none_or(|map| map.is_empty()), Fields::is_empty)
    }

    /// Whether there is such a one.
    pub fn has(&self, known: Known) -> bool {
        match self.fields() {
            Some(fields) => fields.has(&[known]),
            // In maps of usual size, comparing names costs less than a look-up.
            None => self.keys().any(|own| Some(own.as_str()) == known.name()),
        }
    }

    /// The values of one, in order.
    pub fn values_of(&self, known: Known) -> impl Iterator<Item = &[u8]> {
        let fields = self.fields().map(|fields| fields.values(known));
        let map = match (&fields, known.name()) {
            (None, Some(name)) => Some(self.get_all(name).iter().map(HeaderValue::as_bytes)),
            _ => None,
        };
        fields.into_iter().flatten().chain(map.into_iter().flatten())
    }

    /// Removes these if no header has changed yet; returns whether none has.
    pub fn strip(&mut self, gone: impl Iterator<Item = Known>) -> bool {
        if self.changed {
            return false;
        }
        let Some(fields) = &mut self.arrived else { return false };
        gone.for_each(|known| fields.remove(known));
        // It may have been made of all of them.
        self.map.take();
        true
    }

    /// The first Host, and whether there are more.
    pub fn host(&self) -> (Option<&[u8]>, bool) {
        match self.fields() {
            Some(fields) => first(fields.values(Known::Host)),
            None => first(self.get_all(header::HOST).iter().map(HeaderValue::as_bytes)),
        }
    }

    /// Sets a header in place of all of its name. A name that is there keeps its spelling.
    pub fn set(&mut self, name: &Spelling, value: HeaderValue) {
        if self.insert(&name.name, value).is_none() {
            self.spell(name);
        }
    }

    /// Adds a header. A name that is there keeps its spelling.
    pub fn add(&mut self, name: &Spelling, value: HeaderValue) {
        if !self.append(&name.name, value) {
            self.spell(name);
        }
    }

    /// From now on, a name is spelled like this.
    pub fn spell(&mut self, name: &Spelling) {
        // What arrived is spelled otherwise, perhaps.
        let _ = &mut **self;
        let spelled = self.spelled.get_or_insert_default();
        match spelled.iter_mut().find(|known| known.name == name.name) {
            Some(known) => known.clone_from(name),
            None => spelled.push(name.clone()),
        }
    }

    /// These, followed by those of an upstream.
    #[must_use]
    pub fn followed_by(mut self, upstream: Headers) -> Headers {
        match upstream.fields() {
            Some(fields) => fields.append_to(&mut self),
            None => upstream.iter().for_each(|(name, value)| {
                self.append(name, value.clone());
            }),
        }
        self.arrived = upstream.arrived;
        self.lower = upstream.lower;
        self
    }

    /// The headers as HTTP/1 writes them. Names are spelled as they arrived, else as the configuration or Kong
    /// spells them. Fields that arrived keep their order. Others are written behind them, or before them if they were
    /// set before (see [`Headers::followed_by`]).
    pub fn lines(&self) -> SmallVec<[HeaderLine<'_>; 16]> {
        let mut lines = SmallVec::<[HeaderLine<'_>; 16]>::new();
        let (mut next, mut elsewhere) = (0, 0);
        let mut entries = self.iter().peekable();
        while let Some((name, value)) = entries.next() {
            // The values of a name follow each other in a map, under one and the same key.
            let before = lines.last().filter(|before| ptr::eq(before.name, name)).copied();
            let more = entries.peek().is_some_and(|(following, _)| ptr::eq(*following, name));
            let found = self.arrived.as_ref().and_then(|fields| match (&before, more) {
                (Some(_), _) => fields.spelled(name, next..fields.len()),
                (None, true) => fields.spelled(name, 0..fields.len()),
                // Most fields stand behind the one before, and are found at the first look.
                (None, false) => {
                    fields.spelled(name, next..fields.len()).or_else(|| fields.spelled(name, 0..next))
                }
            });
            let place = match (found, &before) {
                (Some((at, _)), _) => {
                    (next, elsewhere) = (at + 1, usize::MAX);
                    at
                }
                (None, Some(before)) => before.place,
                (None, None) => elsewhere,
            };
            let by_configuration =
                self.spelled.iter().flat_map(|all| all.iter()).find(|known| known.name == *name);
            let spelled = match (by_configuration, found, before) {
                (Some(known), ..) => Spelled::Text(&known.text),
                (_, Some((_, text)), _) => Spelled::Text(text),
                (.., Some(before)) => before.spelled,
                _ => match usual(name.as_str()) {
                    Some(text) => Spelled::Text(text.as_bytes()),
                    None if self.lower => Spelled::Lower,
                    None => Spelled::Title,
                },
            };
            lines.push(HeaderLine { name, value, spelled, place });
        }
        if self.arrived.is_some() {
            lines.sort_by_key(|line| line.place);
        }
        lines
    }
}

fn first<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> (Option<&'a [u8]>, bool) {
    (values.next(), values.next().is_some())
}

impl Deref for Headers {
    type Target = HeaderMap;

    fn deref(&self) -> &HeaderMap {
        self.map.get_or_init(|| Box::new(self.arrived.as_ref().map(Fields::to_map).unwrap_or_default()))
    }
}

impl DerefMut for Headers {
    fn deref_mut(&mut self) -> &mut HeaderMap {
        let _ = **self;
        self.changed = true;
        self.map.get_mut().expect("it was made just now")
    }
}

impl From<HeaderMap> for Headers {
    fn from(map: HeaderMap) -> Self {
        Headers { map: OnceCell::from(Box::new(map)), ..Headers::default() }
    }
}

impl From<Fields> for Headers {
    fn from(fields: Fields) -> Self {
        Headers { arrived: Some(fields), ..Headers::default() }
    }
}

impl<'a> IntoIterator for &'a Headers {
    type Item = (&'a HeaderName, &'a HeaderValue);
    type IntoIter = http::header::Iter<'a, HeaderValue>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Headers, which may be put into a map only when somebody looks at them.
pub trait HeaderSource: fmt::Debug {
    /// The map.
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
    use crate::RawHead;

    /// Headers of a head that no caller has looked at.
    fn arrived(lines: &[&str]) -> Headers {
        let (mut text, mut fields) = (String::new(), Fields::default());
        for line in lines {
            let (name, _) = line.split_once(": ").expect("a name and a value");
            let begin = text.len();
            text += &format!("{line}\r\n");
            let at = |at: usize| (begin + at) as u32;
            let value = (at(name.len() + 2), at(line.len()));
            fields.push((at(0), at(name.len())), value, Known::of(name.as_bytes()));
        }
        fields.complete(RawHead::new(Bytes::from(text)));
        fields.into()
    }

    fn written(headers: &Headers) -> Vec<String> {
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

    fn spelling(text: &str) -> Spelling {
        Spelling::new(text).expect("a name")
    }

    const SENT: [&str; 6] = ["SOAPAction: x", "aCCept: a", "X_y: 1", "ACCEPT: b", "ETag: e", "Accept: c"];

    #[test]
    fn names_and_order_stay_whatever_changes() {
        let mut headers = arrived(&SENT);
        assert!(headers.fields().is_some());
        headers.insert("new", value("1"));
        assert!(headers.fields().is_none());
        let mut expected = SENT.map(String::from).to_vec();
        expected.push("New: 1".to_owned());
        assert_eq!(written(&headers), expected);
        headers.remove("soapaction");
        headers.insert("etag", value("f"));
        headers.remove("new");
        assert_eq!(written(&headers), ["aCCept: a", "X_y: 1", "ACCEPT: b", "ETag: f", "Accept: c"]);
        // One value in place of several stands where one of them did, and more than there were at the last one.
        headers.insert("accept", value("d"));
        assert_eq!(written(&headers), ["X_y: 1", "ETag: f", "Accept: d"]);
        for text in ["e", "f", "g"] {
            headers.append("accept", value(text));
        }
        assert_eq!(
            written(&headers),
            ["aCCept: d", "X_y: 1", "ACCEPT: e", "ETag: f", "Accept: f", "Accept: g"]
        );
    }

    proptest! {
        #[test]
        fn lines_are_those_of_the_map_in_the_order_of_what_arrived(
            sent in proptest::collection::vec("[aA][bB]?: [0-9]", 0..8),
            changes in proptest::collection::vec((0..4_u8, "[a-c][bB]?"), 0..6),
        ) {
            let sent: Vec<&str> = sent.iter().map(String::as_str).collect();
            let mut headers = arrived(&sent);
            for (kind, name) in &changes {
                let name = spelling(name);
                match kind {
                    0 => drop(headers.remove(&name.name)),
                    1 => headers.set(&name, value("x")),
                    2 => headers.add(&name, value("y")),
                    _ => headers.spell(&name),
                }
            }
            let lines = headers.lines();
            prop_assert_eq!(lines.len(), headers.len());
            for name in headers.keys() {
                let values: Vec<_> = lines.iter().filter(|line| line.name == name).map(|line| line.value).collect();
                prop_assert_eq!(values, headers.get_all(name).iter().collect::<Vec<_>>());
            }
            let written = written(&headers);
            for (line, text) in lines.iter().zip(&written) {
                let (name, _) = text.split_once(": ").expect("a name");
                prop_assert_eq!(name.to_ascii_lowercase(), line.name.as_str());
            }
            if changes.is_empty() {
                prop_assert_eq!(written, sent);
            }
        }
    }

    #[test]
    fn names_that_are_added_are_spelled_as_kong_or_the_configuration_does() {
        let mut headers = arrived(&["host: a"]);
        headers.insert("x-consumer-id", value("1"));
        headers.set(&spelling("X-My-HEADER"), value("2"));
        headers.add(&spelling("x-MY-header"), value("3"));
        headers.add(&spelling("HOST"), value("b"));
        headers.append("x-other", value("4"));
        assert_eq!(
            written(&headers),
            ["host: a", "host: b", "X-Consumer-ID: 1", "X-My-HEADER: 2", "X-My-HEADER: 3", "X-Other: 4"]
        );
        headers.spell(&spelling("X-OTHER"));
        headers.spell(&spelling("Host"));
        assert_eq!(written(&headers)[5], "X-OTHER: 4");
        assert_eq!(written(&headers)[0], "Host: a");
    }

    #[test]
    fn what_http2_brings_stays_in_lower_case() {
        let mut headers = Headers::of_http2(HeaderMap::from_iter([(header::ACCEPT, value("a"))]));
        headers.insert("x-consumer-username", value("b"));
        headers.set(&spelling("X-My"), value("c"));
        assert_eq!(written(&headers), ["accept: a", "X-Consumer-Username: b", "X-My: c"]);
    }

    #[test]
    fn what_plugins_have_set_stands_before_what_an_upstream_sends() {
        let mut before = Headers::default();
        before.insert("ratelimit-limit", value("1"));
        before.append("vary", value("a"));
        let headers = before.followed_by(arrived(&["DATE: x", "VARY: b", "x-b: 2"]));
        assert_eq!(written(&headers), ["RateLimit-Limit: 1", "DATE: x", "VARY: a", "VARY: b", "x-b: 2"]);
    }

    #[test]
    fn what_was_stripped_does_not_come_back() {
        let mut headers = arrived(&["Connection: close", "A: b"]);
        assert!(headers.strip([Known::Connection].into_iter()));
        headers.insert("c", value("d"));
        assert_eq!(written(&headers), ["A: b", "C: d"]);
        assert!(!headers.strip([Known::Connection].into_iter()));
    }
}
