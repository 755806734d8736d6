//! Counting, rejection and headers, with a manual clock that starts at 2023-11-14T22:13:20Z.

use std::{net::IpAddr, time::Duration};

use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use model::{Consumer, Row, Service};
use plugin::{
    ConfigPath, Credential,
    testing::{PluginHarness, request},
};
use source::Level;
use store::CounterStore;

fn harness(config: Value) -> PluginHarness {
    PluginHarness::new::<Plugin>(config, State::default()).expect("settings are valid")
}

/// Sends a request; returns the status (200 if the request passes) and the headers.
fn send(harness: &PluginHarness, exchange: &mut Exchange) -> u16 {
    match harness.access(exchange) {
        Ok(()) => 200,
        Err(ShortCircuit::Respond(reply)) => reply.status.as_u16(),
        Err(ShortCircuit::Fail(_)) => 500,
        Err(other) => panic!("{other:?}"),
    }
}

fn get(harness: &PluginHarness) -> (u16, Vec<(String, String)>) {
    let mut exchange = request("GET", "/", &[], "");
    let status = send(harness, &mut exchange);
    let text = |v: &HeaderValue| v.to_str().expect("text").to_owned();
    (status, exchange.response.headers.iter().map(|(n, v)| (n.to_string(), text(v))).collect())
}

fn header(headers: &[(String, String)], name: &str) -> Option<String> {
    headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone())
}

fn statuses(harness: &PluginHarness, exchanges: impl IntoIterator<Item = Exchange>) -> Vec<u16> {
    exchanges.into_iter().map(|mut exchange| send(harness, &mut exchange)).collect()
}

#[test]
fn requests_beyond_the_limit_are_rejected() {
    for (period, left) in [("minute", "40"), ("hour", "2800"), ("day", "6400"), ("month", "1388800")] {
        let harness = harness(json!({ period: 2 }));
        for remaining in ["1", "0"] {
            let (status, headers) = get(&harness);
            assert_eq!(status, 200);
            let name = format!("x-ratelimit-remaining-{period}");
            assert_eq!(header(&headers, &name).as_deref(), Some(remaining));
            assert_eq!(header(&headers, "ratelimit-remaining").as_deref(), Some(remaining));
            assert_eq!(header(&headers, "ratelimit-limit").as_deref(), Some("2"));
            assert_eq!(header(&headers, "ratelimit-reset").as_deref(), Some(left));
            assert_eq!(header(&headers, "retry-after"), None);
        }
        let (status, headers) = get(&harness);
        assert_eq!(status, 429);
        assert_eq!(header(&headers, "ratelimit-remaining").as_deref(), Some("0"));
        assert_eq!(header(&headers, "retry-after").as_deref(), Some(left));
    }
}

#[test]
fn a_new_window_starts_empty_and_rejected_requests_are_not_counted() {
    let harness = harness(json!({"second": 1, "minute": 3}));
    assert_eq!((get(&harness).0, get(&harness).0), (200, 429));
    harness.stores.clock.advance(Duration::from_secs(1));
    let (status, headers) = get(&harness);
    assert_eq!((status, header(&headers, "x-ratelimit-remaining-minute").as_deref()), (200, Some("1")));
}

#[test]
fn headers_report_the_window_with_the_fewest_remaining_requests() {
    let harness = harness(json!({"hour": 3, "day": 4}));
    let rate_limit_headers = |headers: &[(String, String)]| {
        ["limit", "remaining", "reset"].map(|what| header(headers, &format!("ratelimit-{what}")).expect(what))
    };
    assert_eq!(rate_limit_headers(&get(&harness).1), ["3", "2", "2800"]);
    harness.stores.clock.advance(Duration::from_secs(2800));
    assert_eq!(rate_limit_headers(&get(&harness).1), ["4", "2", "3600"]);
}

#[test]
fn an_exhausted_window_does_not_affect_the_others() {
    let harness = harness(json!({"hour": 1, "day": 5}));
    get(&harness);
    let (status, headers) = get(&harness);
    assert_eq!(status, 429);
    assert_eq!(header(&headers, "x-ratelimit-remaining-hour").as_deref(), Some("0"));
    assert_eq!(header(&headers, "x-ratelimit-remaining-day").as_deref(), Some("4"));
    assert_eq!(header(&headers, "retry-after").as_deref(), Some("2800"));
}

