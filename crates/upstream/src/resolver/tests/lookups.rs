//! Single lookups: record types, search list, hosts file, failures of the server.

use hickory_resolver::proto::{op::ResponseCode, rr::RecordType};

use super::{
    server::{Reply, addresses, cname, srv},
    *,
};
use QueryType::*;

#[tokio::test]
async fn types_are_queried_in_their_order_and_the_last_successful_one_first() {
    let rig = Rig::with(|options| options.order = order(&[Srv, A, Aaaa])).await;
    rig.server.set("a.test", RecordType::A, addresses(10, &["10.0.0.1"]));
    assert_eq!(rig.resolve("a.test").await, "10.0.0.1:80");
    assert_eq!(rig.server.queries(), ["SRV a.test.", "A a.test."]);
    pass(3700 * SECOND).await;
    assert_eq!(rig.resolve("a.test").await, "10.0.0.1:80");
    assert_eq!(rig.server.queries()[2..], ["A a.test."]);
    rig.server.set("six.test", RecordType::AAAA, addresses(10, &["2001:db8::1"]));
    assert_eq!(rig.resolve("six.test").await, "[2001:db8::1]:80");
}

#[tokio::test]
async fn without_a_type_in_the_order_its_records_are_not_used() {
    let rig = Rig::new().await;
    rig.server.set("six.test", RecordType::AAAA, addresses(10, &["2001:db8::1"]));
    let error = rig.resolve("six.test").await;
    assert_eq!(error, "cannot resolve six.test: no such name, or it has no address");
    assert_eq!(rig.server.queries(), ["A six.test."]);
}

#[tokio::test]
async fn srv_records_give_ports_and_weights_and_the_highest_priority_is_used() {
    let rig = Rig::with(|options| options.order = order(&[Srv, A])).await;
    let records = [
        (1, 30, 8080, "one.test"),
        (1, 10, 0, "two.test"),
        (2, 9, 9090, "backup.test"),
        (1, 5, 1, "gone.test"),
    ];
    rig.server.set("s.test", RecordType::SRV, srv(60, &records));
    for (name, ip) in [("one.test", "10.0.0.1"), ("two.test", "10.0.0.2"), ("backup.test", "10.0.0.9")] {
        rig.server.set(name, RecordType::A, addresses(60, &[ip]));
    }
    let mut counts = std::collections::BTreeMap::new();
    for _ in 0..40 {
        *counts.entry(rig.resolve("s.test").await).or_insert(0) += 1;
    }
    assert_eq!(counts, [("10.0.0.1:8080".to_owned(), 30), ("10.0.0.2:80".to_owned(), 10)].into());
}

#[tokio::test]
async fn aliases_are_followed() {
    let rig = Rig::with(|options| options.order = order(&[A, Cname])).await;
    rig.server.set("alias.test", RecordType::CNAME, cname(60, "second.test"));
    rig.server.set("second.test", RecordType::CNAME, cname(60, "a.test"));
    rig.server.set("a.test", RecordType::A, addresses(60, &["10.0.0.1"]));
    assert_eq!(rig.resolve("alias.test").await, "10.0.0.1:80");
    rig.server.set("loop.test", RecordType::CNAME, cname(60, "loop.test"));
    let error = rig.resolve("loop.test").await;
    assert!(error.starts_with("cannot resolve loop.test"), "{error}");
    // A server that returns the alias to a query for addresses.
    rig.server.set("other.test", RecordType::A, cname(60, "a.test"));
    assert_eq!(rig.resolve("other.test").await, "10.0.0.1:80");
}

#[tokio::test]
async fn the_search_list_and_ndots_of_resolv_conf_apply() {
    let conf = file("search one.test two.test\noptions ndots:2 timeout:1 attempts:1\n");
    let rig = Rig::with(|options| options.resolv_conf = conf.path().to_owned()).await;
    rig.server.set("a.b.two.test", RecordType::A, addresses(60, &["10.0.0.1"]));
    assert_eq!(rig.resolve("a.b").await, "10.0.0.1:80");
    assert_eq!(rig.server.queries(), ["A a.b.one.test.", "A a.b.two.test."]);
    rig.server.set("a.b.c", RecordType::A, addresses(60, &["10.0.0.2"]));
    assert_eq!(rig.resolve("a.b.c").await, "10.0.0.2:80");
    assert_eq!(rig.server.queries()[2..], ["A a.b.c."]);
}

