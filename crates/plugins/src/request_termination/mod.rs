//! Terminates requests with a configured response: a message, a body, or an echo of the request.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};
use http_codec::{
    authority,
    urlencoded::{self, Argument},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::shared::header::HeaderKey;
use plugin::{
    self, BuildContext, BuildError, ConfigChange, Ctx, Diagnostics, Effect, Exchange, Gate, Hook, HookFuture,
    HookResult, LocalReply, LocalReplyBody, Phases, PluginTraits, Request, Risks, facts::has_header,
};
use router::normalize;
use store::Node;

/// Maximum length of a request body that is echoed. Bounds the memory of one response.
const MAX_ECHO_BODY_BYTES: usize = 1024 * 1024;

/// Terminates requests with a configured response, without contacting the upstream. Use it to take a service or route
/// out of operation, or to debug requests.
///
/// ```yaml
/// plugins:
/// - name: request-termination
///   config:
///     status_code: 410
///     message: This API has moved to /v2
/// ```
///
/// **Response:** `body` with `content_type`, or JSON with `message`. If neither is set, the response to the statuses
/// 401, 404, 405, 500, 502 and 503 has a default message; some other error statuses have the gateway's error message
/// or an HTML page, as with Kong; all others (2xx, 418 and so on) have an empty body.
///
/// With `echo`, the response is a copy of the request in JSON: `message`, `kong` (node and process), `request`,
/// `matched_route` and `matched_service`. Bodies longer than 1 MiB are omitted. The copy contains everything the client
/// sent and the configuration of the route, so that in production `echo` should be combined with a secret `trigger`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Status code of the response.
    #[schemars(range(min = 100, max = 599))]
    pub status_code: u16,
    /// Message of the response, sent as JSON.
    pub message: Option<String>,
    /// Content type of `body`.
    pub content_type: Option<String>,
    /// Body of the response.
    pub body: Option<String>,
    /// Whether the response is a copy of the request.
    pub echo: bool,
    /// Name of a header or query argument. If set, only requests that have it are terminated.
    #[schemars(extend("x-rule" = "header_name"))]
    pub trigger: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Config { status_code: 503, message: None, content_type: None, body: None, echo: false, trigger: None }
    }
}

/// The plugin `request-termination`.
pub struct Plugin {
    trigger: Option<(HeaderKey, String)>,
    status: StatusCode,
    termination: Termination,
    node: Node,
}

/// Response with which requests are terminated.
enum Termination {
    Fixed { headers: HeaderMap, body: LocalReplyBody },
    Echo { message: Option<String> },
}

impl plugin::Plugin for Plugin {
    const NAME: &'static str = "request-termination";
    const PRIORITY: i32 = 2;
    const PHASES: Phases<Self> = Phases { access: Hook::Async(Self::access), ..Phases::NONE };
    const TRAITS: PluginTraits = PluginTraits { responds: true, ..PluginTraits::NONE };
    type Config = Config;

    fn compare(change: ConfigChange<'_, Config>, risks: &mut Risks) {
        let Some(new) = change.new else { return };
        let text = format!("requests terminated: {} answers {}", Self::NAME, new.status_code);
        match change.old {
            None => risks.high(text),
            Some(old) if old.status_code != new.status_code => risks.medium(text),
            Some(_) => {}
        }
    }

    fn facts(config: &Config) -> Option<Vec<Gate>> {
        let Some(trigger) = &config.trigger else { return Some(vec![Gate::always(Effect::Responds)]) };
        // Other names cannot be written in a condition: they may trigger all the same.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric();
        let may_respond = Gate::always(Effect::MayRespond);
        if !trigger.bytes().all(|byte| is_plain(byte) || byte == b'-') {
            return Some(vec![may_respond]);
        }
        let mut triggered = has_header(trigger);
        if trigger.bytes().all(is_plain) {
            triggered += &format!(" || http.queries.{trigger} contains \"\"");
        }
        // The condition looks at the first 100 arguments only.
        Some(vec![Gate::when(triggered, Effect::Responds)?, may_respond])
    }

