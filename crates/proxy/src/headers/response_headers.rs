//! Headers that the gateway adds to a response.

use std::time::Instant;

use http::{HeaderMap, HeaderValue, Version, header};

use super::{
    gateway_headers::{
        HeaderSink, ProductValues, SERVER, VIA, X_KONG_PROXY_LATENCY, X_KONG_REQUEST_ID,
        X_KONG_RESPONSE_LATENCY, X_KONG_UPSTREAM_LATENCY, X_KONG_UPSTREAM_STATUS, number_value,
    },
    join_comma,
};
use http_codec::{Headers, KnownHeader};
use plugin::{Exchange, ResponseSource};
use runtime::AddedHeaders;

/// Headers to be added to a response.
#[derive(Debug)]
pub struct AddedResponseHeaders {
    /// Milliseconds of the upstream, and before it was contacted; `None` if it was not.
    latencies: Option<(u64, u64)>,
    /// Milliseconds in all, if no upstream was contacted.
    total_ms: u64,
    /// The upstream's status, if the response is the upstream's.
    upstream_status: Option<u16>,
    /// Whether the upstream has sent `Server`.
    has_server: bool,
    id: HeaderValue,
}

impl AddedResponseHeaders {
    /// Collects them after the last plugin; `proxied` is true if an upstream was contacted, also without
    /// success.
    pub fn new(exchange: &Exchange, proxied: bool, id: &HeaderValue) -> Self {
        let millis = |from: Instant, to: Option<Instant>| {
            to.map_or(0, |to| to.saturating_duration_since(from).as_millis() as u64)
        };
        let Exchange {
            received_at: started,
            upstream_sent_at: sent,
            upstream_responded_at: answered,
            response,
            ..
        } = exchange;
        let upstream = response.source == ResponseSource::Upstream;
        AddedResponseHeaders {
            latencies: sent.filter(|_| proxied).map(|at| (millis(at, *answered), millis(*started, Some(at)))),
            total_ms: if proxied { 0 } else { millis(*started, Some(Instant::now())) },
            upstream_status: upstream.then(|| response.status.as_u16()),
            has_server: upstream && response.headers.contains_known(KnownHeader::Server),
            id: id.clone(),
        }
    }

    /// Whether one of them may have to replace a header in `headers`.
    pub fn overlaps(&self, headers: &Headers) -> bool {
        match headers.fields() {
            Some(fields) => {
                fields.contains_any(&[KnownHeader::Via, KnownHeader::KongRequestId, KnownHeader::Kong])
                    || !self.has_server && fields.contains_any(&[KnownHeader::Server])
            }
            None => headers.keys().any(|name| match name.as_str() {
                "via" => true,
                "server" => !self.has_server,
                name => name.starts_with("x-kong-"),
            }),
        }
    }

    /// Appends them; `overlaps` must be false.
    pub fn append_to(&self, enabled: &AddedHeaders, to: &mut impl HeaderSink) {
        match self.latencies {
            Some((upstream, before)) => {
                if enabled.upstream_latency {
                    to.append_value(X_KONG_UPSTREAM_LATENCY, &number_value(upstream));
                }
                if enabled.proxy_latency {
                    to.append_value(X_KONG_PROXY_LATENCY, &number_value(before));
                }
            }
            None if enabled.response_latency => {
                to.append_value(X_KONG_RESPONSE_LATENCY, &number_value(self.total_ms))
            }
            None => {}
        }
        if let Some(status) = self.upstream_status {
            if enabled.upstream_status {
                to.append_value(X_KONG_UPSTREAM_STATUS, &number_value(status.into()));
            }
            if enabled.via {
                to.append_static(VIA, via_value(enabled));
            }
        }
        if enabled.server && !self.has_server {
            to.append_static(SERVER, ProductValues::of(enabled.product).server);
        }
        if enabled.request_id {
            to.append_value(X_KONG_REQUEST_ID, &self.id);
        }
    }

    /// Inserts them into a map, replacing what is present.
    pub fn insert_into(&self, enabled: &AddedHeaders, headers: &mut Headers) {
        if !self.overlaps(headers) {
            return self.append_to(enabled, &mut **headers);
        }
        let mut added = HeaderMap::with_capacity(8);
        self.append_to(enabled, &mut added);
        // `Via` is a list.
        if added.contains_key(header::VIA) && headers.contains_known(KnownHeader::Via) {
            added.insert(header::VIA, join_comma(headers, KnownHeader::Via, via_value(enabled).as_bytes()));
        }
        headers.extend(added);
    }
}

/// `Via` of responses. Like Kong, it names HTTP/1.1 for every upstream.
fn via_value(enabled: &AddedHeaders) -> &'static str {
    ProductValues::of(enabled.product).via(Version::HTTP_11)
}
