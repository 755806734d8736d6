//! `response-transformer`: modifies responses before they are sent to the client.
//!
//! This module decides which responses are modified, and buffers their bodies. The configuration is in [`config`],
//! header rules are in [`headers`], rules for JSON in [`json`].
//!
//! ```text
//!  header_filter: JSON response and JSON rules?
//!       │ no                      │ yes
//!   PassThrough               Buffering ── last chunk ──> apply rules, emit the body
//!                                 │
//!                                 ├── too long, compressed, not JSON, no memory
//!                                 │      rules only add: emit the body unchanged
//!                                 └────  rules hide fields: Rejected (no byte of the body is sent)
//! ```

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
use plugin::{
    self, BodyFlow, BuildContext, BuildError, Chunk, Ctx, Effect, Gate, Hook, HookResult, Phases,
    PluginTraits,
};

/// Maximum length of a response body that is buffered. Bounds the memory of one response.
const MAX_BODY_BYTES: usize = 64 << 20;

/// The plugin `response-transformer`.
#[derive(Debug)]
pub struct Plugin {
    headers: headers::Rules,
    json: json::Rules,
    max_body_bytes: usize,
}

/// State of a response body.
#[derive(Debug, Default)]
enum BodyState {
    /// The body is not modified.
    #[default]
    PassThrough,
    /// The body is buffered until it is complete.
    Buffering(BodyBuffer),
    /// The body is rejected: its remaining chunks are dropped.
    Rejected,
}

/// Result of filtering a chunk of a buffered body.
enum Filtered {
    /// More chunks are needed.
    Buffer(BodyBuffer),
    /// These bytes are emitted.
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
    const TRAITS: PluginTraits = PluginTraits { transforms: true, changes_body: true, ..PluginTraits::NONE };
    type Config = Config;

    /// Every request passes; responses are opaque.
    fn facts(_: &Config) -> Option<Vec<Gate>> {
        let names = [ACCEPT_ENCODING, RANGE].into_iter();
        Some(names.map(|name| Gate::always(Effect::SetsRequestHeader { name, retains: true })).collect())
    }

    fn build(config: Config, _: &mut BuildContext<'_>) -> Result<Self, BuildError> {
        Ok(Plugin {
            headers: headers::Rules::of(&config)?,
            json: json::Rules::of(&config),
            max_body_bytes: MAX_BODY_BYTES,
        })
    }
}

impl Plugin {
    /// Requests a body that can be parsed from the upstream: complete, and not compressed.
    fn access(&self, ctx: Ctx<'_>) -> HookResult {
        if self.json.hides_fields() {
            let headers = &mut ctx.exchange.request.headers;
            for name in [ACCEPT_ENCODING, RANGE] {
                if headers.contains_key(&name) {
                    headers.remove(name);
                }
            }
        }
        Ok(())
    }

    fn header_filter(&self, ctx: Ctx<'_>) {
        let exchange = ctx.exchange;
        let headers = &mut exchange.response.headers;
        self.headers.apply(headers);
        if !self.json.is_empty() && is_json(headers) {
            headers.remove(CONTENT_LENGTH);
            exchange.response.holds_head_for_body |= self.json.hides_fields();
            let buffer = BodyBuffer::new(&exchange.body_budget());
            *exchange.extension_mut() = BodyState::Buffering(buffer);
        }
    }

    fn body_filter(&self, ctx: Ctx<'_>, chunk: &mut Chunk) -> BodyFlow {
        let exchange = ctx.exchange;
        if self.json.is_empty() || exchange.extension::<BodyState>().is_none() {
            return BodyFlow::Continue;
        }
        let buffer = match std::mem::take(exchange.extension_mut::<BodyState>()) {
            BodyState::PassThrough => return BodyFlow::Continue,
            BodyState::Rejected => {
                chunk.data = Bytes::new();
                *exchange.extension_mut() = BodyState::Rejected;
                return BodyFlow::Continue;
            }
            BodyState::Buffering(buffer) => buffer,
        };
        let data = std::mem::take(&mut chunk.data);
        let is_encoded = is_content_encoded(&exchange.response.headers);
        match self.filter(buffer, data, chunk.last, is_encoded, &exchange.body_budget()) {
            Ok(Filtered::Buffer(buffer)) => *exchange.extension_mut() = BodyState::Buffering(buffer),
            Ok(Filtered::Pass(bytes)) => chunk.data = bytes,
            Err(error) => {
                *exchange.extension_mut() = BodyState::Rejected;
                return BodyFlow::Abort(error);
            }
        }
        BodyFlow::Continue
    }

    fn filter(
        &self,
        mut buffer: BodyBuffer,
        data: Bytes,
        is_last: bool,
        is_encoded: bool,
        budget: &ConnectionBudget,
    ) -> Result<Filtered, BodyError> {
        // The rules cannot be applied. If they hide fields, the body may contain such a field.
        let unchanged = |bytes: Bytes, why: BodyError| {
            if self.json.hides_fields() { Err(why) } else { Ok(Filtered::Pass(bytes)) }
        };
        if buffer.len() + data.len() > self.max_body_bytes {
            let whole = [&buffer.freeze()[..], &data].concat();
            return unchanged(whole.into(), BodyError::TooLong { limit: self.max_body_bytes });
        }
        if let Err((data, exceeded)) = buffer.push(data) {
            let whole = [&buffer.freeze()[..], &data].concat();
            return unchanged(whole.into(), exceeded.into());
        }
        if is_encoded && !buffer.is_empty() {
            return unchanged(buffer.freeze(), BodyError::Unreadable("it is compressed"));
        }
        if !is_last {
            return Ok(Filtered::Buffer(buffer));
        }
        let whole = buffer.freeze();
        if whole.is_empty() {
            return Ok(Filtered::Pass(whole));
        }
        let changed = match self.json.apply(&whole) {
            Ok(Some(changed)) => changed,
            Ok(None) => return Ok(Filtered::Pass(whole)),
            Err(Malformed) => return unchanged(whole, BodyError::Unreadable("it is not JSON")),
        };
        drop(whole);
        let mut out = BodyBuffer::new(budget);
        out.push(changed.into()).map_err(|(_, exceeded)| exceeded)?;
        Ok(Filtered::Pass(out.freeze()))
    }
}

/// Returns whether the content type is JSON: `application/json`, or a type with the suffix `+json`.
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
