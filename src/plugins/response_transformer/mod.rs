//! `response-transformer`: changes an answer before the client gets it.
//!
//! Here is which answers are changed, and how a body is held until it is whole; the settings are in
//! [`config`], header rules in [`headers`], rules for JSON in [`json`].

mod config;
mod headers;
mod json;
#[cfg(test)]
mod tests;

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};

use self::config::Config;
use crate::plugin::{self, Build, BuildError, Call, Chunk, Phases};

/// Bytes of an answer that are held for rules.
const MAX_BODY: usize = 64 << 20;

/// The plugin `response-transformer`.
#[derive(Debug)]
pub struct Plugin {
    headers: headers::Rules,
    json: json::Rules,
    limit: usize,
}

/// What becomes of an answer's body.
#[derive(Debug, Default)]
enum Tail {
    /// It passes as it is.
    #[default]
    Pass,
    /// It is held until it is whole.
    Hold(BytesMut),
    /// It is too long, and goes no further.
    Cut,
}

impl plugin::Plugin for Plugin {
    const NAME: &'static str = "response-transformer";
    const PRIORITY: i32 = 800;
    const PHASES: Phases<Self> = Phases {
        header_filter: Some(Self::header_filter),
        body_filter: Some(Self::body_filter),
        ..Phases::NONE
    };
    type Config = Config;

    fn build(config: Config, _: &mut Build<'_>) -> Result<Self, BuildError> {
        Ok(Plugin { headers: headers::Rules::of(&config)?, json: json::Rules::of(&config), limit: MAX_BODY })
    }
}

impl Plugin {
    fn header_filter(&self, call: Call<'_>) {
        let headers = &mut call.exchange.response.headers;
        self.headers.apply(headers);
        if !self.json.is_empty() && is_json(headers) {
            headers.remove(CONTENT_LENGTH);
            *call.exchange.stash() = Tail::Hold(BytesMut::new());
        }
    }

    fn body_filter(&self, call: Call<'_>, chunk: &mut Chunk) {
        if self.json.is_empty() || call.exchange.stashed::<Tail>().is_none() {
            return;
        }
        let tail: &mut Tail = call.exchange.stash();
        match tail {
            Tail::Pass => {}
            Tail::Cut => chunk.data = Bytes::new(),
            Tail::Hold(held) if held.len() + chunk.data.len() > self.limit => {
                if self.json.hide() {
                    chunk.data = Bytes::new();
                    *tail = Tail::Cut;
                } else {
                    held.extend_from_slice(&chunk.data);
                    chunk.data = std::mem::take(held).freeze();
                    *tail = Tail::Pass;
                }
            }
            Tail::Hold(held) => {
                // An answer in one piece is not copied.
                let whole = if chunk.last && held.is_empty() {
                    std::mem::take(&mut chunk.data)
                } else {
                    held.extend_from_slice(&chunk.data);
                    chunk.data = Bytes::new();
                    if !chunk.last {
                        return;
                    }
                    std::mem::take(held).freeze()
                };
                chunk.data = self.json.apply(&whole).map_or(whole, Bytes::from);
            }
        }
    }
}

/// Whether an answer says that it is JSON: `application/json`, or a type that ends in `+json`.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(types)) = headers.get(CONTENT_TYPE).map(|value| value.to_str()) else { return false };
    types.split(',').any(|one| {
        let kind = one.split(';').next().unwrap_or_default().trim();
        let Some((application, subtype)) = kind.split_once('/') else { return false };
        let suffix = subtype.rsplit_once('+').map_or(subtype, |(_, suffix)| suffix);
        application.eq_ignore_ascii_case("application") && suffix.eq_ignore_ascii_case("json")
    })
}
