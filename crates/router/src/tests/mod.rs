//! Tests of the public interface. `random` compares the index with a linear scan, `engine` with Kong's engine.

mod engine;
mod flavors;
mod incremental;
mod random;

use http::HeaderMap;
use serde_json::{Value, json};

use super::*;

/// Creates a configuration with these routes.
pub(super) fn state(routes: &[Value]) -> State {
    let mut state = State::default();
    for (number, route) in routes.iter().enumerate() {
        let mut whole = json!({ "id": format!("00000000-0000-4000-8000-{number:012}") });
        whole.as_object_mut().unwrap().extend(route.as_object().unwrap().clone());
        state.routes.push(serde_json::from_value(whole).unwrap());
    }
    state
}

/// An owned request.
#[derive(Clone, Debug)]
pub(super) struct OwnedRequest {
    pub method: String,
    pub https: bool,
    pub host: Option<String>,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub sni: Option<String>,
    pub source: (IpAddr, u16),
    pub destination: (IpAddr, u16),
}

impl OwnedRequest {
    pub fn new(host: &str, path: &str) -> Self {
        OwnedRequest {
            method: "GET".into(),
            https: false,
            host: Some(host.into()),
            path: path.into(),
            query: String::new(),
            headers: HeaderMap::new(),
            sni: None,
            source: ([127, 0, 0, 1].into(), 40000),
            destination: ([127, 0, 0, 2].into(), 8000),
        }
    }

