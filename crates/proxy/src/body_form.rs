//! The forms an error's body may have, and which one a client gets.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use plugin::RequestId;
use runtime::{BodyForm, Templates};

/// Whether a request is gRPC by its content type.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// The form of an answer of gateway code: what Accept likes best, JSON where it says nothing we know.
pub fn of_gateway(headers: &HeaderMap) -> BodyForm {
    accepted(headers).unwrap_or(BodyForm::Json)
}

/// The form of an answer of the HTTP server: Accept, the request's content type, the node's setting.
pub fn of_server(headers: &HeaderMap, default: BodyForm) -> BodyForm {
    accepted(headers)
        .or_else(|| {
            let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
            form(kind.split(';').next().unwrap_or("").trim())
        })
        .unwrap_or(default)
}

/// The form of the Accept entry with the highest `q`, of equal ones the first.
fn accepted(headers: &HeaderMap) -> Option<BodyForm> {
    // Several fields are one list (RFC 9110 section 5.3).
    let fields = headers.get_all(header::ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    let mut best: Option<(f32, &str)> = None;
    for entry in fields.flat_map(|accept| accept.split(',')).filter(|entry| !entry.trim().is_empty()) {
        let mut parts = entry.split(';');
        let kind = parts.next().unwrap_or("").trim();
        let q = parts.find_map(|p| p.trim().strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(1.0));
        if best.is_none_or(|(held, _)| q > held) {
            best = Some((q, kind));
        }
    }
    best.map(|(_, kind)| form(kind).unwrap_or(BodyForm::Json))
}

fn form(kind: &str) -> Option<BodyForm> {
    Some(match kind {
        "text/html" => BodyForm::Html,
        "application/xml" => BodyForm::Xml,
        "text/plain" | "text/*" => BodyForm::Plain,
        "application/json" | "application/*" | "*/*" => BodyForm::Json,
        _ => return None,
    })
}

/// The body of an error, and its content type.
pub fn write(templates: &Templates, form: BodyForm, message: &str, id: RequestId) -> (HeaderValue, Bytes) {
    let (kind, text) = written(form, message, id);
    let text = match templates.of(form) {
        Some(template) => filled(template, form, message, id),
        None => text,
    };
    (HeaderValue::from_static(kind), Bytes::from(text))
}

/// A user's page with message and request id in their places.
fn filled(template: &str, form: BodyForm, message: &str, id: RequestId) -> String {
    let message = match form {
        BodyForm::Html | BodyForm::Xml => escaped(message),
        BodyForm::Json => serde_json::Value::from(message).to_string().trim_matches('"').to_owned(),
        BodyForm::Plain => message.to_owned(),
    };
    template.replacen("%s", &message, 1).replacen("%s", &id.to_string(), 1)
}

fn written(form: BodyForm, message: &str, id: RequestId) -> (&'static str, String) {
    match form {
        BodyForm::Json => {
            let message = serde_json::Value::from(message);
            (
                "application/json; charset=utf-8",
                format!("{{\n  \"message\":{message},\n  \"request_id\":\"{id}\"\n}}"),
            )
        }
        BodyForm::Plain => ("text/plain; charset=utf-8", format!("{message}\nrequest_id: {id}\n")),
        BodyForm::Html => (
            "text/html; charset=utf-8",
            format!(
                "<!doctype html>\n<html>\n  <head>\n    <meta charset=\"utf-8\">\n    <title>Error</title>\n  </head>\n  \
                 <body>\n    <h1>Error</h1>\n    <p>{}.</p>\n    <p>request_id: {id}</p>\n  </body>\n</html>\n",
                escaped(message)
            ),
        ),
        BodyForm::Xml => (
            "application/xml; charset=utf-8",
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<error>\n  <message>{}</message>\n  \
                 <requestid>{id}</requestid>\n</error>\n",
                escaped(message)
            ),
        ),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Puts an error into gRPC's headers; its body is empty.
pub fn grpc_headers(status: StatusCode, message: &str, headers: &mut HeaderMap) {
    let code = match status.as_u16() {
        401 => "16",
        403 => "7",
        404 => "5",
        409 => "6",
        429 => "8",
        499 => "1",
        501 => "12",
        503 => "14",
        504 => "4",
        200..=299 => "0",
        400..=498 => "3",
        500..=599 => "13",
        _ => "2",
    };
    headers.insert(HeaderName::from_static("grpc-status"), HeaderValue::from_static(code));
    if let Ok(message) = HeaderValue::from_str(message) {
        headers.insert(HeaderName::from_static("grpc-message"), message);
    }
    headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/grpc"));
}

/// What a status says where nothing better is known.
pub fn default_message(status: StatusCode) -> String {
    let text = match status.as_u16() {
        400 => "Bad request",
        402 => "Payment required",
        404 => "Not found",
        405 => "Method not allowed",
        406 => "Not acceptable",
        407 => "Proxy authentication required",
        408 => "Request timeout",
        411 => "Length required",
        412 => "Precondition failed",
        413 => "Payload too large",
        414 => "URI too long",
        415 => "Unsupported media type",
        416 => "Range not satisfiable",
        417 => "Expectation failed",
        421 => "Misdirected request",
        422 => "Unprocessable entity",
        424 => "Failed dependency",
        425 => "Too early",
        426 => "Upgrade required",
        428 => "Precondition required",
        429 => "Too many requests",
        431 => "Request header fields too large",
        451 => "Unavailable for legal reasons",
        494 => "Request header or cookie too large",
        500 => "An unexpected error occurred",
        501 => "Not implemented",
        502 => "An invalid response was received from the upstream server",
        503 => "The upstream server is currently unavailable",
        504 => "The upstream server is timing out",
        505 => "HTTP version not supported",
        506 => "Variant also negotiates",
        507 => "Insufficient storage",
        508 => "Loop detected",
        510 => "Not extended",
        511 => "Network authentication required",
        401 | 403 | 409 | 410 | 418 | 423 => {
            return status.canonical_reason().unwrap_or_default().to_owned();
        }
        code => return format!("The upstream server responded with {code}"),
    };
    text.to_owned()
}