#[test]
fn a_fractional_limit_is_formatted_and_allows_two_requests() {
    let harness = harness(json!({"hour": 1.5}));
    let (_, headers) = get(&harness);
    assert_eq!(header(&headers, "x-ratelimit-limit-hour").as_deref(), Some("1.5"));
    assert_eq!(header(&headers, "x-ratelimit-remaining-hour").as_deref(), Some("0.5"));
    let (status, headers) = get(&harness);
    assert_eq!((status, header(&headers, "x-ratelimit-remaining-hour").as_deref()), (200, Some("0")));
    assert_eq!(get(&harness).0, 429);
}

#[test]
fn hidden_headers_are_omitted_from_rejections_too() {
    let harness = harness(json!({"hour": 1, "hide_client_headers": true}));
    assert_eq!((get(&harness), get(&harness)), ((200, vec![]), (429, vec![])));
}

#[test]
fn the_rejection_has_the_configured_status_and_message() {
    let harness = harness(json!({"hour": 1, "error_code": 418, "error_message": "too many teapots"}));
    get(&harness);
    let reply = harness.reply(&mut request("GET", "/", &[], ""));
    assert_eq!(reply.status, StatusCode::IM_A_TEAPOT);
    assert!(matches!(reply.body, LocalReplyBody::Message(Some(text)) if text == "too many teapots"));
}

#[test]
fn an_invalid_error_code_fails_when_it_is_used() {
    let harness = harness(json!({"hour": 1, "error_code": 200}));
    assert_eq!((get(&harness).0, get(&harness).0), (200, 500));
}

#[test]
fn addresses_are_counted_separately() {
    let harness = harness(json!({"hour": 1}));
    let from = |ip: &str| {
        let mut exchange = request("GET", "/", &[], "");
        exchange.client.ip = ip.parse::<IpAddr>().expect("an address");
        exchange
    };
    let requests = ["1.1.1.1", "1.1.1.1", "1.1.1.2", "::1", "::1"].map(from);
    assert_eq!(statuses(&harness, requests), [200, 429, 200, 200, 429]);
}

fn consumer(id: u128) -> Consumer {
    serde_json::from_value(json!({"id": Uuid::from_u128(id), "username": id.to_string()}))
        .expect("a consumer")
}

fn state() -> State {
    let mut state = State::default();
    state.consumers.push(consumer(11));
    state.consumers.push(consumer(12));
    for name in ["a", "b"] {
        let id = model::derived_id("services", name);
        let service = json!({"id": id, "name": name, "host": "a.test", "protocol": "http", "port": 80});
        state.services.push(serde_json::from_value::<Service>(service).expect("a service"));
    }
    state
}

fn authenticated(consumer: Option<usize>, credential: Option<u128>) -> Exchange {
    let mut exchange = request("GET", "/", &[], "");
    exchange.consumer = consumer.map(model::Ix::new);
    exchange.credential = credential.map(|id| Credential { id: Uuid::from_u128(id), identifier: None });
    exchange
}

#[test]
fn consumers_then_credentials_then_addresses_are_counted_separately() {
    let harness = PluginHarness::new::<Plugin>(json!({"hour": 1}), state()).expect("settings are valid");
    let requests = [
        authenticated(Some(0), Some(1)),
        authenticated(Some(0), Some(2)),
        authenticated(Some(1), Some(3)),
        authenticated(None, Some(3)),
        authenticated(None, Some(3)),
        authenticated(None, None),
        authenticated(None, None),
    ];
    assert_eq!(statuses(&harness, requests), [200, 429, 200, 200, 429, 200, 429]);
}

#[test]
fn credentials_of_one_consumer_are_counted_separately() {
    let config = json!({"hour": 1, "limit_by": "credential"});
    let harness = PluginHarness::new::<Plugin>(config, state()).expect("settings are valid");
    let requests =
        [authenticated(Some(0), Some(1)), authenticated(Some(0), Some(1)), authenticated(Some(0), Some(2))];
    assert_eq!(statuses(&harness, requests), [200, 429, 200]);
    assert_eq!(statuses(&harness, [authenticated(Some(0), None), authenticated(Some(1), None)]), [200, 429]);
}

#[test]
fn services_are_counted_separately() {
    let config = json!({"hour": 1, "limit_by": "service"});
    let harness = PluginHarness::new::<Plugin>(config, state()).expect("settings are valid");
    let to = |service: usize| {
        let mut exchange = request("GET", "/", &[], "");
        exchange.route_match = Some(plugin::RouteMatch {
            route: model::Ix::new(0),
            service: Some(model::Ix::new(service)),
            matched_len: 0,
            captures: Default::default(),
        });
        exchange
    };
    assert_eq!(statuses(&harness, [to(0), to(1), to(0), to(1)]), [200, 200, 429, 429]);
}

