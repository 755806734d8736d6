//! The built-in echo upstream: responds in place of a service with the request as JSON.

use http::{StatusCode, uri::PathAndQuery};
use serde_json::{Map, Value, json};

use super::pipeline::EarlyExit;
use http_codec::urlencoded;
use model::State;
use plugin::{Exchange, LocalReply};

/// Maximum length of an echoed body, in bytes.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Builds the echo's response to a request with that upstream target.
pub async fn echo(exchange: &mut Exchange, state: &State, target: &PathAndQuery) -> EarlyExit {
    let body = exchange.request.read_body(MAX_BODY_BYTES).await.unwrap_or_default();
    let mut headers = Map::new();
    for name in exchange.request.headers.keys() {
        let values = exchange.request.headers.get_all(name).iter();
        let mut values: Vec<Value> =
            values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned().into()).collect();
        let value = if values.len() == 1 { values.remove(0) } else { Value::Array(values) };
        headers.insert(name.to_string(), value);
    }
    let mut query = Map::new();
    for argument in urlencoded::arguments(target.query().unwrap_or("").as_bytes()) {
        let (name, value) = (argument.name_text(), argument.value_text().unwrap_or_default());
        let value = Value::from(value.into_owned());
        match query.get_mut(&*name) {
            None => drop(query.insert(name.into_owned(), value)),
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    let service = exchange.service().map(|ix| &state.services[ix]);
    let route = exchange.route().map(|ix| &state.routes[ix]);
    let consumer = exchange.consumer.map(|ix| &state.consumers[ix]);
    EarlyExit::Reply(Box::new(LocalReply::json(
        StatusCode::OK,
        json!({
            "mock": true,
            "service": service.and_then(|s| s.name.as_deref()),
            "route": route.and_then(|r| r.name.as_deref()),
            "consumer": consumer.and_then(|c| c.username.as_deref()),
            "method": exchange.request.method.as_str(),
            "path": target.path(),
            "query": query,
            "headers": headers,
            "body": String::from_utf8_lossy(&body),
        }),
    )))
}
