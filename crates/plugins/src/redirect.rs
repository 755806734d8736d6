//! Redirects clients to another URL.

use http::{HeaderMap, HeaderValue, StatusCode, header::LOCATION};
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use plugin::{
    self, BuildContext, BuildError, ConfigChange, Ctx, Effect, Gate, Hook, HookResult, LocalReply,
    LocalReplyBody, Phases, PluginTraits, Request, Risks,
};
use router::normalize;

/// Characters that are percent-encoded in the path and the query of a URL.
const PATH_ENCODE_SET: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'}');
const QUERY_ENCODE_SET: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'\'');

/// Redirects requests to another URL, without contacting the upstream.
///
/// With `keep_incoming_path`, the path and query of the request replace those of `location`. The path is normalised,
/// and the default port of the scheme is omitted. Authentication plugins run first.
///
/// ```yaml
/// plugins:
/// - name: redirect
///   config:
///     location: https://new.example.com
///     status_code: 308
///     keep_incoming_path: true
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Status code of the response.
    #[serde(default = "default_status_code")]
    #[schemars(range(min = 100, max = 599))]
    pub status_code: u16,
    /// URL to redirect to.
    #[schemars(extend("x-rule" = "url"))]
    pub location: String,
    /// Whether the path and query of the request are used instead of those of `location`.
    #[serde(default = "default_keep_incoming_path")]
    pub keep_incoming_path: Option<bool>,
}

fn default_status_code() -> u16 {
    301
}

#[allow(clippy::unnecessary_wraps)] // serde requires the type of the field
fn default_keep_incoming_path() -> Option<bool> {
    Some(false)
}

/// The plugin `redirect`.
pub struct Plugin {
    status: StatusCode,
    location: Location,
}

enum Location {
    Fixed(HeaderValue),
    /// The path and query of the request, between this origin and this fragment.
    Incoming {
        origin: String,
        fragment: String,
    },
}

impl plugin::Plugin for Plugin {
    const NAME: &'static str = "redirect";
    const PRIORITY: i32 = 779;
    const PHASES: Phases<Self> = Phases { access: Hook::Sync(Self::access), ..Phases::NONE };
    const TRAITS: PluginTraits = PluginTraits { responds: true, ..PluginTraits::NONE };
    type Config = Config;

    fn compare(change: ConfigChange<'_, Config>, risks: &mut Risks) {
        if let (None, Some(new)) = (change.old, change.new) {
            risks.medium(format!("requests redirected: {} answers {}", Self::NAME, new.status_code));
        }
    }

    fn facts(_: &Config) -> Option<Vec<Gate>> {
        Some(vec![Gate::always(Effect::Responds)])
    }

    fn build(config: Config, _: &mut BuildContext<'_>) -> Result<Self, BuildError> {
        let location = match config.keep_incoming_path {
            Some(true) => {
                let (url, fragment) = config.location.split_once('#').unwrap_or((&config.location, ""));
                let fragment = if fragment.is_empty() { String::new() } else { format!("#{fragment}") };
                Location::Incoming { origin: origin(url)?, fragment }
            }
            _ => Location::Fixed(header_value(&config.location)?),
        };
        let status = StatusCode::from_u16(config.status_code)
            .map_err(|_| BuildError::at("/status_code", "value should be between 100 and 599"))?;
        Ok(Plugin { status, location })
    }
}

fn header_value(location: &str) -> Result<HeaderValue, BuildError> {
    HeaderValue::from_str(location).map_err(|e| BuildError::at("/location", e.to_string()))
}

/// Returns scheme and authority of a URL, with the host in lower case and without the default port.
fn origin(url: &str) -> Result<String, BuildError> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(BuildError::at("/location", "missing scheme in url"));
    };
    let scheme = scheme.to_ascii_lowercase();
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (format!("{user}@"), host),
        None => (String::new(), authority),
    };
    let host = host.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "http" | "ws" => ":80",
        "https" | "wss" => ":443",
        _ => ":",
    };
    let host = host.strip_suffix(default_port).unwrap_or(&host);
    let origin = format!("{scheme}://{user}{host}");
    header_value(&origin).map(|_| origin)
}

impl Plugin {
    fn access(&self, ctx: Ctx<'_>) -> HookResult {
        let location = match &self.location {
            Location::Fixed(location) => location.clone(),
            Location::Incoming { origin, fragment } => {
                incoming_location(&ctx.exchange.request, origin, fragment)
            }
        };
        let headers = HeaderMap::from_iter([(LOCATION, location)]);
        let body = LocalReplyBody::Bytes("redirecting".into());
        Err(LocalReply { status: self.status, headers, body }.into())
    }
}

fn incoming_location(request: &Request, origin: &str, fragment: &str) -> HeaderValue {
    let mut url = origin.to_owned();
    url.extend(percent_encode(&normalize(request.path()), PATH_ENCODE_SET));
    if let Some(query) = request.query().filter(|query| !query.is_empty()) {
        url.push('?');
        url.extend(percent_encode(query.as_bytes(), QUERY_ENCODE_SET));
    }
    url.push_str(fragment);
    // After encoding, the URL consists of visible ASCII.
    HeaderValue::try_from(url).unwrap_or(HeaderValue::from_static("/"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use model::State;
    use plugin::testing::{PluginHarness, request};

    fn redirect(config: Value, target: &str) -> (u16, String) {
        let harness = PluginHarness::new::<Plugin>(config, State::default()).expect("settings are valid");
        let reply = harness.reply(&mut request("GET", target, &[], ""));
        assert!(matches!(reply.body, LocalReplyBody::Bytes(body) if body == "redirecting"));
        (reply.status.as_u16(), reply.headers[LOCATION].to_str().expect("text").to_owned())
    }

    #[test]
    fn the_location_is_sent_unmodified() {
        for (status, location) in
            [(301, "http://Example.TEST:80"), (302, "https://example.test/path?foo=bar#x")]
        {
            let config = json!({"location": location, "status_code": status});
            assert_eq!(redirect(config, "/p?q"), (status, location.to_owned()));
        }
    }

    #[test]
    fn path_and_query_of_the_request_replace_those_of_the_location() {
        let cases = [
            ("https://example.test/some?x=y", "/a/b", "https://example.test/a/b"),
            ("https://example.test/some?x=y#top", "/a/b?c=d", "https://example.test/a/b?c=d#top"),
            ("http://example.test:8080", "/p", "http://example.test:8080/p"),
            ("HTTP://me@Example.TEST:80/x", "/a/../b%20c?", "http://me@example.test/b%20c"),
            ("https://[::1]:443", "/ü/%C3%BC?q='a'", "https://[::1]/%C3%BC/%C3%BC?q=%27a%27"),
            ("https://example.test", "//other.test/x", "https://example.test/other.test/x"),
        ];
        for (location, target, expected) in cases {
            let config = json!({"location": location, "keep_incoming_path": true});
            let target = target.replace('ü', "%C3%BC");
            assert_eq!(redirect(config, &target), (301, expected.to_owned()), "{location} {target}");
        }
    }
}
