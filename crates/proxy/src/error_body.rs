//! Formats of error bodies: negotiation and rendering, as Kong does.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use plugin::RequestId;
use runtime::{ErrorFormat, ErrorTemplates};

/// Whether a request is gRPC, by its content type.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|media_type| media_type.as_bytes().starts_with(b"application/grpc"))
}

/// Negotiates the format of an error of the gateway's code: by Accept, else JSON.
pub fn negotiate_gateway_format(headers: &HeaderMap) -> ErrorFormat {
    preferred_by_accept(headers).unwrap_or(ErrorFormat::Json)
}

/// Negotiates the format of an error of the HTTP server: by Accept, else the request's content type, else the
/// node's setting.
pub fn negotiate_server_format(headers: &HeaderMap, default: ErrorFormat) -> ErrorFormat {
    preferred_by_accept(headers)
        .or_else(|| {
            let media_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
            format_for_media_type(media_type.split(';').next().unwrap_or("").trim())
        })
        .unwrap_or(default)
}

/// The format of the Accept element with the highest `q`; of equal ones, the first.
fn preferred_by_accept(headers: &HeaderMap) -> Option<ErrorFormat> {
    // Several fields form one list (RFC 9110 section 5.3).
    let fields = headers.get_all(header::ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    let mut best: Option<(f32, &str)> = None;
    for entry in fields.flat_map(|accept| accept.split(',')).filter(|entry| !entry.trim().is_empty()) {
        let mut parts = entry.split(';');
        let media_type = parts.next().unwrap_or("").trim();
        let q = parts.find_map(|p| p.trim().strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(1.0));
        if best.is_none_or(|(best_q, _)| q > best_q) {
            best = Some((q, media_type));
        }
    }
    best.map(|(_, media_type)| format_for_media_type(media_type).unwrap_or(ErrorFormat::Json))
}

fn format_for_media_type(media_type: &str) -> Option<ErrorFormat> {
    Some(match media_type {
        "text/html" => ErrorFormat::Html,
        "application/xml" => ErrorFormat::Xml,
        "text/plain" | "text/*" => ErrorFormat::Plain,
        "application/json" | "application/*" | "*/*" => ErrorFormat::Json,
        _ => return None,
    })
}

/// Renders an error's body; returns its content type, too.
pub fn render(
    templates: &ErrorTemplates,
    format: ErrorFormat,
    message: &str,
    id: RequestId,
) -> (HeaderValue, Bytes) {
    let (media_type, text) = render_default(format, message, id);
    let text = match templates.of(format) {
        Some(template) => render_template(template, format, message, id),
        None => text,
    };
    (HeaderValue::from_static(media_type), Bytes::from(text))
}

/// Renders a user's template: the first `%s` is the message, the second the request id.
fn render_template(template: &str, format: ErrorFormat, message: &str, id: RequestId) -> String {
    let message = match format {
        ErrorFormat::Html | ErrorFormat::Xml => escape_markup(message),
        ErrorFormat::Json => serde_json::Value::from(message).to_string().trim_matches('"').to_owned(),
        ErrorFormat::Plain => message.to_owned(),
    };
    template.replacen("%s", &message, 1).replacen("%s", &id.to_string(), 1)
}

fn render_default(format: ErrorFormat, message: &str, id: RequestId) -> (&'static str, String) {
    match format {
        ErrorFormat::Json => {
            let message = serde_json::Value::from(message);
            (
                "application/json; charset=utf-8",
                format!("{{\n  \"message\":{message},\n  \"request_id\":\"{id}\"\n}}"),
            )
        }
        ErrorFormat::Plain => ("text/plain; charset=utf-8", format!("{message}\nrequest_id: {id}\n")),
        ErrorFormat::Html => (
            "text/html; charset=utf-8",
            format!(
                "<!doctype html>\n<html>\n  <head>\n    <meta charset=\"utf-8\">\n    <title>Error</title>\n  </head>\n  \
                 <body>\n    <h1>Error</h1>\n    <p>{}.</p>\n    <p>request_id: {id}</p>\n  </body>\n</html>\n",
                escape_markup(message)
            ),
        ),
        ErrorFormat::Xml => (
            "application/xml; charset=utf-8",
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<error>\n  <message>{}</message>\n  \
                 <requestid>{id}</requestid>\n</error>\n",
                escape_markup(message)
            ),
        ),
    }
}

fn escape_markup(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Writes an error into gRPC's headers; the body is empty.
pub fn set_grpc_headers(status: StatusCode, message: &str, headers: &mut HeaderMap) {
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

/// Kong's default message for a status.
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
