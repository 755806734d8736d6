//! Rejects requests with a body that is too long.

use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Number;

use net::Body;
use plugin::{
    self, BuildContext, BuildError, ConfigChange, Ctx, Effect, Gate, Hook, HookFuture, HookResult,
    LocalReply, Phases, PluginTraits, Request, Risks,
};

/// Rejects requests with a body longer than a limit.
///
/// If the request has a `Content-Length`, it is compared with the limit and the body is not read. A body of unknown
/// length (chunked, or HTTP/2 without the header) is buffered in memory, up to the limit, before the request is sent
/// to the upstream. Use a low limit if such uploads are common.
///
/// ```yaml
/// plugins:
/// - name: request-size-limiting
///   config:
///     allowed_payload_size: 512
///     size_unit: kilobytes
/// ```
///
/// **Errors:** 413 `Request size limit exceeded`, or 417 if the client sent `Expect: 100-continue`; 411 `A valid
/// Content-Length header is required` with `require_content_length`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Maximum length of the request body, in `size_unit`.
    pub allowed_payload_size: Option<i64>,
    /// Unit of `allowed_payload_size`. A kilobyte is 1024 bytes, a megabyte 1024 kilobytes.
    pub size_unit: SizeUnit,
    /// Whether requests with neither `Content-Length` nor `Transfer-Encoding: chunked` are rejected, including those
    /// without a body.
    pub require_content_length: bool,
}

/// Unit of a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SizeUnit {
    Megabytes,
    Kilobytes,
    Bytes,
}

const DEFAULT_PAYLOAD_SIZE: i64 = 128;

impl Default for Config {
    fn default() -> Self {
        Config {
            allowed_payload_size: Some(DEFAULT_PAYLOAD_SIZE),
            size_unit: SizeUnit::Megabytes,
            require_content_length: false,
        }
    }
}

impl Config {
    /// Returns the maximum length in bytes; `None` if the size is negative.
    fn max_bytes(&self) -> Option<u64> {
        let unit = match self.size_unit {
            SizeUnit::Megabytes => 1024 * 1024,
            SizeUnit::Kilobytes => 1024,
            SizeUnit::Bytes => 1,
        };
        let size = u64::try_from(self.allowed_payload_size.unwrap_or(DEFAULT_PAYLOAD_SIZE)).ok()?;
        Some(size.saturating_mul(unit))
    }
}

/// The plugin `request-size-limiting`.
pub struct Plugin {
    /// Maximum length; `None` rejects every request, because the configured size is negative.
    max_bytes: Option<u64>,
    require_content_length: bool,
}

impl plugin::Plugin for Plugin {
    const NAME: &'static str = "request-size-limiting";
    const PRIORITY: i32 = 951;
    const PHASES: Phases<Self> = Phases { access: Hook::Async(Self::access), ..Phases::NONE };
    const TRAITS: PluginTraits = PluginTraits { limits: true, ..PluginTraits::NONE };
    type Config = Config;

    fn compare(change: ConfigChange<'_, Config>, risks: &mut Risks) {
        let name = format!("{}.allowed_payload_size", Self::NAME);
        let size = |config: Option<&Config>| config?.allowed_payload_size.map(Number::from);
        let (old, new) = (size(change.old), size(change.new));
        match (change.old, change.new) {
            (Some(_), None) => risks.high(format!("size limit lost: {} is removed", Self::NAME)),
            (None, Some(_)) => risks.limit_added(&name, new.as_ref()),
            _ => risks.limit(&name, old.as_ref(), new.as_ref()),
        }
    }

    fn facts(config: &Config) -> Option<Vec<Gate>> {
        let mut gates = Vec::new();
        match config.max_bytes() {
            Some(at_most_bytes) => gates.push(Gate::always(Effect::LimitsBody { at_most_bytes })),
            None => gates.push(Gate::always(Effect::Responds)),
        }
        if config.require_content_length {
            gates.push(Gate::always(Effect::MayRespond));
        }
        Some(gates)
    }

    fn build(config: Config, _: &mut BuildContext<'_>) -> Result<Self, BuildError> {
        Ok(Plugin { max_bytes: config.max_bytes(), require_content_length: config.require_content_length })
    }
}