#[test]
fn header_values_are_counted_separately_and_addresses_without_the_header() {
    let harness = harness(json!({"hour": 1, "limit_by": "header", "header_name": "X-Tenant"}));
    let with = |headers: &[(&str, &str)]| request("GET", "/", headers, "");
    let requests = [
        with(&[("X-Tenant", "a")]),
        with(&[("x-tenant", "a")]),
        with(&[("x_tenant", "b")]),
        with(&[("X-Tenant", "b"), ("X-Tenant", "c")]),
        with(&[]),
        with(&[]),
        with(&[("X-Tenant", "127.0.0.1")]),
    ];
    assert_eq!(statuses(&harness, requests), [200, 429, 200, 429, 200, 429, 200]);
}

#[test]
fn the_path_is_counted_globally_and_other_paths_by_address() {
    let harness = harness(json!({"hour": 1, "limit_by": "path", "path": "/login"}));
    let from = |path: &str, ip: u8| {
        let mut exchange = request("GET", path, &[], "");
        exchange.client.ip = IpAddr::from([10, 0, 0, ip]);
        exchange
    };
    let requests = [
        from("/login?a=1", 1),
        from("/x/../login", 2),
        from("/login/", 2),
        from("/other", 2),
        from("/other", 3),
    ];
    assert_eq!(statuses(&harness, requests), [200, 429, 200, 429, 200]);
}

/// Builds the plugin for a row of this service and consumer with the stores of another harness.
fn rebuilt(harness: &PluginHarness, config: Value, service: Option<u128>, consumer: Option<u128>) -> Plugin {
    let config: Config = serde_json::from_value(config).expect("settings fit");
    let row = model::PluginEntity {
        id: Uuid::from_u128(5),
        name: "rate-limiting".to_owned(),
        instance_name: None,
        service: service.map(|id| model::Ref::new(Uuid::from_u128(id))),
        route: None,
        consumer: consumer.map(|id| model::Ref::new(Uuid::from_u128(id))),
        config: std::sync::Arc::new(config.clone()),
        protocols: model::Set::default(),
        enabled: true,
        tags: None,
        created_at: 0,
        updated_at: 0,
        origin: None,
    };
    assert_eq!(row.id(), Uuid::from_u128(5));
    let mut with = BuildContext::new(&row, &harness.state, &harness.stores);
    <Plugin as plugin::Plugin>::build(config, &mut with).expect("settings are valid")
}

/// Runs the access hook, which does not wait for counters in memory.
fn access(plugin: &Plugin, exchange: &mut Exchange, state: &State) -> HookResult {
    match plugin.access(Ctx { exchange, state }) {
        HookFuture::Ready(result) => result,
        HookFuture::Boxed(_) => panic!("counters in memory are immediate"),
    }
}

fn passes(plugin: &Plugin, state: &State) -> bool {
    access(plugin, &mut request("GET", "/", &[], ""), state).is_ok()
}

/// Counters of a server that cannot be reached.
#[derive(Debug)]
struct Unreachable;

impl CounterStore for Unreachable {
    fn try_acquire<'a>(
        &'a self,
        _: &[u8],
        _: &CalendarWindows,
        _: &Limits,
    ) -> StoreFuture<'a, Result<Acquired, StoreError>> {
        StoreFuture::boxed(async {
            tokio::task::yield_now().await;
            Err(StoreError::Unavailable("connection refused".into()))
        })
    }
}

