//! Each plugin's facts, held against the plugin with random requests.

use std::net::IpAddr;

use crate::shared::fixture::Fixture;
use model::State;
use plugin::{
    Exchange,
    testing::{PluginHarness, facts, request},
};
use proptest::{
    prelude::*,
    sample::{select, subsequence},
};
use serde_json::{Value, json};
use source::{Document, Findings, Limits, SourceMap, Span};

/// Consumer `amy` of group `staff` with a key, and `guest`.
fn state() -> State {
    let fixture = Fixture::default().consumer("amy", None).consumer("guest", None);
    fixture.key("amy", "k", 0, None).group("amy", "staff").build()
}

/// Configurations of each plugin.
fn configurations() -> Vec<(&'static str, Value)> {
    vec![
        ("acl", json!({"allow": ["staff"]})),
        ("acl", json!({"deny": ["staff", "others"], "hide_groups_header": true})),
        ("correlation-id", json!({"echo_downstream": true})),
        ("correlation-id", json!({"header_name": "X-Trace"})),
        ("cors", json!({"origins": ["https://a.test"]})),
        ("cors", json!({"preflight_continue": true})),
        ("ip-restriction", json!({"allow": ["10.0.0.0/8", "2001:db8::1"]})),
        ("ip-restriction", json!({"allow": ["10.0.0.0/8"], "deny": ["10.1.0.7", "fd00::/8"]})),
        ("ip-restriction", json!({"deny": ["0.0.0.0/1"]})),
        ("jwt", json!({})),
        ("jwt", json!({"anonymous": "guest", "run_on_preflight": false})),
        ("key-auth", json!({})),
        ("key-auth", json!({"anonymous": "guest"})),
        ("key-auth", json!({"run_on_preflight": false, "hide_credentials": true})),
        ("rate-limiting", json!({"minute": 3})),
        ("redirect", json!({"location": "https://a.test"})),
        ("request-size-limiting", json!({"allowed_payload_size": 3, "size_unit": "bytes"})),
        ("request-size-limiting", json!({"allowed_payload_size": -1})),
        ("request-size-limiting", json!({"require_content_length": true})),
        ("request-termination", json!({})),
        ("request-termination", json!({"trigger": "X-Closed", "status_code": 401})),
        ("request-termination", json!({"trigger": "closed"})),
        ("request-transformer", json!({"add": {"headers": ["x-added:1"]}})),
        ("response-transformer", json!({"remove": {"json": ["secret"]}})),
    ]
}

fn harness(name: &str, config: &Value) -> PluginHarness {
    let registry = crate::registry();
    let plugin_type = registry.plugin_type(name).expect("a plugin");
    let mut sources = SourceMap::default();
    let file = sources.add("config.json", config.to_string());
    let span = Span { file, start: 0, end: 0 };
    let (mut document, mut findings) = (Document::new(span), Findings::default());
    let root = source::parse_json(&sources, file, &mut document, &Limits::default(), &mut findings);
    let config = plugin_type.parse(&document, root.expect("JSON")).expect("settings of the plugin");
    PluginHarness::with_type(plugin_type, config, state()).expect("settings are valid")
}

fn any_request() -> impl Strategy<Value = Exchange> {
    let headers = vec![
        ("origin", "https://a.test"),
        ("origin", ""),
        ("access-control-request-method", "GET"),
        ("apikey", "k"),
        ("apikey", "other"),
        ("authorization", "Bearer a.b.c"),
        ("x-closed", ""),
        ("x_closed", "1"),
        ("content-length", "7"),
        ("kong-request-id", "mine"),
        ("x-consumer-username", "forged"),
        ("x-consumer-groups", "forged"),
        ("accept-encoding", "gzip"),
    ];
    let length = headers.len();
    (
        select(vec!["GET", "OPTIONS", "POST"]),
        select(vec![
            "/",
            "/?apikey=k",
            "/?X-Closed",
            "/?X-Closed=1&a=b",
            "/?x-closed=1",
            "/?closed",
            "/?closed=1",
        ]),
        subsequence(headers, 0..=length),
        select(vec!["10.1.0.7", "10.2.0.1", "127.0.0.1", "192.0.2.1", "2001:db8::1", "fd00::1"]),
        select(vec!["", "long enough"]),
        select(vec![None, Some("amy"), Some("guest")]),
    )
        .prop_map(|(method, target, headers, address, body, consumer)| {
            let mut exchange = request(method, target, &headers, body);
            exchange.client.ip = address.parse::<IpAddr>().expect("an address");
            exchange.consumer = consumer.and_then(|name| state().consumer(name));
            exchange
        })
}

#[test]
fn every_plugin_has_a_configuration_here() {
    let tested: Vec<&str> = configurations().iter().map(|(name, _)| *name).collect();
    for descriptor in crate::registry().descriptors() {
        assert!(tested.contains(&&*descriptor.name), "{} is not tested", descriptor.name);
    }
}

#[test]
fn plugins_do_what_their_facts_state() {
    for (name, config) in configurations() {
        let harness = harness(name, &config);
        assert_eq!(harness.facts().is_none(), name == "request-transformer", "{name} {config} has facts");
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(400));
        let result = runner.run(&any_request(), |mut exchange| {
            facts::check(&harness, &mut exchange).map_err(TestCaseError::fail)
        });
        result.unwrap_or_else(|error| panic!("{name} {config}: {error}"));
    }
}