    fn check(config: &Config, checks: &mut Diagnostics) {
        let is_set = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
        let (content_type, body) = (is_set(&config.content_type), is_set(&config.body));
        if is_set(&config.message) && (content_type || body) {
            checks.error("", "message cannot be used with content_type or body");
        } else if content_type && !body {
            checks.error("", "content_type requires a body");
        } else if config.echo && (content_type || body) {
            checks.error("", "echo cannot be used with content_type and body");
        }
    }

    fn build(config: Config, context: &mut BuildContext<'_>) -> Result<Self, BuildError> {
        let status = StatusCode::from_u16(config.status_code)
            .map_err(|_| BuildError::at("/status_code", "value should be between 100 and 599"))?;
        let message = config.message.or_else(|| default_message(config.status_code).map(str::to_owned));
        let termination = match (config.echo, config.body) {
            (true, _) => Termination::Echo { message },
            (false, Some(body)) => {
                let mut headers = HeaderMap::new();
                if let Some(content_type) = config.content_type {
                    let value = HeaderValue::try_from(content_type)
                        .map_err(|e| BuildError::at("/content_type", e.to_string()))?;
                    headers.insert(CONTENT_TYPE, value);
                }
                Termination::Fixed { headers, body: LocalReplyBody::Bytes(body.into()) }
            }
            (false, None) => match message {
                Some(text) => {
                    let body = LocalReplyBody::Json(json!({ "message": text }));
                    Termination::Fixed { headers: HeaderMap::new(), body }
                }
                None => default_termination(status),
            },
        };
        let trigger = match config.trigger {
            Some(name) => {
                let header = HeaderKey::new(&name).map_err(|e| BuildError::at("/trigger", e.to_string()))?;
                Some((header, name))
            }
            None => None,
        };
        Ok(Plugin { trigger, status, termination, node: context.stores.node.clone() })
    }
}

/// Returns the default message of a status, if it has one.
fn default_message(status: u16) -> Option<&'static str> {
    Some(match status {
        401 => "Unauthorized",
        404 => "Not found",
        405 => "Method not allowed",
        500 => "An unexpected error occurred",
        502 => "Bad Gateway",
        503 => "Service unavailable",
        _ => return None,
    })
}

/// Returns the response if neither `message` nor `body` is set: the gateway's error message or an HTML page for error
/// statuses, as nginx sends them under Kong, otherwise an empty body.
fn default_termination(status: StatusCode) -> Termination {
    let mut headers = HeaderMap::new();
    let body = match status.as_u16() {
        400 | 408 | 411..=414 | 417 | 504 => LocalReplyBody::Message(None),
        301..=303 | 307 | 308 | 402..=410 | 415 | 416 | 421 | 429 | 501 | 505 | 507 => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
            let page =
                format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\n");
            LocalReplyBody::Bytes(page.into())
        }
        _ => LocalReplyBody::Empty,
    };
    Termination::Fixed { headers, body }
}

impl Plugin {
    fn access<'a>(&'a self, ctx: Ctx<'a>) -> HookFuture<'a> {
        if !self.is_triggered(&ctx.exchange.request) {
            return HookFuture::Ready(Ok(()));
        }
        match &self.termination {
            Termination::Fixed { headers, body } => {
                let reply = LocalReply { status: self.status, headers: headers.clone(), body: body.clone() };
                HookFuture::Ready(Err(reply.into()))
            }
            Termination::Echo { message } => HookFuture::boxed(self.echo(message.as_deref(), ctx)),
        }
    }

    fn is_triggered(&self, request: &Request) -> bool {
        self.trigger.as_ref().is_none_or(|(header, argument)| {
            header.get(&request.headers).is_some()
                || request.query_args().any(|found| found.is(argument.as_bytes()))
        })
    }