#[tokio::test]
async fn names_of_the_hosts_file_and_localhost_cause_no_query() {
    let hosts = file("10.0.0.1 a.test\n10.0.0.2 a.test\n::1 localhost\n");
    let rig = Rig::with(|options| options.hosts_file = hosts.path().to_owned()).await;
    assert_eq!(rig.resolve("a.test").await, "10.0.0.1:80");
    assert_eq!(rig.resolve("a.test").await, "10.0.0.2:80");
    assert_eq!(rig.resolve("localhost").await, "[::1]:80");
    assert_eq!(rig.resolve("b.localhost").await, "127.0.0.1:80");
    pass(100 * 86_400 * SECOND).await;
    assert_eq!(rig.resolve("a.test").await, "10.0.0.1:80");
    assert!(rig.server.queries().is_empty());
}

#[tokio::test]
async fn a_truncated_response_is_requested_by_tcp() {
    let rig = Rig::new().await;
    let many: Vec<String> = (0..100).map(|n| format!("10.0.1.{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    rig.server.set("a.test", RecordType::A, Reply::Truncated(Box::new(addresses(60, &many))));
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..100 {
        seen.insert(rig.resolve("a.test").await);
    }
    assert_eq!(seen.len(), 100, "all addresses rotate");
    assert_eq!(rig.server.queries(), ["A a.test.", "A/tcp a.test."]);
}

#[tokio::test]
async fn a_response_with_a_wrong_id_is_ignored() {
    let rig = Rig::new().await;
    let right = Box::new(addresses(60, &["10.0.0.1"]));
    rig.server.set("a.test", RecordType::A, Reply::WrongIdFirst(right));
    for _ in 0..2 {
        assert_eq!(rig.resolve("a.test").await, "10.0.0.1:80");
    }
}

#[tokio::test]
async fn the_next_type_is_queried_if_the_server_fails_for_one() {
    let rig = Rig::with(|options| options.order = order(&[Srv, A])).await;
    rig.server.set("a.test", RecordType::SRV, Reply::Code(ResponseCode::ServFail));
    rig.server.set("a.test", RecordType::A, addresses(60, &["10.0.0.1"]));
    assert_eq!(rig.resolve("a.test").await, "10.0.0.1:80");
}

#[tokio::test]
async fn a_server_that_does_not_respond_is_given_up() {
    let conf = file("options timeout:1 attempts:1\n");
    let rig = Rig::with(|options| options.resolv_conf = conf.path().to_owned()).await;
    rig.server.set("a.test", RecordType::A, Reply::Silence);
    // The clock of the runtime skips to the timeout once nothing else is left to do.
    time::pause();
    let error = rig.resolve("a.test").await;
    time::resume();
    assert_eq!(error, "cannot resolve a.test: no response in time");
}

#[tokio::test]
async fn a_name_that_dns_cannot_express_is_not_queried() {
    let rig = Rig::new().await;
    let long = "a".repeat(64);
    assert!(rig.resolve(&long).await.starts_with("cannot resolve "));
    assert!(rig.server.queries().is_empty());
}

#[test]
fn lookups_run_on_a_thread_of_their_own() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let server = runtime.block_on(DnsServer::start());
    server.set("a.test", RecordType::A, addresses(60, &["10.0.0.1"]));
    let process = Resolver::new(options(server.address, |_| {}));
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let process = Arc::clone(&process);
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let worker = WorkerResolver::new(process, None);
                runtime.expect("a runtime").block_on(async { resolve(&worker, "a.test").await })
            })
        })
        .collect();
    for worker in workers {
        assert_eq!(worker.join().expect("no panic"), "10.0.0.1:80");
    }
    assert_eq!(server.queries(), ["A a.test."]);
}