    pub fn with<T>(&self, f: impl FnOnce(&RequestInput<'_>, &[u8]) -> T) -> T {
        let line = RequestInput {
            method: &self.method,
            https: self.https,
            host: self.host.as_deref(),
            query: &self.query,
            headers: &self.headers,
            sni: self.sni.as_deref(),
            source: self.source,
            destination: self.destination,
        };
        f(&line, &normalize(&self.path))
    }

    pub fn find(&self, router: &Router) -> Option<RouteMatch> {
        self.with(|line, path| router.find(line, path))
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(name, value.parse().unwrap());
        self
    }
}

fn router(flavor: Flavor, routes: &[Value]) -> Router {
    let (router, errors) = Router::build(&state(routes), flavor, PriorityMode::Original);
    assert!(errors.is_empty(), "{errors:?}");
    router
}

fn compatible(routes: &[Value]) -> Router {
    router(Flavor::TraditionalCompatible, routes)
}

fn number(router: &Router, request: &OwnedRequest) -> Option<usize> {
    request.find(router).map(|found| found.route.get())
}

#[test]
fn hosts_with_and_without_wildcards_and_ports() {
    let router = compatible(&[
        json!({"hosts": ["a.test"]}),
        json!({"hosts": ["*.a.test"]}),
        json!({"hosts": ["a.*"]}),
        json!({"hosts": ["b.test:99"]}),
        json!({"hosts": ["*.b.test:8000"]}),
    ]);
    for (host, route) in [
        ("a.test", Some(0)),
        ("a.test:81", Some(0)),
        ("A.test", None),
        ("x.y.a.test", Some(1)),
        ("xa.test", None),
        ("a.b", Some(2)),
        ("b.test", None),
        ("b.test:99", Some(3)),
        // The listener's port, where the request names none.
        ("x.b.test", Some(4)),
        ("x.b.test:1", None),
    ] {
        assert_eq!(number(&router, &OwnedRequest::new(host, "/")), route, "{host}");
    }
}

#[test]
fn headers_are_compared_in_lower_case_and_all_are_required() {
    let router = compatible(&[
        json!({"headers": {"X-A": ["One", "two"], "X_B": ["1"]}}),
        json!({"headers": {"X-A": ["~*^\\D+$"]}}),
    ]);
    let request = OwnedRequest::new("a", "/");
    assert_eq!(number(&router, &request.clone().header("x-a", "ONE").header("x-b", "1")), Some(0));
    assert_eq!(
        number(&router, &request.clone().header("x-a", "no").header("x-a", "two").header("x_b", "1")),
        Some(0)
    );
    assert_eq!(
        number(&router, &request.clone().header("x-a", "one").header("x-b", "1").header("x_b", "2")),
        None
    );
    assert_eq!(number(&router, &request.clone().header("x-a", "12")), Some(1));
    assert_eq!(number(&router, &request.clone().header("x-a", "ab")), None);
}

#[test]
fn server_names_count_only_over_tls() {
    let router = compatible(&[
        json!({"protocols": ["https"], "snis": ["a.test.", "*.b.test"], "paths": ["/"]}),
        json!({"protocols": ["https"], "paths": ["/"]}),
    ]);
    let tls = |sni: Option<&str>| OwnedRequest {
        https: true,
        sni: sni.map(Into::into),
        ..OwnedRequest::new("h", "/")
    };
    assert_eq!(number(&router, &OwnedRequest::new("h", "/")), Some(0));
    assert_eq!(number(&router, &tls(Some("a.test"))), Some(0));
    assert_eq!(number(&router, &tls(Some("x.b.test"))), Some(0));
    assert_eq!(number(&router, &tls(Some("b.test"))), Some(1));
    assert_eq!(number(&router, &tls(None)), Some(1));
}

#[test]
fn the_winning_part_of_a_split_route_determines_the_matched_length() {
    let router = compatible(&[json!({"paths": ["/a", "/a/b/c", "~/x/(?<id>\\d+)(/y)?"]})]);
    let find = |path: &str| {
        OwnedRequest::new("h", path).find(&router).map(|found| (found.matched_len, found.captures.to_vec()))
    };
    assert_eq!(find("/a/b"), Some((2, vec![])));
    assert_eq!(find("/a/b/c/d"), Some((6, vec![])));
    assert_eq!(find("/b"), None);
    let pair = |name: &str, text: &str| (name.into(), text.into());
    assert_eq!(find("/x/12/z"), Some((5, vec![pair("0", "/x/12"), pair("1", "12"), pair("id", "12")])));
    assert_eq!(
        find("/x/1/y"),
        Some((6, vec![pair("0", "/x/1/y"), pair("1", "1"), pair("id", "1"), pair("2", "/y")]))
    );
}

#[test]
fn greater_id_wins_between_equal_routes() {
    let router = compatible(&[json!({"paths": ["/a"]}), json!({"paths": ["/a"]}), json!({"paths": ["/b"]})]);
    assert_eq!(number(&router, &OwnedRequest::new("h", "/a")), Some(1));
}

#[test]
fn the_order_of_kong_3_9_and_the_documented_one() {
    let routes = [
        json!({"hosts": ["a.test"]}),
        json!({"methods": ["GET"], "paths": ["/x"]}),
        json!({"paths": ["~/x"]}),
    ];
    let request = OwnedRequest::new("a.test", "/x");
    let find = |calculation| {
        let (router, _) = Router::build(&state(&routes), Flavor::default(), calculation);
        number(&router, &request)
    };
    assert_eq!(find(PriorityMode::Original), Some(0));
    assert_eq!(find(PriorityMode::Strict), Some(1));
}

#[test]
fn a_path_that_is_not_utf8_matches_nothing() {
    let router = compatible(&[json!({"paths": ["/"]})]);
    assert_eq!(number(&router, &OwnedRequest::new("h", "/%FF")), None);
    assert_eq!(number(&router, &OwnedRequest::new("h", "/%C3%BC")), Some(0));
    // It matches if no route has a path condition.
    assert_eq!(number(&compatible(&[json!({"hosts": ["h"]})]), &OwnedRequest::new("h", "/%FF")), Some(0));
}

#[test]
fn a_broken_route_is_reported_and_the_others_stay() {
    let routes = [json!({"paths": ["~/(?=x)"]}), json!({"paths": ["/"]})];
    let (router, errors) = Router::build(&state(&routes), Flavor::default(), PriorityMode::Original);
    assert_eq!(errors.iter().map(|e| e.route.get()).collect::<Vec<_>>(), [0]);
    assert_eq!(number(&router, &OwnedRequest::new("h", "/x")), Some(1));
}

#[test]
fn an_expression_that_is_too_large_is_rejected() {
    let (_, errors) = Router::build(
        &state(&[json!({"paths": ["~/(\\w{1000}){100}"]})]),
        Flavor::default(),
        PriorityMode::Original,
    );
    assert!(errors[0].reason.contains("exceeds size limit"), "{errors:?}");
}

#[test]
fn routes_of_disabled_services_and_of_streams_are_left_out() {
    let mut state = state(&[
        json!({"paths": ["/"], "service": {"id": "00000000-0000-4000-8000-00000000000a"}}),
        json!({"protocols": ["tcp"], "sources": [{"port": 1}]}),
    ]);
    state.services.push(
        serde_json::from_value(json!({
            "id": "00000000-0000-4000-8000-00000000000a", "host": "h", "enabled": false
        }))
        .unwrap(),
    );
    let (router, errors) = Router::build(&state, Flavor::default(), PriorityMode::Original);
    assert!(errors.is_empty());
    assert_eq!(number(&router, &OwnedRequest::new("h", "/")), None);
}