impl Plugin {
    fn access<'a>(&'a self, ctx: Ctx<'a>) -> HookFuture<'a> {
        let request = &mut ctx.exchange.request;
        if let Some(length) =
            request.header(CONTENT_LENGTH.as_str()).and_then(|text| text.trim().parse().ok())
        {
            return HookFuture::Ready(self.check_length(length, &request.headers));
        }
        if self.require_content_length
            && request.headers.get(TRANSFER_ENCODING).is_none_or(|te| te != "chunked")
        {
            let message = "A valid Content-Length header is required";
            return HookFuture::Ready(Err(LocalReply::error(StatusCode::LENGTH_REQUIRED, message).into()));
        }
        match &request.body {
            Body::Empty => HookFuture::Ready(self.check_length(0, &request.headers)),
            Body::Buffered(bytes) => {
                HookFuture::Ready(self.check_length(bytes.len() as u64, &request.headers))
            }
            Body::Stream(_) | Body::Upload(_) => HookFuture::boxed(self.limit_body(request)),
        }
    }

    fn check_length(&self, length: u64, headers: &HeaderMap) -> HookResult {
        if self.max_bytes.is_some_and(|limit| length <= limit) {
            Ok(())
        } else {
            Err(too_long_reply(headers).into())
        }
    }

    /// Limits a body of unknown length.
    async fn limit_body(&self, request: &mut Request) -> HookResult {
        let too_long = too_long_reply(&request.headers);
        match self.max_bytes {
            Some(limit) => Ok(request.limit_body(limit, too_long).await?),
            None => Err(too_long.into()),
        }
    }
}

fn too_long_reply(headers: &HeaderMap) -> LocalReply {
    let expects = headers.get(EXPECT).and_then(|value| value.to_str().ok());
    let status = match expects.is_some_and(|text| text.trim().eq_ignore_ascii_case("100-continue")) {
        true => StatusCode::EXPECTATION_FAILED,
        false => StatusCode::PAYLOAD_TOO_LARGE,
    };
    LocalReply::error(status, "Request size limit exceeded")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use model::State;
    use net::BodyError;
    use plugin::{
        ShortCircuit,
        testing::{PluginHarness, request},
    };

    fn status(config: Value, headers: &[(&str, &str)], body: usize) -> u16 {
        let harness = PluginHarness::new::<Plugin>(config, State::default()).expect("settings are valid");
        let body = "x".repeat(body);
        match harness.access(&mut request("POST", "/", headers, &body)) {
            Ok(()) => 200,
            Err(ShortCircuit::Respond(reply)) => reply.status.as_u16(),
            Err(ShortCircuit::BodyError(BodyError::TooLong { .. })) => 413,
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn bodies_are_limited_by_length() {
        let bytes = |size: i64| json!({"allowed_payload_size": size, "size_unit": "bytes"});
        let length = |text: &'static str| ("Content-Length", text);
        let chunked = ("Transfer-Encoding", "chunked");
        let required =
            json!({"allowed_payload_size": 10, "size_unit": "bytes", "require_content_length": true});
        let cases: [(Value, &[(&str, &str)], usize, u16); 16] = [
            (bytes(100), &[length("100")], 100, 200),
            (bytes(100), &[length("101")], 101, 413),
            (bytes(100), &[chunked], 100, 200),
            (bytes(100), &[chunked], 101, 413),
            (bytes(100), &[length("101"), ("Expect", "100-Continue ")], 0, 417),
            (bytes(0), &[], 0, 200),
            (bytes(-1), &[], 0, 413),
            (json!({}), &[length("134217728")], 0, 200),
            (json!({}), &[length("134217729")], 0, 413),
            (json!({"allowed_payload_size": 1, "size_unit": "kilobytes"}), &[length("1024")], 0, 200),
            (json!({"allowed_payload_size": 1, "size_unit": "kilobytes"}), &[length("1025")], 0, 413),
            (required.clone(), &[], 0, 411),
            (required.clone(), &[length("5")], 5, 200),
            (required.clone(), &[chunked], 5, 200),
            (required.clone(), &[chunked], 50, 413),
            (required, &[length("50")], 50, 413),
        ];
        for (config, headers, body, expected) in cases {
            assert_eq!(status(config.clone(), headers, body), expected, "{config} {headers:?} {body}");
        }
    }
}
