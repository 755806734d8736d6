//! A message's headers.

use std::{
    cell::OnceCell,
    ops::{Deref, DerefMut},
};

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{Fields, Known};

/// Headers. To whoever looks one up or changes one they are a [`HeaderMap`]; until then, those of an HTTP/1 head are
/// what stands there ([`Headers::fields`]), and making the map, a quarter of what a proxied request costs otherwise,
/// is spared.
#[derive(Debug, Default)]
pub struct Headers {
    /// Gone once something may have changed.
    fields: Option<Fields>,
    /// Apart, since most are never made.
    map: OnceCell<Box<HeaderMap>>,
}

impl Headers {
    /// As they stand in their head, if nobody has changed any.
    pub fn fields(&self) -> Option<&Fields> {
        self.fields.as_ref()
    }

    /// The same, to be kept.
    pub fn into_fields(self) -> Result<Fields, HeaderMap> {
        self.fields.ok_or_else(|| self.map.into_inner().map(|map| *map).unwrap_or_default())
    }

    /// As a map.
    pub fn into_map(mut self) -> HeaderMap {
        std::mem::take(&mut *self)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.fields.as_ref().map_or_else(|| self.map.get().is_none_or(|map| map.is_empty()), Fields::is_empty)
    }

    /// Whether there is such a one.
    pub fn has(&self, known: Known) -> bool {
        match &self.fields {
            Some(fields) => fields.has(&[known]),
            // In maps of usual size, comparing names costs less than a look-up.
            None => self.keys().any(|own| Some(own.as_str()) == known.name()),
        }
    }

    /// The values of one, in order.
    pub fn values_of(&self, known: Known) -> impl Iterator<Item = &[u8]> {
        let fields = self.fields.as_ref().map(|fields| fields.values(known));
        let map = match (&self.fields, known.name()) {
            (None, Some(name)) => Some(self.get_all(name).iter().map(HeaderValue::as_bytes)),
            _ => None,
        };
        fields.into_iter().flatten().chain(map.into_iter().flatten())
    }

    /// Takes these out, if they still stand in their head; whether they do.
    pub fn strip(&mut self, gone: impl Iterator<Item = Known>) -> bool {
        let Some(fields) = &mut self.fields else { return false };
        gone.for_each(|known| fields.remove(known));
        // It may have been made of all of them.
        self.map.take();
        true
    }

    /// The first Host, and whether there are more.
    pub fn host(&self) -> (Option<&[u8]>, bool) {
        match &self.fields {
            Some(fields) => first(fields.values(Known::Host)),
            None => first(self.get_all(header::HOST).iter().map(HeaderValue::as_bytes)),
        }
    }
}

fn first<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> (Option<&'a [u8]>, bool) {
    (values.next(), values.next().is_some())
}

impl Deref for Headers {
    type Target = HeaderMap;

    fn deref(&self) -> &HeaderMap {
        self.map.get_or_init(|| Box::new(self.fields.as_ref().map(Fields::to_map).unwrap_or_default()))
    }
}

impl DerefMut for Headers {
    fn deref_mut(&mut self) -> &mut HeaderMap {
        let _ = **self;
        self.fields = None;
        self.map.get_mut().expect("it was made just now")
    }
}

impl From<HeaderMap> for Headers {
    fn from(map: HeaderMap) -> Self {
        Headers { fields: None, map: OnceCell::from(Box::new(map)) }
    }
}

impl From<Fields> for Headers {
    fn from(fields: Fields) -> Self {
        Headers { fields: Some(fields), map: OnceCell::new() }
    }
}

impl<'a> IntoIterator for &'a Headers {
    type Item = (&'a HeaderName, &'a HeaderValue);
    type IntoIter = http::header::Iter<'a, HeaderValue>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
