//! The `json` format: one object with all facts of a record. Fields without a value are left out, except for `request`.

use std::time::Duration;

use super::{
    Escape, QueryLogging,
    query::push_query,
    time::with_iso8601,
    variable::{push_display, push_number, push_seconds, push_uri},
};
use crate::record::{Record, Try};

/// Writes the fields of an object.
struct Object<'a> {
    line: &'a mut Vec<u8>,
    is_empty: bool,
}

impl<'a> Object<'a> {
    fn start(line: &'a mut Vec<u8>) -> Self {
        line.push(b'{');
        Object { line, is_empty: true }
    }

    /// Starts a field; names are plain words.
    fn key(&mut self, name: &str) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.is_empty) {
            self.line.push(b',');
        }
        self.line.push(b'"');
        self.line.extend_from_slice(name.as_bytes());
        self.line.extend_from_slice(b"\":");
        self.line
    }

    fn text(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.quoted(name, |line| Escape::Json.push(value.as_bytes(), line));
        }
    }

    /// A string that `push` appends.
    fn quoted(&mut self, name: &str, push: impl FnOnce(&mut Vec<u8>)) {
        let line = self.key(name);
        line.push(b'"');
        push(line);
        line.push(b'"');
    }

    fn number(&mut self, name: &str, value: u64) {
        push_number(value, self.key(name));
    }

    fn seconds(&mut self, name: &str, time: Duration) {
        push_seconds(time, self.key(name));
    }

    fn end(self) {
        self.line.push(b'}');
    }
}

/// Appends the object of a record.
pub fn write(record: &Record<'_>, query: QueryLogging, line: &mut Vec<u8>) {
    let mut object = Object::start(line);
    object.quoted("time", |line| {
        with_iso8601(record.ended_at, |text| line.extend_from_slice(text.as_bytes()));
        let since_1970 = record.ended_at.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        push_display(format_args!(".{:03}Z", since_1970.subsec_millis()), line);
    });
    object.quoted("request_id", |line| push_display(format_args!("{:032x}", record.request_id), line));
    object.quoted("client", |line| push_display(record.client, line));
    object.quoted("peer", |line| push_display(record.peer, line));
    object.quoted("local", |line| push_display(record.local, line));
    object.number("connection", record.connection);
    object.number("connection_request", record.connection_request);
    object.text("protocol", Some(record.protocol));
    object.text("scheme", Some(record.scheme));
    if let Some(tls) = record.tls {
        object.text("tls_version", Some(tls.version));
        object.text("tls_cipher", Some(tls.cipher));
        object.text("tls_server_name", tls.server_name);
    }
    if let Some(request) = record.request {
        object.text("method", Some(request.method));
        object.quoted("uri", |line| {
            Escape::Json.push(request.path.as_bytes(), line);
            push_query(request.query, query, Some(b'?'), Escape::Json, line);
        });
    }
    if let Some(host) = record.request_headers.value("host") {
        object.quoted("host", |line| Escape::Json.push(host, line));
    }
    if let Some(referer) = record.request_headers.value("referer") {
        object.quoted("referer", |line| push_uri(referer, Escape::Json, query, line));
    }
    if let Some(agent) = record.request_headers.value("user-agent") {
        object.quoted("user_agent", |line| Escape::Json.push(agent, line));
    }
    object.number("request_bytes", record.request_bytes);
    object.number("status", record.status.into());
    object.number("sent_bytes", record.sent_bytes);
    object.number("sent_body_bytes", record.sent_body_bytes);
    object.seconds("duration", record.duration);
    object.text("route", record.route);
    object.text("service", record.service);
    object.text("consumer", record.consumer);
    object.text("source", Some(record.source.name()));
    object.text("ended_by", Some(record.ended_by.name()));
    object.text("error", record.error);
    object.text("limited_by", record.limited_by);
    if !record.tries.is_empty() {
        let line = object.key("tries");
        line.push(b'[');
        for (at, one) in record.tries.iter().enumerate() {
            if at > 0 {
                line.push(b',');
            }
            write_try(one, line);
        }
        line.push(b']');
    }
    object.end();
}

fn write_try(one: &Try, line: &mut Vec<u8>) {
    let mut object = Object::start(line);
    object.quoted("address", |line| push_display(one.address, line));
    if let Some(status) = one.status {
        object.number("status", status.into());
    }
    object.seconds("connect", one.connect);
    if let Some(response) = one.response {
        object.seconds("response", response);
    }
    object.text("error", one.error);
    object.end();
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            Format,
            tests::{record, with},
        },
        *,
    };
    use serde_json::{Value, json};

    fn object(record: &Record<'_>) -> Value {
        let mut line = Vec::new();
        Format::predefined("json").unwrap().write(record, &mut line);
        assert_eq!(line.pop(), Some(b'\n'));
        serde_json::from_slice(&line)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&line)))
    }

    #[test]
    fn all_facts_are_fields() {
        let expected = json!({
            "time": "2026-12-01T14:26:23.250Z", "request_id": "000000000000000000000000000000ff",
            "client": "192.0.2.7", "peer": "10.0.0.1:1234", "local": "10.0.0.2:8443",
            "connection": 9, "connection_request": 2, "protocol": "HTTP/1.1", "scheme": "https",
            "tls_version": "TLSv1.3", "tls_cipher": "TLS_AES_128_GCM_SHA256", "tls_server_name": "a.test",
            "method": "GET", "uri": "/a%20b?key=***", "host": "A.test:80",
            "referer": "https://a.test/?q=***", "user_agent": "curl \"x\"",
            "request_bytes": 80, "status": 200, "sent_bytes": 125, "sent_body_bytes": 5, "duration": 0.012,
            "route": "r", "service": "s", "consumer": "alice", "source": "upstream", "ended_by": "complete",
            "tries": [
                {"address": "10.1.0.1:80", "connect": 0.001, "error": "connect"},
                {"address": "10.1.0.2:80", "status": 200, "connect": 0.0, "response": 0.007},
            ],
        });
        assert_eq!(object(&record()), expected);
    }

    #[test]
    fn a_refused_request_has_an_error_and_no_uri() {
        let refused = with(|record| {
            (record.request, record.tls, record.tries) = (None, None, &[]);
            (record.status, record.error, record.limited_by) = (400, Some("bad_request"), Some("ip"));
        });
        let object = object(&refused);
        assert_eq!((&object["error"], &object["limited_by"]), (&json!("bad_request"), &json!("ip")));
        for absent in ["method", "uri", "tls_version", "tries"] {
            assert_eq!(object.get(absent), None, "{absent}");
        }
    }
}
