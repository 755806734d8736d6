//! Random tables and random requests: the index gives the answer of a list that is tried in order.
//! 100,000 requests of all flavors together; `ROUTER_CASES` sets another number for each flavor.

use http::HeaderName;

use super::*;
use crate::index::RankSet;

/// Pseudo-random numbers from a seed (xorshift), so that failures are reproducible.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.roll(100) < percent
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }

    fn some<'a>(&mut self, from: &[&'a str]) -> Vec<&'a str> {
        let mut out: Vec<&str> = Vec::new();
        for _ in 0..=self.roll(3) {
            let one = self.pick(from);
            if !out.contains(&one) {
                out.push(one);
            }
        }
        out
    }
}

const HOSTS: &[&str] = &[
    "a.test",
    "b.test",
    "*.test",
    "*.a.test",
    "a.*",
    "*.b.test:80",
    "a.test:8000",
    "b.*:81",
    "x.a.test",
    "c.test",
];
const PATHS: &[&str] = &[
    "/",
    "/a",
    "/a/",
    "/a/b",
    "/ab",
    "/b",
    "/a/b/c",
    "/c/d",
    "~/a",
    "~/a/\\d+",
    "~/a/(?<id>[a-z]+)/c$",
    "~/.*b",
    "~/b|/c",
    "~/(a|b)/c",
    "~/[ab]/(x)?",
    "/你",
    "~/\\w+$",
];
const HEADERS: &[&str] = &["X-A", "x-b", "X_C", "x-d"];
const VALUES: &[&str] = &["1", "Two", "~*^t", "~*(o)$", "~*\\D", "three"];

pub(super) fn route(dice: &mut Dice) -> Value {
    let mut route = json!({});
    if dice.chance(40) {
        route["hosts"] = dice.some(HOSTS).into();
    }
    if dice.chance(60) {
        route["paths"] = dice.some(PATHS).into();
    } else if dice.chance(50) {
        // Many paths with a common prefix.
        route["paths"] = json!([format!("~/(a|b)/s{}/\\d", dice.roll(40))]);
    }
    if dice.chance(25) {
        route["methods"] = dice.some(&["GET", "PUT", "POST"]).into();
    }
    if dice.chance(25) {
        for _ in 0..=dice.roll(2) {
            route["headers"][dice.pick(HEADERS)] = dice.some(VALUES).into();
        }
    }
    if dice.chance(15) {
        route["protocols"] = json!(["https"]);
        route["snis"] = dice.some(&["a.test", "*.test", "a.*", "b.test."]).into();
    }
    if dice.chance(20) {
        route["regex_priority"] = (dice.roll(5) as i64 - 1).into();
    }
    if ["hosts", "paths", "methods", "headers", "snis"].iter().all(|field| route.get(field).is_none()) {
        route["paths"] = json!([dice.pick(PATHS)]);
    }
    route
}

