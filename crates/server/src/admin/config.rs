//! `/config`: dumps the whole configuration, and applies another one.

use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, oneshot};

use super::{
    body::{Body, Fields, malformed},
    reply::Reply,
};
use crate::reload::{ApplyOutcome, ApplyRequest};
use config::{Input, kong_errors};
use model::{KindInfo, State};
use source::to_yaml;

/// `GET /config`: dumps a file that reproduces the configuration, including secrets.
pub fn get(state: &State) -> Reply {
    Reply::ok(&json!({ "config": to_yaml(&configuration_document(state)) }))
}

/// Renders all entities as flat lists with references as ids, with `_transform: false`: transformations are applied
/// already.
pub fn configuration_document(state: &State) -> Value {
    let mut document = json!({ "_format_version": "3.0", "_transform": false });
    let Value::Object(kinds) = kong_errors::by_kind(state.display()) else { return document };
    for (name, rows) in kinds {
        let foreign = KindInfo::of(&name).map_or(&[][..], |kind| kind.foreign);
        let Value::Object(rows) = rows else { continue };
        let flat = rows.into_iter().map(|(_, mut row)| {
            for field in foreign.iter().map(|f| f.field) {
                if let Some(id) = row.get(field).and_then(|reference| reference.get("id")).cloned() {
                    row[field] = id;
                }
            }
            row
        });
        document[name] = flat.collect();
    }
    document
}

/// Parameters of `POST /config`.
#[derive(Debug, PartialEq, Eq)]
struct ApplyParams {
    text: Vec<u8>,
    /// Whether errors are grouped by entity.
    flatten: bool,
    /// Whether a configuration with the hash of the running one is ignored.
    check_hash: bool,
}

/// Fields of a JSON body that are parsed before the configuration is.
#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "_format_version")]
    version: Option<serde::de::IgnoredAny>,
    config: Option<Value>,
    flatten_errors: Option<Value>,
    check_hash: Option<Value>,
}

