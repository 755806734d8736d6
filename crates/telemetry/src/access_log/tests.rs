//! A record for tests.

use std::time::{Duration, UNIX_EPOCH};

use crate::record::{EndedBy, Headers, Record, RequestLine, Source, Tls, Try};

struct Fields(&'static [(&'static str, &'static str)]);

impl Headers for Fields {
    fn value(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_bytes())
    }
}

const REQUEST: Fields = Fields(&[
    ("host", "A.test:80"),
    ("referer", "https://a.test/?q=secret"),
    ("user-agent", "curl \"x\""),
    ("x-one", "1"),
    ("authorization", "Basic c2VjcmV0"),
    ("cookie", "secret"),
    ("apikey", "secret"),
    ("x-api-key", "secret"),
]);
const RESPONSE: Fields = Fields(&[("content-type", "text/plain")]);

static TRIES: std::sync::LazyLock<[Try; 2]> = std::sync::LazyLock::new(|| {
    [
        Try {
            address: ([10, 1, 0, 1], 80).into(),
            status: None,
            connect: Duration::from_millis(1),
            response: None,
            error: Some("connect"),
        },
        Try {
            address: ([10, 1, 0, 2], 80).into(),
            status: Some(200),
            connect: Duration::ZERO,
            response: Some(Duration::from_millis(7)),
            error: None,
        },
    ]
});

/// A request that was proxied.
pub fn record() -> Record<'static> {
    Record {
        ended_at: UNIX_EPOCH + Duration::from_millis(1_796_135_183_250),
        duration: Duration::from_micros(12_900),
        request_id: 255,
        client: [192, 0, 2, 7].into(),
        peer: ([10, 0, 0, 1], 1234).into(),
        local: ([10, 0, 0, 2], 8443).into(),
        connection: 9,
        connection_request: 2,
        tls: Some(Tls { version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256", server_name: Some("a.test") }),
        protocol: "HTTP/1.1",
        scheme: "https",
        request: Some(RequestLine { method: "GET", path: "/a%20b", query: Some("key=secret") }),
        request_headers: &REQUEST,
        request_bytes: 80,
        status: 200,
        response_headers: &RESPONSE,
        sent_bytes: 125,
        sent_body_bytes: 5,
        tries: &*TRIES,
        route: Some("r"),
        service: Some("s"),
        consumer: Some("alice"),
        source: Source::Upstream,
        ended_by: EndedBy::Complete,
        error: None,
        limited_by: None,
    }
}

/// That request with changes.
pub fn with(change: impl FnOnce(&mut Record<'static>)) -> Record<'static> {
    let mut record = record();
    change(&mut record);
    record
}