pub(super) fn request(dice: &mut Dice) -> OwnedRequest {
    let host = dice.pick(&[
        "a.test",
        "b.test",
        "x.a.test",
        "y.b.test",
        "a.b",
        "b.c:81",
        "a.test:8000",
        "y.b.test:80",
        "z",
    ]);
    let path = dice.pick(&[
        "/",
        "/a",
        "/a/",
        "/a/12",
        "/a/x/c",
        "/a/b/c/d",
        "/ab",
        "/b/c",
        "/c/d",
        "/x",
        "/%E4%BD%A0",
        "/%FF",
        "/b/x",
    ]);
    let mut request = OwnedRequest::new(host, path);
    if dice.chance(25) {
        request.path = format!("/a/s{}/1", dice.roll(50));
    }
    request.method = dice.pick(&["GET", "PUT", "POST", "get"]).into();
    request.https = dice.chance(30);
    if dice.chance(5) {
        request.host = None;
    }
    if request.https && dice.chance(80) {
        request.sni = Some(dice.pick(&["a.test", "b.test", "x.test", "a.b", "c"]).into());
    }
    if dice.chance(20) {
        request.query = dice.pick(&["q=1", "q=1&q=2", "q=%31&r", "q", "q=%FF", "r=%FF&q=1"]).into();
    }
    for _ in 0..dice.roll(4) {
        let name: HeaderName = dice.pick(&["x-a", "x-b", "x-c", "x_c", "x-d"]).parse().unwrap();
        let value = dice.pick(&["1", "two", "TWO", "ono", "three", "12", "é"]);
        request.headers.append(name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    request
}

/// Generates an expression in the router's language.
fn expression(dice: &mut Dice, depth: usize) -> String {
    if depth > 0 && dice.chance(70) {
        let (left, right) = (expression(dice, depth - 1), expression(dice, depth - 1));
        return match dice.roll(4) {
            0 | 1 => format!("{left} && {right}"),
            2 => format!("({left} || {right})"),
            _ => format!("!({left}) && {right}"),
        };
    }
    if dice.chance(15) {
        return format!("http.path contains \"s{}\"", dice.roll(40));
    }
    dice.pick(&[
        r#"http.path ^= "/a""#,
        r#"http.path == "/a/b""#,
        r#"http.path =^ "c""#,
        r#"http.path contains "b""#,
        r#"http.path ~ "^/a/(?P<id>.)""#,
        r#"http.path ~ "b|c""#,
        r#"lower(http.path) ^= "/AB""#,
        r#"http.path.segments.0 == "a""#,
        r#"http.path.segments.0_1 ^= "a/b""#,
        r#"http.path.segments.len == 2"#,
        r#"http.host == "a.test""#,
        r#"http.host =^ ".test""#,
        r#"(http.host == "b.test" || http.host ^= "a.")"#,
        r#"http.method == "GET""#,
        r#"http.method != "GET""#,
        r#"net.protocol == "https""#,
        r#"(net.protocol != "https" || tls.sni =^ ".test" || tls.sni == "c")"#,
        r#"net.dst.port == 81"#,
        r#"net.dst.port > 80"#,
        r#"net.src.ip in 127.0.0.0/8"#,
        r#"http.headers.x_a == "1""#,
        r#"any(http.headers.x_a) == "1""#,
        r#"any(lower(http.headers.x_a)) == "two""#,
        r#"lower(http.headers.x_a) ~ "^t(w)?""#,
        r#"http.headers.x_c != "1""#,
        r#"http.queries.q == "1""#,
        r#"any(http.queries.q) ^= "1""#,
    ])
    .to_owned()
}

/// Finds the rank by a linear scan.
fn linear_scan(router: &Router, request: &OwnedRequest) -> Option<usize> {
    request.with(|line, path| {
        let input = MatchInput::of_request(line, path);
        let is_utf8 = router.0.is_utf8(line, path);
        router.0.table.matchers.iter().position(|matcher| is_utf8 && matcher.when.matches(&input, &mut None))
    })
}

/// Checks `requests` requests against random tables. `also` creates an additional check for each table.
pub(super) fn check<A: FnMut(&Router, &OwnedRequest)>(
    flavor: Flavor,
    seed: u64,
    requests: usize,
    mut route: impl FnMut(&mut Dice) -> Value,
    also: impl Fn(&State) -> A,
) {
    let mut dice = Dice(seed);
    let per_table = 100;
    for table in 0..requests / per_table {
        let size = [3, 12, 60, 200][table % 4];
        let routes: Vec<Value> = (0..size).map(|_| route(&mut dice)).collect();
        let state = state(&routes);
        let (router, errors) = Router::build(&state, flavor, PriorityMode::Original);
        assert!(errors.is_empty(), "{errors:?}");
        let mut also = also(&state);
        for _ in 0..per_table {
            let request = request(&mut dice);
            let found = request.with(|line, path| {
                let rank = || router.0.table.rank(&MatchInput::of_request(line, path), RankSet::NONE);
                router.0.is_utf8(line, path).then(rank).flatten()
            });
            let expected = linear_scan(&router, &request);
            assert_eq!(found.map(|rank| rank as usize), expected, "table {table}: {request:?}\n{routes:#?}");
            also(&router, &request);
        }
    }
}

/// Generates a route of flavor `expressions`: most have an expression.
pub(super) fn mixed(dice: &mut Dice) -> Value {
    if dice.chance(20) {
        return route(dice);
    }
    let protocols =
        if dice.chance(30) { json!([dice.pick(&["http", "https"])]) } else { json!(["http", "https"]) };
    json!({"expression": expression(dice, 2), "priority": dice.roll(3), "protocols": protocols})
}

/// Number of requests: `ROUTER_CASES`, or the default.
#[allow(clippy::disallowed_methods, reason = "a test reads its own switch")]
pub(super) fn cases(quick: usize) -> usize {
    std::env::var("ROUTER_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(quick)
}

fn nothing(_: &State) -> impl FnMut(&Router, &OwnedRequest) + use<> {
    |_, _| {}
}

#[test]
fn the_index_equals_a_linear_scan() {
    check(Flavor::TraditionalCompatible, 0x9e37_79b9_7f4a_7c15, cases(40_000), route, nothing);
}

#[test]
fn the_index_equals_a_linear_scan_in_flavor_traditional() {
    check(Flavor::Traditional, 0x1234_5678_9abc_def1, cases(30_000), route, nothing);
}

#[test]
fn the_index_equals_a_linear_scan_with_expressions() {
    check(Flavor::Expressions, 0xfeed_beef_cafe_f00d, cases(30_000), mixed, nothing);
}