/// `POST /config`: sends a configuration to the reloader and responds with the outcome.
pub async fn post(body: Body, query: &Fields, apply_requests: &mpsc::Sender<ApplyRequest>) -> Reply {
    let ApplyParams { text, flatten, check_hash } = match wanted(&body, query) {
        Ok(wanted) => wanted,
        Err(reply) => return reply,
    };
    drop(body);
    let input = Input::Text { name: super::status::POSTED.to_owned(), text };
    let (outcome_tx, outcome) = oneshot::channel();
    let exiting = || Reply::message(StatusCode::SERVICE_UNAVAILABLE, "Kong currently exiting");
    match apply_requests.try_send(ApplyRequest { input, check_hash, kong_strict: true, outcome_tx }) {
        Ok(()) => {}
        Err(mpsc::error::TrySendError::Full(_)) => {
            let busy = "Currently loading previous configuration";
            return Reply::message(StatusCode::TOO_MANY_REQUESTS, busy)
                .with(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        Err(mpsc::error::TrySendError::Closed(_)) => return exiting(),
    }
    let Ok(outcome) = outcome.await else { return exiting() };
    // Large configurations cause large responses: they are rendered off the thread that accepts connections.
    let reply = tokio::task::spawn_blocking(move || match outcome {
        ApplyOutcome::Applied(loaded) => Reply::json(StatusCode::CREATED, &kong_errors::entities(&loaded)),
        ApplyOutcome::Unchanged => Reply::empty(StatusCode::NOT_MODIFIED),
        ApplyOutcome::Refused(loaded) => {
            Reply::json(StatusCode::BAD_REQUEST, &kong_errors::rejected_body(&loaded, flatten))
        }
        ApplyOutcome::Unreadable(error) => {
            Reply::json(StatusCode::BAD_REQUEST, &json!({ "code": 14, "message": error.to_string() }))
        }
    });
    reply
        .await
        .unwrap_or_else(|_| Reply::message(StatusCode::INTERNAL_SERVER_ERROR, "An unexpected error occurred"))
}

fn wanted(body: &Body, query: &Fields) -> Result<ApplyParams, Reply> {
    let mut flatten = query.get("flatten_errors").is_some_and(truthy);
    let mut check_hash = query.get("check_hash") == Some("1");
    let mut text = None;
    if body.is_json() {
        let envelope: Envelope = serde_json::from_slice(&body.raw).map_err(|_| malformed())?;
        let flag = |value: &Value| match value {
            Value::String(text) => truthy(text),
            Value::Bool(flag) => *flag,
            other => *other == json!(1),
        };
        flatten |= envelope.flatten_errors.as_ref().is_some_and(flag);
        check_hash |= envelope.check_hash.as_ref().is_some_and(|v| matches!(plain(v).as_str(), "1"));
        let flags = envelope.flatten_errors.is_some() || envelope.check_hash.is_some();
        match envelope.config {
            // The body is the configuration itself; Kong ignores `check_hash` then.
            _ if envelope.version.is_some() => {
                check_hash = false;
                if flags {
                    text = Some(without_flags(&body.raw)?);
                }
            }
            Some(config) => text = Some(plain(&config).into_bytes()),
            None => {}
        }
    } else {
        let fields = body.fields();
        flatten |= fields.get("flatten_errors").is_some_and(truthy);
        check_hash |= fields.get("check_hash") == Some("1");
        text = fields.get("config").or_else(|| query.get("config")).map(|text| text.as_bytes().to_vec());
    }
    let text = text.unwrap_or_else(|| body.raw.to_vec());
    if text.is_empty() {
        return Err(Reply::bad_request("expected a declarative configuration"));
    }
    Ok(ApplyParams { text, flatten, check_hash })
}

fn truthy(text: &str) -> bool {
    ["true", "1", "on", "yes"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Returns a string unquoted, another value as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Removes the flags from a configuration.
fn without_flags(text: &[u8]) -> Result<Vec<u8>, Reply> {
    let mut document: Map<String, Value> = serde_json::from_slice(text).map_err(|_| malformed())?;
    document.retain(|key, _| key != "flatten_errors" && key != "check_hash");
    serde_json::to_vec(&document).map_err(|_| malformed())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;

    use super::*;

    fn of(kind: &'static str, text: &'static str, query: &str) -> Result<ApplyParams, Reply> {
        let kind = HeaderValue::from_static(kind);
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, kind)]);
        let mut body = Body::expected(&headers, true)?;
        body.raw = Bytes::from_static(text.as_bytes());
        wanted(&body, &Fields::of_query(query))
    }

    fn reply(kind: &'static str, text: &'static str, query: &str) -> (String, bool, bool) {
        let wanted = of(kind, text, query).expect("a document");
        (String::from_utf8(wanted.text).expect("text"), wanted.flatten, wanted.check_hash)
    }

    const JSON: &str = "application/json";
    const FORM: &str = "application/x-www-form-urlencoded";

    #[test]
    fn a_configuration_is_the_body_or_a_field() {
        let expected = ("a: 1".to_owned(), false, false);
        assert_eq!(reply("text/yaml", "a: 1", ""), expected);
        assert_eq!(reply(JSON, r#"{"config": "a: 1"}"#, ""), expected);
        assert_eq!(reply(FORM, "config=a%3A+1", ""), expected);
        assert_eq!(reply(FORM, "a: 1", ""), expected, "as curl sends a file by default");
        assert_eq!(reply(JSON, r#"{"services": []}"#, "").0, r#"{"services": []}"#);
    }

    #[test]
    fn flags_are_in_the_query_or_next_to_the_configuration() {
        let json = r#"{"_format_version": "3.0", "flatten_errors": true, "check_hash": 1}"#;
        assert_eq!(reply(JSON, json, ""), (r#"{"_format_version":"3.0"}"#.to_owned(), true, false));
        let json = r#"{"config": "a: 1", "check_hash": 1}"#;
        assert_eq!(reply(JSON, json, "flatten_errors=on"), ("a: 1".to_owned(), true, true));
        assert_eq!(
            reply("text/yaml", "a: 1", "check_hash=1&flatten_errors=0"),
            ("a: 1".to_owned(), false, true)
        );
    }

    #[test]
    fn nothing_and_broken_json_are_refused() {
        assert!(of("text/yaml", "", "").is_err());
        assert!(of(JSON, "{bad", "").is_err());
    }
}
