//! Cross-origin resource sharing (CORS): responses to preflight requests, and the headers with which browsers expose
//! a response to a page. Matching of origins is in `origin.rs`.

mod facts;
mod origin;
#[cfg(test)]
mod tests;

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
        ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
    },
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Number;

use self::origin::{AllowOrigin, Origins};
use super::shared::number;
use plugin::{
    self, BuildContext, BuildError, ConfigChange, Ctx, Gate, Hook, HookResult, LocalReply, Phases,
    PluginScopes, PluginTraits, Risks,
};

const REQUEST_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// Enables cross-origin resource sharing (CORS): responds to preflight requests, and adds the `Access-Control-…`
/// headers to all other responses, including those of the gateway itself.
///
/// A preflight request has the method OPTIONS and the headers `Origin` and `Access-Control-Request-Method`. The
/// response is 200 with an empty body. It is sent before authentication, so that preflight requests need no
/// credentials. With `preflight_continue`, preflight requests are forwarded to the upstream and its response is not
/// modified. A route that lists `methods` must include OPTIONS, otherwise it does not match preflight requests.
///
/// ```yaml
/// plugins:
/// - name: cors
///   config:
///     origins: [https://app.example.com, '.*\.example\.org']
///     headers: [Authorization, Content-Type]
///     credentials: true
///     max_age: 3600
/// ```
///
/// **Origins.** If `origins` is empty or contains `*`, all origins are allowed. `Access-Control-Allow-Origin` is then
/// `*`; with `credentials` it is the origin of the request, because browsers reject `*` with credentials. An entry
/// that consists of letters, digits and `.:/-` is compared with the origin of the request, ignoring the default port
/// of the scheme; if it is the only entry, it is sent regardless of the request's origin. Any other entry is a regular
/// expression that must match the whole origin or, if the expression has no `:`, the whole host name. If the response
/// depends on the origin, `Vary: Origin` is added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Allowed origins: literal origins, regular expressions, or `*`. If absent or empty, all origins are allowed.
    #[schemars(extend("items" = {"type": "string", "x-rule": "cors_origin"}))]
    pub origins: Option<Vec<String>>,
    /// Value of `Access-Control-Allow-Headers`. If absent or empty, the headers in `Access-Control-Request-Headers`
    /// are allowed.
    pub headers: Option<Vec<String>>,
    /// Value of `Access-Control-Expose-Headers`: response headers that pages may read.
    pub exposed_headers: Option<Vec<String>>,
    /// Value of `Access-Control-Allow-Methods`.
    pub methods: Option<Vec<AllowedMethod>>,
    /// Seconds for which a browser may cache the response to a preflight request: the value of `Access-Control-Max-Age`.
    pub max_age: Option<Number>,
    /// Whether `Access-Control-Allow-Credentials: true` is sent, so that requests may carry cookies and other
    /// credentials.
    pub credentials: bool,
    /// Whether `Access-Control-Allow-Private-Network: true` is sent, so that pages from public networks may access
    /// private ones.
    pub private_network: bool,
    /// Whether preflight requests are forwarded to the upstream.
    pub preflight_continue: bool,
    /// Whether the headers are also added to responses to requests without `Origin`.
    #[serde(skip_serializing_if = "is_true")] // Kong 3.9 does not have this field
    #[schemars(extend("default" = true))]
    pub allow_origin_absent: bool,
}

/// A method that can be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum AllowedMethod {
    Get,
    Head,
    Put,
    Patch,
    Post,
    Delete,
    Options,
    Trace,
    Connect,
}

