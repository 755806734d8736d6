//! Metrics of requests, counted by each worker when a request has ended.
//!
//! The label values of a route are looked up once for each worker and snapshot; from then on a request takes one look-up
//! by number and adds to cells of its worker.

use std::cell::RefCell;

use ahash::AHashMap;
use http::Method;
use smallvec::SmallVec;

use model::{Ix, Route, Service};
use plugin::Exchange;
use runtime::Snapshot;
use telemetry::{Buckets, Counter, CounterFamily, EndedBy, Histogram, HistogramFamily, OTHER, Registry};

/// Why registering a metric of the gateway's own cannot fail.
pub const RESERVED: &str =
    "only the gateway registers metrics named gateway_*, each with one type and set of labels";

/// Value of the label `path` for requests without a route.
const UNMATCHED: &str = "unmatched";
/// Value of the label `service` for requests without a service.
const NO_SERVICE: &str = "none";

/// Bounds of durations, in microseconds.
const DURATIONS: Buckets = Buckets {
    bounds: &[
        500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000,
        5_000_000, 10_000_000, 30_000_000,
    ],
    scale: 1_000,
};

/// Codes of errors that are limits, and the values of the label `limit`.
const LIMITS: [(&str, &str); 4] = [
    ("uri_too_long", "request_line"),
    ("headers_too_long", "request_headers"),
    ("body_too_long", "request_body"),
    ("memory", "buffered_bodies"),
];

/// Metrics of a worker's requests.
#[derive(Debug)]
pub struct RequestMetrics {
    requests: CounterFamily,
    durations: HistogramFamily,
    upstream_statuses: CounterFamily,
    upstream_errors: CounterFamily,
    aborted: CounterFamily,
    rate_limits: CounterFamily,
    limits: CounterFamily,
    /// Series of one snapshot, the latest that a request of this worker has used.
    cache: RefCell<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    snapshot: u64,
    by_key: AHashMap<u64, RouteSeries>,
}

/// Route, pattern of the route, and method, in one number: it is hashed for each request.
fn key(route: Option<Ix<Route>>, pattern: u8, method: u8) -> u64 {
    let route = route.map_or(0, |route| route.get() as u64 + 1);
    route << 16 | u64::from(pattern) << 8 | u64::from(method)
}

/// Series of one key.
#[derive(Debug)]
struct RouteSeries {
    duration: Histogram,
    /// Requests by status, as far as they have occurred.
    statuses: SmallVec<[(u16, Counter); 2]>,
    /// Responses of upstreams by status.
    upstream_statuses: SmallVec<[(u16, Counter); 2]>,
}

impl RequestMetrics {
    /// Registers the metrics.
    pub fn new(registry: &Registry) -> Self {
        let counter = |name, help, labels: &[&str]| registry.counter(name, help, labels).expect(RESERVED);
        RequestMetrics {
            requests: counter(
                "gateway_requests_total",
                "Requests by method, path of the route, status and service",
                &["method", "path", "status", "service"],
            ),
            durations: registry
                .histogram(
                    "gateway_request_duration_ms",
                    "Time from a request's head to the end of its response, in milliseconds",
                    &["method", "path", "service"],
                    DURATIONS,
                )
                .expect(RESERVED),
            upstream_statuses: counter(
                "gateway_upstream_status_total",
                "Responses of upstreams by service and status",
                &["service", "status"],
            ),
            upstream_errors: counter(
                "gateway_upstream_errors_total",
                "Failed attempts to get a response from an upstream, by service and error",
                &["service", "error"],
            ),
            aborted: counter(
                "gateway_requests_aborted_total",
                "Requests whose response was not sent whole, by the side that ended them",
                &["ended_by"],
            ),
            rate_limits: counter(
                "gateway_rate_limit_hits_total",
                "Requests that a rate limit has refused, by what it counts",
                &["limiter_type"],
            ),
            limits: counter(
                "gateway_limits_reached_total",
                "Requests that a limit of this node has refused",
                &["limit"],
            ),
            cache: RefCell::default(),
        }
    }