    /// Responds with a copy of the request.
    async fn echo(&self, message: Option<&str>, ctx: Ctx<'_>) -> HookResult {
        let Ctx { exchange, state } = ctx;
        let body = exchange.request.read_body(MAX_ECHO_BODY_BYTES).await?;
        let mut copy = Map::new();
        if let Some(message) = message {
            copy.insert("message".to_owned(), message.into());
        }
        copy.insert(
            "kong".to_owned(),
            json!({
                "node_id": self.node.id,
                "worker_pid": std::process::id(),
                "hostname": &*self.node.hostname,
            }),
        );
        copy.insert("request".to_owned(), request_json(exchange, body));
        if let Some(route) = exchange.route() {
            copy.insert("matched_route".to_owned(), entity_json(&state.routes[route]));
        }
        if let Some(service) = exchange.service() {
            copy.insert("matched_service".to_owned(), entity_json(&state.services[service]));
        }
        Err(LocalReply::json(self.status, Value::Object(copy)).into())
    }
}

fn entity_json(row: &impl Serialize) -> Value {
    serde_json::to_value(row).unwrap_or_default()
}

/// Converts the request to JSON. Repeated headers and arguments become lists; an argument without `=` is `true`.
fn request_json(exchange: &Exchange, body: Bytes) -> Value {
    let request = &exchange.request;
    let (host, port) = host_and_port(exchange);
    let mut copy = json!({
        "scheme": exchange.scheme(),
        "host": host,
        "port": port,
        "method": request.method.as_str(),
        "path": String::from_utf8_lossy(&normalize(request.path())),
        "headers": group_by_name(request.headers.iter().map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into())
        })),
        "query": group_by_name(request.query_args().map(argument_json)),
        "uri_captures": captures_json(exchange),
    });
    if !body.is_empty() {
        if let Some(parsed) = parse_body(request, &body) {
            copy["body"] = parsed;
        }
        copy["raw_body"] = String::from_utf8_lossy(&body).into();
    }
    copy
}

fn host_and_port(exchange: &Exchange) -> (String, u16) {
    let request = &exchange.request;
    let host = request.header("host").or_else(|| request.uri.authority().map(|a| a.as_str())).unwrap_or("");
    let (name, port) = authority::split(host);
    let port = port.and_then(|port| port.parse().ok());
    (name.to_ascii_lowercase(), port.unwrap_or(exchange.client.local.port()))
}

/// Converts an argument to its name and value; one without `=` is `true`, as for Kong.
fn argument_json(argument: Argument<'_>) -> (String, Value) {
    (argument.name_text().into_owned(), argument.value_text().map_or(Value::Bool(true), |text| text.into()))
}

/// Groups values by name; several values of one name become a list.
fn group_by_name(pairs: impl Iterator<Item = (String, Value)>) -> Value {
    let mut groups: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (name, value) in pairs {
        groups.entry(name).or_default().push(value);
    }
    let single = |mut values: Vec<Value>| match values.len() {
        1 => values.remove(0),
        _ => Value::Array(values),
    };
    groups.into_iter().map(|(name, values)| (name, single(values))).collect::<Map<_, _>>().into()
}

/// Converts the captures of the route's path to JSON: `unnamed` by number, `named` by name.
fn captures_json(exchange: &Exchange) -> Value {
    let captures = exchange.route_match.iter().flat_map(|matched| &matched.captures);
    let (mut unnamed, mut named) = (BTreeMap::new(), Map::new());
    for (name, text) in captures {
        match name.parse::<usize>() {
            // Capture 0 is the whole match.
            Ok(0) => {}
            Ok(number) => {
                unnamed.insert(number, Value::from(&**text));
            }
            Err(_) => {
                named.insert(name.to_string(), Value::from(&**text));
            }
        }
    }
    json!({ "unnamed": unnamed.into_values().collect::<Vec<_>>(), "named": named })
}

/// Parses a body that is a form or JSON.
fn parse_body(request: &Request, body: &[u8]) -> Option<Value> {
    let content_type = request.header("content-type")?.to_ascii_lowercase();
    if content_type.starts_with("application/json") {
        return serde_json::from_slice(body)
            .ok()
            .filter(|value: &Value| value.is_object() || value.is_array());
    }
    content_type
        .starts_with("application/x-www-form-urlencoded")
        .then(|| group_by_name(urlencoded::arguments(body).map(argument_json)))
}

#[cfg(test)]
mod tests;
