//! What the gateway adds to an answer.

use std::time::Instant;

use http::{HeaderMap, HeaderValue, header};

use super::{
    joined,
    own::{
        Fields, HOPS, ID, NAME, PROXY_LATENCY, RESPONSE_LATENCY, SERVER, UPSTREAM_LATENCY, UPSTREAM_STATUS,
        VIA, number,
    },
};
use http_codec::{Headers, Known};
use plugin::{Exchange, ResponseSource};
use runtime::AddedHeaders;

/// The gateway's own headers of an answer.
#[derive(Debug)]
pub struct Added {
    /// Milliseconds that the upstream took, and those before it was asked; if it was.
    proxied: Option<(u64, u64)>,
    /// Milliseconds that the answer took, if none was asked.
    response: u64,
    /// The upstream's status, if the answer is its.
    status: Option<u16>,
    /// Whether the upstream has said who it is.
    server: bool,
    id: HeaderValue,
}

impl Added {
    /// Those of an exchange after its last plugin; `proxied` tells whether an upstream was asked, whatever came of
    /// it.
    pub fn new(exchange: &Exchange, proxied: bool, id: &HeaderValue) -> Self {
        let millis = |from: Instant, to: Option<Instant>| {
            to.map_or(0, |to| to.saturating_duration_since(from).as_millis() as u64)
        };
        let Exchange { started, sent, answered, response, .. } = exchange;
        let upstream = response.source == ResponseSource::Upstream;
        Added {
            proxied: sent.filter(|_| proxied).map(|at| (millis(at, *answered), millis(*started, Some(at)))),
            response: if proxied { 0 } else { millis(*started, Some(Instant::now())) },
            status: upstream.then(|| response.status.as_u16()),
            server: upstream && response.headers.has(Known::Server),
            id: id.clone(),
        }
    }

    /// Whether one of them may have to stand in place of what is there.
    pub fn clashes(&self, headers: &Headers) -> bool {
        match headers.fields() {
            Some(fields) => {
                fields.has(&[Known::Via, Known::KongRequestId, Known::Kong])
                    || !self.server && fields.has(&[Known::Server])
            }
            None => headers.keys().any(|name| match name.as_str() {
                "via" => true,
                "server" => !self.server,
                name => name.starts_with("x-kong-"),
            }),
        }
    }

    /// Adds them where none of them is.
    pub fn put(&self, wanted: &AddedHeaders, to: &mut impl Fields) {
        match self.proxied {
            Some((upstream, before)) => {
                if wanted.upstream_latency {
                    to.own(UPSTREAM_LATENCY, &number(upstream));
                }
                if wanted.proxy_latency {
                    to.own(PROXY_LATENCY, &number(before));
                }
            }
            None if wanted.response_latency => to.own(RESPONSE_LATENCY, &number(self.response)),
            None => {}
        }
        if let Some(status) = self.status {
            if wanted.upstream_status {
                to.own(UPSTREAM_STATUS, &number(status.into()));
            }
            if wanted.via {
                to.fixed(VIA, HOPS[0]);
            }
        }
        if wanted.server && !self.server {
            to.fixed(SERVER, NAME);
        }
        if wanted.request_id {
            to.own(ID, &self.id);
        }
    }

    /// Adds them to a map, in place of what is there.
    pub fn insert(&self, wanted: &AddedHeaders, headers: &mut Headers) {
        if !self.clashes(headers) {
            return self.put(wanted, &mut **headers);
        }
        let mut own = HeaderMap::with_capacity(8);
        self.put(wanted, &mut own);
        // Who has passed an answer on is a list.
        if own.contains_key(header::VIA) && headers.has(Known::Via) {
            own.insert(header::VIA, joined(headers, Known::Via, HOPS[0].as_bytes()));
        }
        headers.extend(own);
    }
}
