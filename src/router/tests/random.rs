//! Random tables and random requests: the index gives the answer of a list that is tried in order.
//! `ROUTER_CASES` sets the number of requests (default 20,000).

use http::HeaderName;

use super::*;

/// Small numbers from a seed (xorshift), so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
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

fn route(dice: &mut Dice) -> Value {
    let mut route = json!({});
    if dice.chance(40) {
        route["hosts"] = dice.some(HOSTS).into();
    }
    if dice.chance(60) {
        route["paths"] = dice.some(PATHS).into();
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

fn request(dice: &mut Dice) -> Asking {
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
    let mut asking = Asking::new(host, path);
    asking.method = dice.pick(&["GET", "PUT", "POST", "get"]).into();
    asking.https = dice.chance(30);
    if dice.chance(5) {
        asking.host = None;
    }
    if asking.https && dice.chance(80) {
        asking.sni = Some(dice.pick(&["a.test", "b.test", "x.test", "a.b", "c"]).into());
    }
    for _ in 0..dice.roll(4) {
        let name: HeaderName = dice.pick(&["x-a", "x-b", "x-c", "x_c", "x-d"]).parse().unwrap();
        let value = dice.pick(&["1", "two", "TWO", "ono", "three", "12", "é"]);
        asking.headers.append(name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    asking
}

/// The rank that a list gives.
fn by_hand(router: &Router, asking: &Asking) -> Option<usize> {
    asking.with(|line, path| {
        let view = View::of_request(line, path);
        let readable = router.0.readable(line, path);
        router.0.matchers.iter().position(|matcher| readable && matcher.when.holds(&view, &mut None))
    })
}

fn cases() -> usize {
    std::env::var("ROUTER_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000)
}

#[test]
fn the_index_answers_as_a_list_would() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let per_table = 100;
    for table in 0..cases() / per_table {
        let size = [3, 12, 60, 200][table % 4];
        let routes: Vec<Value> = (0..size).map(|_| route(&mut dice)).collect();
        let router = compatible(&routes);
        for _ in 0..per_table {
            let asking = request(&mut dice);
            let found = asking.with(|line, path| {
                let readable = router.0.readable(line, path);
                readable
                    .then(|| router.0.index.find(&View::of_request(line, path), &router.0.matchers))
                    .flatten()
            });
            let listed = by_hand(&router, &asking);
            assert_eq!(found.map(|rank| rank as usize), listed, "table {table}: {asking:?}\n{routes:#?}");
        }
    }
}
