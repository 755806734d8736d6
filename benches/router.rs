//! How fast the router finds a route among many: `cargo bench --bench router [routes]`.
//!
//! For each kind of table: processor time to build, memory the router adds, and the time of one look-up. The table
//! has 100,000 routes unless told otherwise. A look-up is measured alone, several times over; its figure
//! is the best of these, so that `worst` is the worst request and not the scheduler. `first` is the median
//! of first look-ups, when nothing of the route is in a cache.

#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "a bench reads its switches and prints"
)]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use gatewayctl::{
    model::{Route, State},
    router::{Flavor, PriorityMode, RequestInput, Router, normalize},
};
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

/// A request to make: host, path, method, value of `x-tenant`.
type Ask = (String, String, &'static str, Option<String>);

struct Table {
    name: &'static str,
    flavor: Flavor,
    routes: fn(usize, usize) -> Value,
    ask: fn(usize, usize) -> Ask,
}

const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];

fn get(host: String, path: String) -> Ask {
    (host, path, "GET", None)
}

const TABLES: &[Table] = &[
    Table {
        name: "paths",
        flavor: Flavor::TraditionalCompatible,
        routes: |i, _| json!({"paths": [format!("/team-{}/service-{i}/v1", i % 100)]}),
        ask: |i, _| get("h".into(), format!("/team-{}/service-{i}/v1/items/1", i % 100)),
    },
    Table {
        name: "hosts",
        flavor: Flavor::TraditionalCompatible,
        routes: |i, _| json!({"hosts": [format!("s{i}.example.com")]}),
        ask: |i, _| get(format!("s{i}.example.com"), "/items/1".into()),
    },
    Table {
        name: "hosts x paths",
        flavor: Flavor::TraditionalCompatible,
        routes: |i, _| json!({"hosts": [format!("t{}.example.com", i % 1000)], "paths": [format!("/service-{}", i / 1000)]}),
        ask: |i, _| get(format!("t{}.example.com", i % 1000), format!("/service-{}/items/1", i / 1000)),
    },
    Table {
        name: "mixed",
        flavor: Flavor::TraditionalCompatible,
        routes: mixed,
        ask: |i, _| {
            let host =
                if i % 7 == 0 { format!("x.w{i}.example.com") } else { format!("t{}.example.com", i % 5000) };
            (
                host,
                format!("/api/v{}/service-{i}/items/12", i % 3),
                METHODS[i % 4],
                Some(format!("tenant-{}", i % 50)),
            )
        },
    },
    Table {
        name: "regexes",
        flavor: Flavor::TraditionalCompatible,
        routes: |i, _| json!({"paths": [format!("~/team-{}/service-{i}/(?<id>\\d+)$", i % 100)]}),
        ask: |i, _| get("h".into(), format!("/team-{}/service-{i}/12", i % 100)),
    },
    Table {
        name: "one prefix, regexes",
        flavor: Flavor::TraditionalCompatible,
        routes: |i, _| json!({"paths": [format!("~/(v1|v2)/service-{i}/\\d+$")]}),
        ask: |i, _| get("h".into(), format!("/v2/service-{i}/12")),
    },
    Table {
        name: "no match",
        flavor: Flavor::TraditionalCompatible,
        routes: mixed,
        ask: |i, _| get(format!("none{i}.example.org"), format!("/nothing/{i}")),
    },
    Table {
        name: "traditional, mixed",
        flavor: Flavor::Traditional,
        routes: mixed,
        ask: |i, _| {
            (
                format!("t{}.example.com", i % 5000),
                format!("/api/v{}/service-{i}/items/12", i % 3),
                METHODS[i % 4],
                Some(format!("tenant-{}", i % 50)),
            )
        },
    },
    Table {
        name: "expressions",
        flavor: Flavor::Expressions,
        routes: |i, _| {
            json!({"expression": format!(
                "http.host == \"t{}.example.com\" && http.path ^= \"/service-{}\" && http.method == \"GET\"",
                i % 1000, i / 1000
            )})
        },
        ask: |i, _| get(format!("t{}.example.com", i % 1000), format!("/service-{}/items/1", i / 1000)),
    },
];

