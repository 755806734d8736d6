//! `/config`: the whole configuration out, and another one in.

use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, oneshot};

use super::{
    answer::Answer,
    body::{Body, Fields, malformed},
};
use crate::reload::{Outcome, Post};
use config::{Input, answer};
use model::{KindInfo, State};
use source::to_yaml;

/// `GET /config`: a file that makes the same configuration again, secrets included.
pub fn get(state: &State) -> Answer {
    Answer::ok(&json!({ "config": to_yaml(&document(state)) }))
}

/// All entities flat, with references as ids, and with what was transformed on the way in marked as such.
pub fn document(state: &State) -> Value {
    let mut document = json!({ "_format_version": "3.0", "_transform": false });
    let Value::Object(kinds) = answer::by_kind(state.display()) else { return document };
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

/// A document to apply, and how.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    text: Vec<u8>,
    /// Whether errors are listed by entity.
    flatten: bool,
    /// Whether nothing is to be done when this text serves already.
    check_hash: bool,
}

/// What of a JSON body is looked at before it is read as a configuration.
#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "_format_version")]
    version: Option<serde::de::IgnoredAny>,
    config: Option<Value>,
    flatten_errors: Option<Value>,
    check_hash: Option<Value>,
}

/// `POST /config`: hands a document to whoever applies configurations, and tells what came of it.
pub async fn post(body: Body, query: &Fields, posts: &mpsc::Sender<Post>) -> Answer {
    let Wanted { text, flatten, check_hash } = match wanted(&body, query) {
        Ok(wanted) => wanted,
        Err(answer) => return answer,
    };
    drop(body);
    let input = Input::Text { name: super::status::POSTED.to_owned(), text };
    let (answer, outcome) = oneshot::channel();
    let exiting = || Answer::message(StatusCode::SERVICE_UNAVAILABLE, "Kong currently exiting");
    match posts.try_send(Post { input, check_hash, kong_strict: true, answer }) {
        Ok(()) => {}
        Err(mpsc::error::TrySendError::Full(_)) => {
            let busy = "Currently loading previous configuration";
            return Answer::message(StatusCode::TOO_MANY_REQUESTS, busy)
                .with(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        Err(mpsc::error::TrySendError::Closed(_)) => return exiting(),
    }
    let Ok(outcome) = outcome.await else { return exiting() };
    // Large documents make large answers: not on the thread that takes connections.
    let told = tokio::task::spawn_blocking(move || match outcome {
        Outcome::Applied(loaded) => Answer::json(StatusCode::CREATED, &answer::entities(&loaded)),
        Outcome::Unchanged => Answer::empty(StatusCode::NOT_MODIFIED),
        Outcome::Refused(loaded) => Answer::json(StatusCode::BAD_REQUEST, &answer::refusal(&loaded, flatten)),
        Outcome::Unreadable(error) => {
            Answer::json(StatusCode::BAD_REQUEST, &json!({ "code": 14, "message": error.to_string() }))
        }
    });
    told.await.unwrap_or_else(|_| {
        Answer::message(StatusCode::INTERNAL_SERVER_ERROR, "An unexpected error occurred")
    })
}

fn wanted(body: &Body, query: &Fields) -> Result<Wanted, Answer> {
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
            // The document itself; Kong does not compare those.
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
        return Err(Answer::bad_request("expected a declarative configuration"));
    }
    Ok(Wanted { text, flatten, check_hash })
}

fn truthy(text: &str) -> bool {
    ["true", "1", "on", "yes"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// A text as it is, another value as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A document without the flags that were put into it.
fn without_flags(text: &[u8]) -> Result<Vec<u8>, Answer> {
    let mut document: Map<String, Value> = serde_json::from_slice(text).map_err(|_| malformed())?;
    document.retain(|key, _| key != "flatten_errors" && key != "check_hash");
    serde_json::to_vec(&document).map_err(|_| malformed())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;

    use super::*;

    fn of(kind: &'static str, text: &'static str, query: &str) -> Result<Wanted, Answer> {
        let kind = HeaderValue::from_static(kind);
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, kind)]);
        let mut body = Body::expected(&headers, true)?;
        body.raw = Bytes::from_static(text.as_bytes());
        wanted(&body, &Fields::of_query(query))
    }

    fn told(kind: &'static str, text: &'static str, query: &str) -> (String, bool, bool) {
        let wanted = of(kind, text, query).expect("a document");
        (String::from_utf8(wanted.text).expect("text"), wanted.flatten, wanted.check_hash)
    }

    const JSON: &str = "application/json";
    const FORM: &str = "application/x-www-form-urlencoded";

    #[test]
    fn a_document_comes_as_it_is_or_in_a_field() {
        let expected = ("a: 1".to_owned(), false, false);
        assert_eq!(told("text/yaml", "a: 1", ""), expected);
        assert_eq!(told(JSON, r#"{"config": "a: 1"}"#, ""), expected);
        assert_eq!(told(FORM, "config=a%3A+1", ""), expected);
        assert_eq!(told(FORM, "a: 1", ""), expected, "as curl sends a file unless told otherwise");
        assert_eq!(told(JSON, r#"{"services": []}"#, "").0, r#"{"services": []}"#);
    }

    #[test]
    fn flags_stand_in_the_query_or_beside_the_document() {
        let json = r#"{"_format_version": "3.0", "flatten_errors": true, "check_hash": 1}"#;
        assert_eq!(told(JSON, json, ""), (r#"{"_format_version":"3.0"}"#.to_owned(), true, false));
        let json = r#"{"config": "a: 1", "check_hash": 1}"#;
        assert_eq!(told(JSON, json, "flatten_errors=on"), ("a: 1".to_owned(), true, true));
        assert_eq!(
            told("text/yaml", "a: 1", "check_hash=1&flatten_errors=0"),
            ("a: 1".to_owned(), false, true)
        );
    }

    #[test]
    fn nothing_and_broken_json_are_refused() {
        assert!(of("text/yaml", "", "").is_err());
        assert!(of(JSON, "{bad", "").is_err());
    }
}
