//! `response-transformer`: changes an answer before the client gets it.
//!
//! Here is which answers are changed, and how a body is held until it is whole; the settings are in
//! [`config`], header rules in [`headers`], rules for JSON in [`json`].

mod config;
mod headers;
mod json;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::{
    HeaderMap,
    header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RANGE},
};

use self::config::Config;
use super::shared::{header::is_content_encoded, json::Malformed};
use net::{BodyBuffer, BodyError, ConnectionBudget};
use plugin::{self, Build, BuildError, Call, Chunk, Hook, Outcome, Phases};

/// Bytes of a response that are held for rules.
const MAX_BODY: usize = 64 << 20;

/// The plugin `response-transformer`.
#[derive(Debug)]
pub struct Plugin {
    headers: headers::Rules,
    json: json::Rules,
    limit: usize,
}

/// How a response's body is treated.
#[derive(Debug, Default)]
enum Held {
    /// It passes as it is.
    #[default]
    No,
    /// It is held until it is whole.
    Yes(BodyBuffer),
    /// It is refused: nothing more of it passes.
    Refused,
}

/// What comes of a piece of a body that is held.
enum Step {
    /// More is needed.
    Hold(BodyBuffer),
    /// This passes.
    Pass(Bytes),
}

impl plugin::Plugin for Plugin {
    const NAME: &'static str = "response-transformer";
    const PRIORITY: i32 = 800;
    const PHASES: Phases<Self> = Phases {
        access: Hook::Sync(Self::access),
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
    /// Asks the upstream for a body that can be read: whole, and not compressed.
    fn access(&self, call: Call<'_>) -> Outcome {
        if self.json.hide() {
            let headers = &mut call.exchange.request.headers;
            for name in [ACCEPT_ENCODING, RANGE] {
                if headers.contains_key(&name) {
                    headers.remove(name);
                }
            }
        }
        Ok(())
    }

    fn header_filter(&self, call: Call<'_>) {
        let exchange = call.exchange;
        let headers = &mut exchange.response.headers;
        self.headers.apply(headers);
        if !self.json.is_empty() && is_json(headers) {
            headers.remove(CONTENT_LENGTH);
            exchange.response.waits_for_body |= self.json.hide();
            let buffer = BodyBuffer::new(&exchange.budget());
            *exchange.stash() = Held::Yes(buffer);
        }
    }

    fn body_filter(&self, call: Call<'_>, chunk: &mut Chunk) {
        let exchange = call.exchange;
        if self.json.is_empty() || exchange.stashed::<Held>().is_none() {
            return;
        }
        let buffer = match std::mem::take(exchange.stash::<Held>()) {
            Held::No => return,
            Held::Refused => {
                chunk.data = Bytes::new();
                *exchange.stash() = Held::Refused;
                return;
            }
            Held::Yes(buffer) => buffer,
        };
        let piece = std::mem::take(&mut chunk.data);
        let encoded = is_content_encoded(&exchange.response.headers);
        match self.step(buffer, piece, chunk.last, encoded, &exchange.budget()) {
            Ok(Step::Hold(buffer)) => *exchange.stash() = Held::Yes(buffer),
            Ok(Step::Pass(bytes)) => chunk.data = bytes,
            Err(error) => {
                *exchange.stash() = Held::Refused;
                exchange.response.refused = Some(error);
            }
        }
    }

    fn step(
        &self,
        mut buffer: BodyBuffer,
        piece: Bytes,
        last: bool,
        encoded: bool,
        budget: &ConnectionBudget,
    ) -> Result<Step, BodyError> {
        // What the rules cannot be applied to: it may hold what they take away.
        let unchanged = |bytes: Bytes, why: BodyError| {
            if self.json.hide() { Err(why) } else { Ok(Step::Pass(bytes)) }
        };
        if buffer.len() + piece.len() > self.limit {
            let whole = [&buffer.freeze()[..], &piece].concat();
            return unchanged(whole.into(), BodyError::TooLong { limit: self.limit });
        }
        if let Err((piece, exceeded)) = buffer.push(piece) {
            let whole = [&buffer.freeze()[..], &piece].concat();
            return unchanged(whole.into(), exceeded.into());
        }
        if encoded && !buffer.is_empty() {
            return unchanged(buffer.freeze(), BodyError::Unreadable("it is compressed"));
        }
        if !last {
            return Ok(Step::Hold(buffer));
        }
        let whole = buffer.freeze();
        if whole.is_empty() {
            return Ok(Step::Pass(whole));
        }
        let changed = match self.json.apply(&whole) {
            Ok(Some(changed)) => changed,
            Ok(None) => return Ok(Step::Pass(whole)),
            Err(Malformed) => return unchanged(whole, BodyError::Unreadable("it is not JSON")),
        };
        drop(whole);
        let mut out = BodyBuffer::new(budget);
        out.push(changed.into()).map_err(|(_, exceeded)| exceeded)?;
        Ok(Step::Pass(out.freeze()))
    }
}

/// Whether a response is JSON by its content type: `application/json`, or a type that ends in `+json`.
fn is_json(headers: &HeaderMap) -> bool {
    let values = headers.get_all(CONTENT_TYPE).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let is_json = |one: &str| {
        let kind = one.split(';').next().unwrap_or_default().trim();
        let Some((application, subtype)) = kind.split_once('/') else { return false };
        let suffix = subtype.rsplit_once('+').map_or(subtype, |(_, suffix)| suffix);
        application.eq_ignore_ascii_case("application") && suffix.eq_ignore_ascii_case("json")
    };
    values.into_iter().any(|types| types.split(',').any(is_json))
}