    /// Counts a request that has ended.
    pub fn count(
        &self,
        snap: &Snapshot,
        exchange: &Exchange,
        status: u16,
        error: Option<&'static str>,
        ended_by: EndedBy,
    ) {
        let route = exchange.route();
        // The method of a refused head is not known.
        let (method, method_name) = match exchange.request.received.is_refused {
            true => (u8::MAX, OTHER),
            false => known_method(&exchange.request.method),
        };
        let pattern_number = pattern_number(snap, exchange);
        let key = key(route, pattern_number, method);
        let labels = || {
            let path =
                route.map_or_else(|| UNMATCHED.to_owned(), |route| pattern(snap, route, pattern_number));
            (path, service_name(snap, exchange.service()))
        };
        let duration = u64::try_from(exchange.received_at.elapsed().as_micros()).unwrap_or(u64::MAX);
        let mut cache = self.cache.borrow_mut();
        if cache.snapshot < snap.id {
            *cache = Cache { snapshot: snap.id, by_key: AHashMap::new() };
        }
        // A request of a former snapshot has other numbers of routes: its series are looked up by their labels.
        let mut uncached;
        let new_series = || {
            let (path, service) = labels();
            RouteSeries {
                duration: self.durations.with(&[method_name, &path, &service]),
                statuses: SmallVec::new(),
                upstream_statuses: SmallVec::new(),
            }
        };
        let series = if cache.snapshot == snap.id {
            cache.by_key.entry(key).or_insert_with(new_series)
        } else {
            uncached = new_series();
            &mut uncached
        };
        series.duration.observe(duration);
        by_status(&mut series.statuses, status, |status| {
            let (path, service) = labels();
            self.requests.with(&[method_name, &path, status, &service])
        });
        for attempt in &exchange.tries {
            match (attempt.status, attempt.error) {
                (Some(status), _) => by_status(&mut series.upstream_statuses, status, |status| {
                    self.upstream_statuses.with(&[&service_name(snap, exchange.service()), status])
                }),
                (None, Some(error)) => {
                    self.upstream_errors.with(&[&service_name(snap, exchange.service()), error]).increment();
                }
                (None, None) => {}
            }
        }
        // Errors that are not those of a try: no address was found, or the body broke off after the head.
        let no_address = error.filter(|code| matches!(*code, "name_resolution" | "no_target"));
        let body = (ended_by == EndedBy::Upstream).then_some("body");
        for error in no_address.into_iter().chain(body) {
            self.upstream_errors.with(&[&service_name(snap, exchange.service()), error]).increment();
        }
        if ended_by != EndedBy::Complete {
            self.aborted.with(&[ended_by.name()]).increment();
        }
        if let Some(limiter) = exchange.limited_by {
            self.rate_limits.with(&[limiter]).increment();
        }
        if let Some((_, limit)) = LIMITS.iter().find(|(code, _)| Some(*code) == error) {
            self.limits.with(&[limit]).increment();
        }
    }
}

/// Adds to the counter of a status; looks it up the first time.
fn by_status(counters: &mut SmallVec<[(u16, Counter); 2]>, status: u16, find: impl FnOnce(&str) -> Counter) {
    match counters.iter().find(|(known, _)| *known == status) {
        Some((_, counter)) => counter.increment(),
        None => {
            let counter = find(itoa::Buffer::new().format(status));
            counter.increment();
            counters.push((status, counter));
        }
    }
}

/// Number and name of a method; one value for all others, since a client can make up methods.
fn known_method(method: &Method) -> (u8, &'static str) {
    match *method {
        Method::GET => (0, "GET"),
        Method::POST => (1, "POST"),
        Method::PUT => (2, "PUT"),
        Method::DELETE => (3, "DELETE"),
        Method::PATCH => (4, "PATCH"),
        Method::HEAD => (5, "HEAD"),
        Method::OPTIONS => (6, "OPTIONS"),
        Method::TRACE => (7, "TRACE"),
        Method::CONNECT => (8, "CONNECT"),
        _ => (u8::MAX, OTHER),
    }
}

/// Name of a service, or its id.
fn service_name(snap: &Snapshot, service: Option<Ix<Service>>) -> String {
    let Some(service) = service.map(|service| &snap.state.services[service]) else {
        return NO_SERVICE.to_owned();
    };
    service.name.clone().unwrap_or_else(|| service.id.to_string())
}

/// Pattern of a route that is not one of its literal paths.
const NOT_LITERAL: u8 = u8::MAX;

/// Number of the path of the route that has matched, if the route has several. Of regular expressions it is not known
/// which one has matched.
fn pattern_number(snap: &Snapshot, exchange: &Exchange) -> u8 {
    let Some(matched) = &exchange.route_match else { return 0 };
    let paths = snap.state.routes[matched.route].paths.as_deref().unwrap_or_default();
    if paths.len() < 2 {
        return 0;
    }
    let path = router::normalize(exchange.request.uri.path());
    let prefix = path.get(..matched.matched_len).unwrap_or_default();
    let literal = paths.iter().position(|pattern| pattern.as_bytes() == prefix);
    literal.and_then(|at| u8::try_from(at).ok()).unwrap_or(NOT_LITERAL)
}

/// The pattern of that number: a path of the route; all its regular expressions; for a route with an expression, its
/// name.
fn pattern(snap: &Snapshot, route: Ix<Route>, number: u8) -> String {
    let route = &snap.state.routes[route];
    let paths = route.paths.as_deref().unwrap_or_default();
    if let ([_, _, ..], NOT_LITERAL) = (paths, number) {
        let regexes: Vec<&str> =
            paths.iter().map(String::as_str).filter(|path| path.starts_with('~')).collect();
        return if regexes.is_empty() { paths.join("|") } else { regexes.join("|") };
    }
    match paths.get(usize::from(number)) {
        Some(path) => path.clone(),
        None if route.expression.is_some() => route.name.clone().unwrap_or_else(|| route.id.to_string()),
        None => "/".to_owned(),
    }
}
