//! Names that are resolved by a DNS server on loopback, and the selection of targets.

use std::{net::SocketAddr, path::Path, sync::Arc};

use gatewayctl::{
    runtime::{self, Options},
    upstream::{Balancer, Destination, DnsOptions, OrderItem, QueryType, TryCounts},
};
use hickory_resolver::proto::rr::RecordType;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{
    dns_server::{DnsServer, addresses, srv},
    rig::*,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// Options with that name server, and without the files of this machine.
fn options(server: SocketAddr) -> Options {
    let none = || Path::new("/nowhere").to_owned();
    let dns = DnsOptions {
        name_servers: vec![server],
        hosts_file: none(),
        resolv_conf: none(),
        order: [QueryType::Srv, QueryType::A].map(OrderItem::Type).to_vec(),
        ..DnsOptions::default()
    };
    Options { dns, ..Options::default() }
}

fn by_name(name: &str, port: u16) -> Value {
    let mut config = one_service(([127, 0, 0, 1], port).into());
    config["services"][0]["host"] = json!(name);
    config
}

/// A service whose upstream has these targets.
fn balanced(targets: &[(String, u32)], service: Value) -> Value {
    let mut config = super::rig::service(([127, 0, 0, 1], 80).into(), service, json!({ "paths": ["/"] }));
    config["services"][0]["host"] = json!("u");
    config["upstreams"] = json!([{ "id": uuid(5), "name": "u" }]);
    let row = |(number, (target, weight)): (usize, &(String, u32))| {
        json!({
            "id": uuid(100 + number as u128), "target": target, "weight": weight, "upstream": { "id": uuid(5) },
        })
    };
    config["targets"] = targets.iter().enumerate().map(row).collect();
    config
}

fn balancer(rig: &Rig) -> Arc<Balancer> {
    let snapshot = rig.gateway.snapshot();
    let (service, _) = snapshot.state.services.iter().next().unwrap();
    match &snapshot.service(service).destination {
        Destination::Balanced(balancer) => Arc::clone(balancer),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_name_is_resolved_by_one_query_for_all_workers() {
    let (upstream, server) = (Upstream::echo().await, DnsServer::start().await);
    server.set("a.test", RecordType::A, addresses(60, &["127.0.0.1"]));
    let rig = Rig::with(by_name("a.test", upstream.address.port()), options(server.address), &[plain()]);
    let all = (0..20).map(|_| rig.send(GET));
    for answer in futures_util::future::join_all(all).await {
        assert_eq!(status(&answer), 200, "{answer}");
    }
    assert_eq!(server.queries(), ["SRV a.test.", "A a.test."]);
}

#[tokio::test]
async fn the_port_of_an_srv_record_replaces_that_of_the_service() {
    let (upstream, server) = (Upstream::echo().await, DnsServer::start().await);
    server.set("s.test", RecordType::SRV, srv(60, &[(1, 1, upstream.address.port(), "t.test")]));
    server.set("t.test", RecordType::A, addresses(60, &["127.0.0.1"]));
    let rig = Rig::with(by_name("s.test", 9), options(server.address), &[plain()]);
    assert_eq!(status(&rig.send(GET).await), 200);
}

#[tokio::test]
async fn a_name_that_the_server_does_not_know_is_a_503() {
    let server = DnsServer::start().await;
    let rig = Rig::with(by_name("b.test", 9), options(server.address), &[plain()]);
    for _ in 0..2 {
        let answer = rig.send(GET).await;
        assert!(status(&answer) == 503 && answer.contains("name resolution failed"), "{answer}");
    }
    assert_eq!(server.queries(), ["SRV b.test.", "A b.test."], "the result is remembered");
}

#[tokio::test]
async fn an_address_and_localhost_cause_no_query() {
    let (upstream, server) = (Upstream::echo().await, DnsServer::start().await);
    for host in ["127.0.0.1", "localhost", "a.localhost"] {
        let rig = Rig::with(by_name(host, upstream.address.port()), options(server.address), &[plain()]);
        assert_eq!(status(&rig.send(GET).await), 200, "{host}");
    }
    assert!(server.queries().is_empty());
}

#[tokio::test]
async fn a_retry_goes_to_a_target_that_was_not_tried_although_other_requests_move_the_rotation() {
    let upstream = Upstream::echo().await;
    let targets = [(unused_address().await.to_string(), 100), (upstream.address.to_string(), 100)];
    let rig = Rig::new(balanced(&targets, json!({ "retries": 1 })));
    let all = (0..40).map(|_| rig.send(GET));
    for answer in futures_util::future::join_all(all).await {
        assert_eq!(status(&answer), 200, "{answer}");
    }
    let balancer = balancer(&rig);
    let counts = balancer.targets()[0].state().try_counts();
    assert!(counts.connection_failures > 0 && counts.successes == 0, "{counts:?}");
    assert_eq!(balancer.targets()[1].state().try_counts(), TryCounts { successes: 40, ..Default::default() });
}

#[tokio::test]
async fn a_request_is_in_flight_until_its_response_has_ended_and_a_reload_keeps_the_count() {
    let (held, arrived, release) = Upstream::held().await;
    let target = (held.address.to_string(), 100);
    let rig = Rig::new(balanced(std::slice::from_ref(&target), json!({})));
    let mut client = rig.connect().await;
    client.write_all(GET.as_bytes()).await.unwrap();
    soon(arrived).await.unwrap();
    let old = balancer(&rig);
    assert_eq!(old.targets()[0].state().in_flight(), 1);
    // Another target, so that the balancer is not reused as a whole.
    let state = {
        let next = Rig::new(balanced(&[("127.0.0.1:9".to_owned(), 1), target], json!({})));
        Arc::clone(&next.gateway.snapshot().state)
    };
    let gateway = &rig.gateway;
    let (snapshot, _) =
        runtime::compile(state, &gateway.options, &gateway.stores, Some(&*gateway.snapshot()));
    gateway.swap(snapshot);
    let new = balancer(&rig);
    assert!(!Arc::ptr_eq(&old, &new));
    assert_eq!(new.targets()[1].state().in_flight(), 1, "the state of the target is the same");
    assert_eq!(new.targets()[0].state().in_flight(), 0);
    release.send(()).unwrap();
    let mut answer = String::new();
    soon(client.read_to_string(&mut answer)).await.unwrap();
    assert_eq!(status(&answer), 200);
    assert_eq!(new.targets()[1].state().in_flight(), 0);
    assert_eq!(new.targets()[1].state().try_counts(), TryCounts { successes: 1, ..Default::default() });
}