#[tokio::test]
async fn without_counters_requests_pass_only_if_that_is_tolerated() {
    for is_tolerated in [true, false] {
        let mut harness = harness(json!({"hour": 1}));
        harness.stores.counters = Counters::new(std::sync::Arc::new(Unreachable));
        let plugin = rebuilt(&harness, json!({"hour": 1, "fault_tolerant": is_tolerated}), None, None);
        let mut exchange = request("GET", "/", &[], "");
        let result = plugin.access(Ctx { exchange: &mut exchange, state: &harness.state }).finish().await;
        match result {
            Ok(()) => assert!(is_tolerated),
            Err(ShortCircuit::Fail(reason)) => {
                assert!(!is_tolerated);
                assert_eq!(reason, "rate-limiting: the store is unavailable: connection refused");
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn counters_survive_a_reload_that_raises_the_limit() {
    let harness = harness(json!({"hour": 1}));
    assert_eq!((get(&harness).0, get(&harness).0), (200, 429));
    let raised = rebuilt(&harness, json!({"hour": 3}), None, None);
    let mut exchange = request("GET", "/", &[], "");
    access(&raised, &mut exchange, &harness.state).expect("the limit is not exceeded");
    assert_eq!(exchange.response.headers["x-ratelimit-remaining-hour"], "1");
}

#[test]
fn plugins_on_different_services_are_counted_separately_and_those_on_consumers_globally() {
    let harness = harness(json!({"hour": 1}));
    assert_eq!(get(&harness).0, 200);
    let on_service = rebuilt(&harness, json!({"hour": 1}), Some(1), None);
    let on_consumer = rebuilt(&harness, json!({"hour": 1}), None, Some(2));
    assert!(passes(&on_service, &harness.state), "the service has its own count");
    assert!(!passes(&on_service, &harness.state));
    assert!(
        !passes(&on_consumer, &harness.state),
        "a row without service shares the count of the global one"
    );
}

#[test]
fn policy_redis_is_reported_as_unsupported() {
    let redis = |tolerant: bool| json!({"hour": 1, "policy": "redis", "fault_tolerant": tolerant, "redis": {"host": "a"}});
    let tolerant = harness(redis(true));
    assert_eq!((get(&tolerant), get(&tolerant)), ((200, vec![]), (200, vec![])));
    assert_eq!(get(&harness(redis(false))).0, 500);
    let found = checked(redis(false));
    assert_eq!(found.len(), 1);
    let (level, code, place, message) = &found[0];
    assert_eq!(
        (*level, *code, place),
        (Level::Error, "plugin/redis-not-yet", &ConfigPath::Field("/policy".into()))
    );
    assert!(message.contains("500"), "{message}");
}

type Found = Vec<(Level, &'static str, ConfigPath, String)>;

fn checked(config: Value) -> Found {
    let mut checks = Diagnostics::default();
    serde_json::from_value::<Config>(config).expect("settings fit").check(&mut checks);
    checks.entries
}

#[test]
fn a_longer_period_cannot_have_a_lower_limit() {
    let cases = [
        (json!({"minute": 10, "hour": 10}), None),
        (
            json!({"second": 5, "day": 4}),
            Some("The limit for day(4.0) cannot be lower than the limit for second(5.0)"),
        ),
        (
            json!({"hour": 2.5, "month": 3, "year": 1}),
            Some("The limit for year(1.0) cannot be lower than the limit for hour(2.5)"),
        ),
        (json!({"hour": 1, "sync_rate": 1}), Some("sync_rate can only be used with the redis policy")),
        (
            json!({"hour": 1, "policy": "redis", "sync_rate": 0.01}),
            Some("sync_rate must be greater than 0.02, or -1 to disable"),
        ),
    ];
    for (config, expected) in cases {
        let found = checked(config.clone());
        let error =
            found.iter().find(|(level, ..)| *level == Level::Error).map(|(.., message)| message.as_str());
        assert_eq!(error, expected, "{config}");
    }
}

#[test]
fn defaults_are_those_of_kong() {
    assert_eq!(
        serde_json::to_value(Config::default()).expect("json"),
        json!({
            "second": null, "minute": null, "hour": null, "day": null, "month": null, "year": null,
            "limit_by": "consumer", "header_name": null, "path": null, "policy": "local",
            "fault_tolerant": true,
            "redis": {
                "host": null, "port": 6379, "timeout": 2000, "username": null, "password": null,
                "database": 0, "ssl": false, "ssl_verify": false, "server_name": null
            },
            "hide_client_headers": false, "error_code": 429, "error_message": "API rate limit exceeded",
            "sync_rate": -1
        })
    );
}

/// `cargo test --release -- --ignored --nocapture rate_limiting`
#[test]
#[ignore = "prints how long a request takes"]
#[allow(clippy::disallowed_macros, reason = "printing is all it does")]
fn print_the_cost_of_a_request() {
    let harness = harness(json!({"minute": 1_000_000_000_u64, "hour": 10_000_000_000_u64}));
    let mut exchange = request("GET", "/", &[], "");
    let plugin =
        rebuilt(&harness, json!({"minute": 1_000_000_000_u64, "hour": 10_000_000_000_u64}), None, None);
    let begin = std::time::Instant::now();
    let rounds = 1_000_000_u32;
    for _ in 0..rounds {
        exchange.response.headers.clear();
        access(&plugin, &mut exchange, &harness.state).expect("the limit is not exceeded");
    }
    eprintln!("{:?} a request with two windows", begin.elapsed() / rounds);
}