fn mixed(i: usize, _: usize) -> Value {
    let path = format!("/api/v{}/service-{i}", i % 3);
    match i % 10 {
        0 => json!({"paths": [format!("~{path}/items/\\d+$")], "methods": [METHODS[i % 4]]}),
        1 => json!({"paths": [path], "headers": {"x-tenant": [format!("tenant-{}", i % 50)]}}),
        2 => json!({"hosts": [format!("*.w{i}.example.com")]}),
        3..6 => {
            json!({"hosts": [format!("t{}.example.com", i % 5000)], "paths": [path], "methods": [METHODS[i % 4]]})
        }
        _ => json!({"hosts": [format!("t{}.example.com", i % 5000)], "paths": [path, "/health"]}),
    }
}

#[path = "../src/allocator.rs"]
mod allocator;

#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator;

/// Time this process has spent on a processor.
fn busy() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    Duration::from_nanos(stat.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}

/// Resident memory of this process in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

fn state(table: &Table, count: usize) -> State {
    let mut state = State::default();
    for i in 0..count {
        let mut route = (table.routes)(i, count);
        // Ids in no order, as in life.
        let id = (i as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        route["id"] = json!(uuid::Uuid::from_u128(id));
        match serde_json::from_value::<Route>(route) {
            Ok(route) => drop(state.routes.push(route)),
            Err(e) => panic!("{}: {e}", table.name),
        }
    }
    state
}

fn main() {
    let count = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(100_000);
    let only = std::env::var("ONLY").ok();
    println!(
        "{count} routes{:>30} {:>10} {:>9} {:>9} {:>9} {:>9} {:>7}",
        "build", "bytes", "first", "median", "p99", "worst", "found"
    );
    for table in TABLES.iter().filter(|table| only.as_deref().is_none_or(|only| table.name == only)) {
        measure(table, count);
    }
}

fn measure(table: &Table, count: usize) {
    let state = state(table, count);
    // A first router warms up the allocator, so that the second shows what one router holds.
    let spare = Router::build(&state, table.flavor, PriorityMode::Original);
    let before = resident();
    let start = busy();
    let (router, errors) = Router::build(&state, table.flavor, PriorityMode::Original);
    let build = busy() - start;
    assert!(errors.is_empty(), "{}: {}", table.name, errors[0]);
    let memory = resident().saturating_sub(before) / count;
    drop(spare);

    let mut found = 0;
    let mut first = Vec::new();
    let mut times = Vec::new();
    for n in 0..10_000 {
        let (host, path, method, tenant) = (table.ask)(n * 7919 % count, count);
        let mut headers = HeaderMap::new();
        headers.insert("accept", HeaderValue::from_static("*/*"));
        if let Some(tenant) = tenant.and_then(|tenant| tenant.parse().ok()) {
            headers.insert("x-tenant", tenant);
        }
        let path = normalize(&path);
        let line = RequestInput {
            method,
            https: false,
            host: Some(&host),
            query: "",
            headers: &headers,
            sni: None,
            source: ([127, 0, 0, 1].into(), 4000),
            destination: ([127, 0, 0, 1].into(), 8000),
        };
        let once = || {
            let start = Instant::now();
            let hit = black_box(router.find(black_box(&line), &path)).is_some();
            (start.elapsed(), hit)
        };
        let (time, hit) = once();
        found += usize::from(hit);
        first.push(time);
        times.push((0..10).map(|_| once().0).min().unwrap_or(time));
    }
    first.sort();
    times.sort();
    let nanos = |time: Duration| format!("{} ns", time.as_nanos());
    println!(
        "{:<24} {:>14.0?} {:>10} {:>9} {:>9} {:>9} {:>9} {:>5}",
        table.name,
        build,
        memory,
        nanos(first[first.len() / 2]),
        nanos(times[times.len() / 2]),
        nanos(times[times.len() * 99 / 100]),
        nanos(times[times.len() - 1]),
        found
    );
}
