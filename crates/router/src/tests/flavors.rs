//! What the flavors `expressions` and `traditional` do otherwise, what is refused, and streams.

use super::*;

fn expressions(routes: &[Value]) -> Router {
    router(Flavor::Expressions, routes)
}

fn expression(text: &str) -> Router {
    expressions(&[json!({"expression": text})])
}

fn refused(flavor: Flavor, route: Value) -> Option<String> {
    let state = state(&[route]);
    validate_route(&state.routes.rows()[0], flavor).err()
}

#[test]
fn fields_and_operators_of_the_language() {
    let request = OwnedRequest {
        query: "a=1&a=2&b&c=%20x+y".into(),
        source: ([10, 1, 2, 3].into(), 4000),
        ..OwnedRequest::new("a.test:8000", "/x/y/z.json").header("x-a", "One").header("x-a", "two")
    };
    for (text, holds) in [
        (r#"http.path == "/x/y/z.json""#, true),
        (r#"http.path =^ ".json""#, true),
        (r#"http.path contains "/y/""#, true),
        (r#"http.path ~ "z.*n$""#, true),
        (r##"http.path ~ r#"^z"#"##, false),
        (r#"http.host == "a.test" && net.dst.port == 8000"#, true),
        (r#"net.port == 8000"#, true),
        (r#"net.dst.port >= 8001"#, false),
        (r#"http.method != "GET""#, false),
        (r#"http.path.segments.0 == "x" && http.path.segments.len == 3"#, true),
        (r#"http.path.segments.1_2 == "y/z.json""#, true),
        (r#"http.path.segments.1_3 == "y/z.json""#, false),
        (r#"http.path.segments.3 != "x""#, false),
        (r#"!(http.path.segments.3 == "x")"#, true),
        (r#"http.headers.x_a == "One""#, false),
        (r#"any(http.headers.x_a) == "One""#, true),
        (r#"any(lower(http.headers.x_a)) == "one""#, true),
        (r#"lower(http.headers.x_a) ~ "^(one|two)$""#, true),
        (r#"http.queries.a ~ "[12]" && any(http.queries.a) == "2" && http.queries.b == """#, true),
        (r#"http.queries.c == " x y""#, true),
        (r#"http.queries.d != "x""#, false),
        (r#"net.src.ip in 10.0.0.0/8"#, true),
        (r#"net.src.ip not in 10.0.0.0/8"#, false),
        (r#"net.src.ip not in fd00::/8"#, true),
        (r#"net.src.ip == 10.1.2.3"#, true),
        (r#"tls.sni != "x""#, false),
        // `||` binds tighter than `&&`.
        (r#"http.method == "PUT" && http.host == "b" || http.host == "a.test""#, false),
    ] {
        assert_eq!(number(&expression(text), &request).is_some(), holds, "{text}");
    }
}

#[test]
fn protocols_of_a_route_are_conditions_with_expressions() {
    let tls = |https| OwnedRequest { https, ..OwnedRequest::new("h", "/x") };
    let router = expressions(&[json!({"expression": "http.path ^= \"/x\"", "protocols": ["http"]})]);
    assert_eq!((number(&router, &tls(false)), number(&router, &tls(true))), (Some(0), None));
    let router = expressions(&[json!({"expression": "http.path ^= \"/x\"", "protocols": ["https"]})]);
    assert_eq!((number(&router, &tls(false)), number(&router, &tls(true))), (Some(0), Some(0)));
    let router = expressions(&[json!({"paths": ["/x"], "protocols": ["grpc"]})]);
    assert_eq!((number(&router, &tls(false)), number(&router, &tls(true))), (Some(0), None));
}

#[test]
fn expressions_precede_fields_and_are_ordered_by_priority() {
    let router = expressions(&[
        json!({"paths": ["/x"], "methods": ["GET"], "hosts": ["h"]}),
        json!({"expression": "http.path ^= \"/x\"", "priority": 70_368_744_177_662_u64}),
        json!({"expression": "http.path ^= \"/\"", "priority": 70_368_744_177_663_u64}),
    ]);
    assert_eq!(number(&router, &OwnedRequest::new("h", "/x")), Some(2));
}

#[test]
fn the_last_path_predicate_determines_the_matched_length() {
    let matched = |text| OwnedRequest::new("h", "/v12/y").find(&expression(text)).unwrap().matched_len;
    assert_eq!(matched(r#"http.path ~ "^/v\\d+""#), 4);
    assert_eq!(matched(r#"http.host == "h""#), 0);
    assert_eq!(matched(r#"http.path ^= "/v" && http.path =^ "/y""#), 2);
    assert_eq!(matched(r#"http.path ^= "/v12/" || http.path ^= "/v""#), 5);
    assert_eq!(matched(r#"(http.path ^= "/v12/" && http.host == "x") || http.host == "h""#), 5);
}

#[test]
fn invalid_routes_are_rejected_with_kongs_messages() {
    let expressions = |route| refused(Flavor::Expressions, route).unwrap_or_default();
    let start = "Router Expression failed validation: ";
    for (route, reason) in [
        (json!({"expression": "http.nothing == \"x\""}), "Unknown LHS field"),
        (
            json!({"expression": "http.path == 1"}),
            "Type mismatch between the LHS and RHS values of predicate",
        ),
        (
            json!({"expression": "http.path == \"/\"", "regex_priority": 5}),
            "cannot set 'regex_priority' with 'expression' simultaneously",
        ),
        (
            json!({"expression": "http.path == \"/\"", "paths": ["/"]}),
            "cannot set 'expression' with 'methods', 'hosts', 'paths', 'headers', 'snis', 'sources' or 'destinations' simultaneously",
        ),
        (
            json!({"priority": 1, "paths": ["/"]}),
            "cannot set 'priority' with 'methods', 'hosts', 'paths', 'headers', 'snis', 'sources' or 'destinations' simultaneously",
        ),
        (json!({"expression": "http.path.segments.2_1 == \"x\""}), "illformed http.path.segments.* field"),
        (json!({"expression": "http.path.segments.01 == \"x\""}), "illformed http.path.segments.* field"),
        (json!({"protocols": ["tcp"], "expression": "http.path == \"x\""}), "Unknown LHS field"),
        (json!({"expression": "! a == 1"}), " --> 1:1\n  |\n1 | ! a == 1\n  | ^---\n  |\n  = expected term"),
    ] {
        assert_eq!(expressions(route.clone()), format!("{start}{reason}"), "{route}");
    }
    assert_eq!(
        refused(Flavor::Expressions, json!({"expression": "net.port > 1 && http.path.segments.len == 2"})),
        None
    );
}

#[test]
fn field_based_routes_whose_expression_does_not_compile_are_rejected() {
    let compatible = |route| refused(Flavor::TraditionalCompatible, route);
    let message = compatible(json!({"paths": ["~/(?=x)"]})).unwrap();
    assert!(message.starts_with("Router Expression failed validation:  --> 1:14\n"), "{message}");
    assert!(message.contains("look-around"), "{message}");
    assert!(compatible(json!({"headers": {"a": []}})).unwrap().contains("expected"));
    assert!(compatible(json!({"headers": {"a": ["~*("]}})).unwrap().contains("unclosed group"));
    assert!(
        compatible(json!({"protocols": ["tcp"], "sources": [{"ip": "fd00::1/8"}]}))
            .unwrap()
            .contains("host part of address was not zero")
    );
    assert!(compatible(json!({"paths": ["~/(\\w{1000}){100}"]})).unwrap().contains("exceeds size limit"));
    for route in [
        json!({"paths": ["/a\"#b", "~/x/(?<id>\\d+)$"], "headers": {"a": ["\"#"]}, "hosts": ["*.a:80"]}),
        json!({"protocols": ["tcp"], "sources": [{"ip": "10.1.2.3/8", "port": 1}, {"ip": "::1"}]}),
        json!({}),
    ] {
        assert_eq!(compatible(route.clone()), None, "{route}");
    }
    assert_eq!(refused(Flavor::Traditional, json!({"paths": ["~/(?=x)"]})), None);
}

#[test]
fn traditional_order_counts_categories_first() {
    let routes = [
        json!({"hosts": ["a.test"]}),
        json!({"paths": ["/x"], "methods": ["GET"]}),
        json!({"paths": ["~/x"], "regex_priority": 100}),
    ];
    let router = router(Flavor::Traditional, &routes);
    let request = OwnedRequest::new("a.test", "/x");
    assert_eq!(number(&router, &request), Some(1));
    assert_eq!(number(&router, &OwnedRequest { method: "PUT".into(), ..request }), Some(0));
    assert_eq!(
        number(&router, &OwnedRequest { method: "PUT".into(), ..OwnedRequest::new("b", "/x") }),
        Some(2)
    );
}

#[test]
fn traditional_has_its_own_semantics_of_hosts_headers_and_regexes() {
    let router = router(
        Flavor::Traditional,
        &[
            json!({"hosts": ["a.test:80"]}),
            json!({"hosts": ["*.a.test"]}),
            json!({"hosts": ["*.a.test:443"]}),
            json!({"headers": {"X-A": ["~*^one", "~*two$"]}}),
            json!({"headers": {"X-B": ["~*^v[12]$"]}}),
            json!({"paths": ["~/(?!no)(\\w+)-"]}),
        ],
    );
    // A port in the route must be in the header; that of a wildcard may be the protocol's default.
    assert_eq!(number(&router, &OwnedRequest::new("a.test", "/")), None);
    assert_eq!(number(&router, &OwnedRequest::new("a.test:80", "/")), Some(0));
    assert_eq!(number(&router, &OwnedRequest::new("x.a.test", "/")), Some(1));
    assert_eq!(number(&router, &OwnedRequest { https: true, ..OwnedRequest::new("x.a.test", "/") }), Some(2));
    assert_eq!(number(&router, &OwnedRequest::new("h", "/").header("x-a", "one x")), None);
    assert_eq!(number(&router, &OwnedRequest::new("h", "/").header("x-a", "~*^ONE")), Some(3));
    assert_eq!(number(&router, &OwnedRequest::new("h", "/").header("x-b", "V1")), Some(4));
    // Look-ahead; capture 0 includes the remainder of the path.
    let found = OwnedRequest::new("h", "/yes-x").find(&router).unwrap();
    assert_eq!((found.route.get(), found.matched_len), (5, 5));
    let pair = |name: &str, text: &str| (name.into(), text.into());
    assert_eq!(found.captures.to_vec(), [pair("0", "/yes-x"), pair("1", "yes")]);
    assert_eq!(number(&router, &OwnedRequest::new("h", "/no-x")), None);
}

#[test]
fn traditional_matches_bytes() {
    let router = router(Flavor::Traditional, &[json!({"paths": ["/a"]}), json!({"paths": ["~/b.$"]})]);
    assert_eq!(number(&router, &OwnedRequest::new("h", "/a%FF")), Some(0));
    assert_eq!(number(&router, &OwnedRequest::new("h", "/b%FF")), Some(1));
}

#[test]
fn streams_are_found_by_name_and_address() {
    let routes = [
        json!({"protocols": ["tcp"], "sources": [{"ip": "10.0.0.0/8"}]}),
        json!({"protocols": ["tcp"], "destinations": [{"port": 9000}, {"ip": "127.0.0.2", "port": 9001}]}),
        json!({"protocols": ["tls"], "snis": ["a.test"], "destinations": [{"port": 9002}]}),
        json!({"protocols": ["tls_passthrough"], "snis": ["*.b.test"]}),
        json!({"paths": ["/"]}),
    ];
    let request = |sni, source: [u8; 4], port| StreamInput {
        udp: false,
        sni,
        source: (source.into(), 1),
        destination: ([127, 0, 0, 2].into(), port),
    };
    for flavor in [Flavor::TraditionalCompatible, Flavor::Traditional, Flavor::Expressions] {
        let (router, errors) = StreamRouter::build(&state(&routes), flavor, PriorityMode::Original);
        assert!(errors.is_empty(), "{errors:?}");
        let find = |connection: &StreamInput<'_>| router.find(connection).map(Ix::get);
        assert_eq!(find(&request(Some("a.test"), [1, 1, 1, 1], 9002)), Some(2), "{flavor:?}");
        assert_eq!(
            find(&request(Some("c.test"), [10, 1, 1, 1], 9003)),
            (flavor != Flavor::Expressions).then_some(0)
        );
        assert_eq!(find(&request(Some("c.test"), [1, 1, 1, 1], 9003)), None);
    }
    let (router, _) = StreamRouter::build(&state(&routes), Flavor::default(), PriorityMode::Original);
    let find = |connection: &StreamInput<'_>| router.find(connection).map(Ix::get);
    assert_eq!(find(&request(Some("x.b.test"), [10, 1, 1, 1], 1)), Some(3));
    assert_eq!(find(&request(Some("x"), [10, 1, 1, 1], 9000)), Some(0));
    assert_eq!(find(&request(Some("x"), [1, 1, 1, 1], 9001)), Some(1));
}