impl AllowedMethod {
    const ALL: [(Self, &'static str); 9] = [
        (Self::Get, "GET"),
        (Self::Head, "HEAD"),
        (Self::Put, "PUT"),
        (Self::Patch, "PATCH"),
        (Self::Post, "POST"),
        (Self::Delete, "DELETE"),
        (Self::Options, "OPTIONS"),
        (Self::Trace, "TRACE"),
        (Self::Connect, "CONNECT"),
    ];
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_true(value: &bool) -> bool {
    *value
}

impl Default for Config {
    fn default() -> Self {
        Config {
            origins: None,
            headers: None,
            exposed_headers: None,
            methods: Some(AllowedMethod::ALL.map(|(method, _)| method).to_vec()),
            max_age: None,
            credentials: false,
            private_network: false,
            preflight_continue: false,
            allow_origin_absent: true,
        }
    }
}

/// The plugin `cors`.
pub struct Plugin {
    origins: Origins,
    headers: Option<HeaderValue>,
    exposed_headers: Option<HeaderValue>,
    methods: HeaderValue,
    max_age: Option<HeaderValue>,
    credentials: bool,
    private_network: bool,
    preflight_continue: bool,
    allow_origin_absent: bool,
}

/// Marks a preflight request, whose response the header filter must not modify.
#[derive(Default)]
struct PreflightHandled;

impl plugin::Plugin for Plugin {
    const NAME: &'static str = "cors";
    const PRIORITY: i32 = 2000;
    const PHASES: Phases<Self> =
        Phases { access: Hook::Sync(Self::access), header_filter: Some(Self::header_filter), ..Phases::NONE };
    const SCOPES: PluginScopes = PluginScopes::NO_CONSUMER;
    const TRAITS: PluginTraits = PluginTraits { responds: true, transforms: true, ..PluginTraits::NONE };
    type Config = Config;

    fn compare(change: ConfigChange<'_, Config>, risks: &mut Risks) {
        facts::compare(change, risks);
    }

    fn facts(config: &Config) -> Option<Vec<Gate>> {
        facts::gates(config)
    }

    fn build(config: Config, _: &mut BuildContext<'_>) -> Result<Self, BuildError> {
        let methods = config.methods.unwrap_or_else(|| AllowedMethod::ALL.map(|(method, _)| method).to_vec());
        let methods = methods.iter().filter_map(|m| AllowedMethod::ALL.iter().find(|(of, _)| of == m));
        let methods: Vec<&str> = methods.map(|(_, name)| *name).collect();
        Ok(Plugin {
            origins: Origins::new(config.origins.unwrap_or_default())?,
            headers: header_list(config.headers, "/headers")?,
            exposed_headers: header_list(config.exposed_headers, "/exposed_headers")?,
            methods: header_value(&methods.join(","), "/methods")?,
            max_age: match config.max_age.and_then(|seconds| seconds.as_f64()) {
                Some(seconds) => Some(header_value(&number::format(seconds), "/max_age")?),
                None => None,
            },
            credentials: config.credentials,
            private_network: config.private_network,
            preflight_continue: config.preflight_continue,
            allow_origin_absent: config.allow_origin_absent,
        })
    }
}

/// Joins a list to one header value; `None` if it is empty.
fn header_list(items: Option<Vec<String>>, pointer: &str) -> Result<Option<HeaderValue>, BuildError> {
    match items {
        Some(items) if !items.is_empty() => header_value(&items.join(","), pointer).map(Some),
        _ => Ok(None),
    }
}

fn header_value(text: &str, pointer: &str) -> Result<HeaderValue, BuildError> {
    HeaderValue::from_str(text).map_err(|e| BuildError::at(pointer, e.to_string()))
}

impl Plugin {
    /// Responds to preflight requests.
    fn access(&self, ctx: Ctx<'_>) -> HookResult {
        let request = &ctx.exchange.request;
        let origin = request_origin(&request.headers);
        if request.method != Method::OPTIONS
            || origin.is_none()
            || !request.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        {
            return Ok(());
        }
        if self.preflight_continue {
            ctx.exchange.extension_mut::<PreflightHandled>();
            return Ok(());
        }
        let mut reply = LocalReply::empty(StatusCode::OK);
        self.allow_origin(origin, &mut reply.headers);
        let requested = request.headers.get(ACCESS_CONTROL_REQUEST_HEADERS);
        if let Some(headers) = self.headers.as_ref().or(requested) {
            reply.headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, headers.clone());
        }
        reply.headers.insert(ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        if let Some(seconds) = &self.max_age {
            reply.headers.insert(ACCESS_CONTROL_MAX_AGE, seconds.clone());
        }
        let private = request.headers.get(REQUEST_PRIVATE_NETWORK);
        if self.private_network && private.is_some_and(|value| value == "true") {
            reply.headers.insert(ALLOW_PRIVATE_NETWORK, HeaderValue::from_static("true"));
        }
        ctx.exchange.extension_mut::<PreflightHandled>();
        Err(reply.into())
    }

    /// Adds the CORS headers to all other responses.
    fn header_filter(&self, ctx: Ctx<'_>) {
        let exchange = ctx.exchange;
        if exchange.extension::<PreflightHandled>().is_some() {
            return;
        }
        let origin = request_origin(&exchange.request.headers);
        if origin.is_none() && !self.allow_origin_absent {
            return;
        }
        let headers = &mut exchange.response.headers;
        self.allow_origin(origin, headers);
        if let Some(exposed) = &self.exposed_headers {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
        }
    }

    /// Sets the headers that state which origin is allowed, whether with credentials, and whether the response varies
    /// by origin.
    fn allow_origin(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        let mut vary = self.origins.vary();
        let mut credentials = self.credentials;
        let allowed = match self.origins.allowed(origin) {
            AllowOrigin::Any => match origin.filter(|_| self.credentials) {
                Some(origin) => {
                    vary = true;
                    Some(origin.clone())
                }
                None => {
                    credentials = false;
                    Some(HeaderValue::from_static("*"))
                }
            },
            AllowOrigin::Exact(origin) => Some(origin),
            AllowOrigin::Denied => None,
        };
        match allowed {
            Some(origin) => headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin),
            None => headers.remove(ACCESS_CONTROL_ALLOW_ORIGIN),
        };
        if credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if vary {
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
    }
}

/// Returns the origin of the request; an empty one is treated as absent.
fn request_origin(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(ORIGIN).filter(|origin| !origin.is_empty())
}
