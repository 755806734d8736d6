//! The cache: single flight, stale answers, negative answers, eviction, log lines.

use std::sync::Mutex;

use futures_util::future::join_all;
use hickory_resolver::proto::{op::ResponseCode, rr::RecordType};
use tokio::sync::Semaphore;

use super::{
    server::{Reply, addresses},
    *,
};

/// A reply that is held until the returned semaphore gets a permit.
fn held(reply: Reply) -> (Arc<Semaphore>, Reply) {
    let semaphore = Arc::new(Semaphore::new(0));
    (Arc::clone(&semaphore), Reply::Held(semaphore, Box::new(reply)))
}

#[tokio::test]
async fn concurrent_lookups_of_a_name_send_one_query() {
    let rig = Rig::new().await;
    let (release, reply) = held(addresses(60, &["10.0.0.1"]));
    rig.server.set("a.test", RecordType::A, reply);
    let workers: Vec<_> = (0..4).map(|_| rig.worker()).collect();
    let all = join_all((0..100).map(|n| resolve(&workers[n % 4], "a.test")));
    let (all, ()) = tokio::join!(all, async {
        rig.server.received(1).await;
        release.add_permits(1);
    });
    assert!(all.iter().all(|address| address == "10.0.0.1:80"), "{all:?}");
    assert_eq!(rig.server.queries(), ["A a.test."]);
}

#[tokio::test]
async fn a_client_that_disconnects_does_not_cancel_the_lookup_of_others() {
    let rig = Rig::new().await;
    let (release, reply) = held(addresses(60, &["10.0.0.1"]));
    rig.server.set("a.test", RecordType::A, reply);
    {
        let first = std::pin::pin!(rig.resolve("a.test"));
        tokio::select! {
            _ = first => panic!("the reply is held"),
            () = rig.server.received(1) => {}
        }
    }
    release.add_permits(1);
    assert_eq!(rig.resolve("a.test").await, "10.0.0.1:80");
    assert_eq!(rig.server.queries(), ["A a.test."]);
}

#[tokio::test]
async fn with_no_sync_each_lookup_sends_its_own_query() {
    let rig = Rig::with(|options| options.no_sync = true).await;
    let (release, reply) = held(addresses(60, &["10.0.0.1"]));
    rig.server.set("a.test", RecordType::A, reply);
    let all = join_all((0..5).map(|_| rig.resolve("a.test")));
    let (all, ()) = tokio::join!(all, async {
        rig.server.received(5).await;
        release.add_permits(100);
    });
    assert_eq!(all.len(), 5);
    assert_eq!(rig.server.queries().len(), 5);
    rig.resolve("a.test").await;
    assert_eq!(rig.server.queries().len(), 5, "answers are cached all the same");
}

#[tokio::test]
async fn an_answer_is_used_until_its_ttl_ends_and_no_query_is_sent_meanwhile() {
    let rig = Rig::new().await;
    rig.server.set("a.test", RecordType::A, addresses(60, &["10.0.0.1", "10.0.0.2"]));
    assert_eq!(rig.resolve("a.test").await, "10.0.0.1:80");
    pass(59 * SECOND).await;
    assert_eq!(rig.resolve("a.test").await, "10.0.0.2:80");
    assert_eq!(resolve(&rig.worker(), "a.test").await, "10.0.0.1:80", "each worker has its own rotation");
    assert_eq!(rig.server.queries().len(), 1);
}

#[tokio::test]
async fn requests_use_a_stale_answer_while_one_refresh_is_in_flight() {
    let rig = Rig::new().await;
    rig.server.set("a.test", RecordType::A, addresses(60, &["10.0.0.1"]));
    rig.resolve("a.test").await;
    let (release, reply) = held(addresses(60, &["10.0.0.2"]));
    rig.server.set("a.test", RecordType::A, reply);
    pass(61 * SECOND).await;
    let other = rig.worker();
    for worker in [&rig.worker, &other, &rig.worker] {
        // Ready immediately: nothing is awaited.
        let resolved = futures_util::FutureExt::now_or_never(resolve(worker, "a.test"));
        assert_eq!(resolved.as_deref(), Some("10.0.0.1:80"));
    }
    rig.server.received(2).await;
    let entry = rig.process.entry("a.test");
    let end = entry.flight_end();
    release.add_permits(1);
    end.await;
    for worker in [&rig.worker, &other] {
        assert_eq!(resolve(worker, "a.test").await, "10.0.0.2:80");
    }
    assert_eq!(rig.server.queries().len(), 2);
}

#[tokio::test]
async fn a_stale_answer_ends_with_stale_ttl() {
    let rig = Rig::with(|options| options.stale_ttl = 10 * SECOND).await;
    rig.server.set("a.test", RecordType::A, addresses(60, &["10.0.0.1"]));
    rig.resolve("a.test").await;
    rig.server.set("a.test", RecordType::A, addresses(60, &["10.0.0.2"]));
    pass(71 * SECOND).await;
    assert_eq!(rig.resolve("a.test").await, "10.0.0.2:80", "the request waits");
}

/// Resolves a name whose answer has expired, waits for the refresh, and resolves it again.
async fn refreshed(rig: &Rig, name: &str) -> String {
    let entry = rig.process.entry(name);
    let end = entry.flight_end();
    rig.resolve(name).await;
    end.await;
    rig.resolve(name).await
}

#[tokio::test]
async fn a_failed_refresh_keeps_the_addresses_and_is_repeated_after_error_ttl() {
    let rig = Rig::with(|options| options.order = order(&[QueryType::Srv, QueryType::A])).await;
    rig.server.set("a.test", RecordType::SRV, server::srv(60, &[(1, 1, 81, "t.test")]));
    rig.server.set("a.test", RecordType::A, addresses(60, &["10.0.0.9"]));
    rig.server.set("t.test", RecordType::A, addresses(60, &["10.0.0.1"]));
    assert_eq!(rig.resolve("a.test").await, "10.0.0.1:81");
    rig.server.set("a.test", RecordType::SRV, Reply::Code(ResponseCode::ServFail));
    pass(61 * SECOND).await;
    assert_eq!(refreshed(&rig, "a.test").await, "10.0.0.1:81", "no fall back to A");
    let queries = rig.server.queries().len();
    assert_eq!(rig.resolve("a.test").await, "10.0.0.1:81");
    assert_eq!(rig.server.queries().len(), queries, "no query within error_ttl");
    rig.server.set("a.test", RecordType::SRV, server::srv(60, &[(1, 1, 82, "t.test")]));
    pass(2 * SECOND).await;
    assert_eq!(refreshed(&rig, "a.test").await, "10.0.0.1:82");
}

#[tokio::test]
async fn a_name_that_has_gone_loses_its_addresses() {
    let rig = Rig::new().await;
    rig.server.set("a.test", RecordType::A, addresses(60, &["10.0.0.1"]));
    rig.resolve("a.test").await;
    rig.server.remove("a.test");
    pass(61 * SECOND).await;
    assert!(refreshed(&rig, "a.test").await.starts_with("cannot resolve a.test"));
}

#[tokio::test]
async fn failures_are_remembered_for_the_time_of_their_kind() {
    let rig = Rig::with(|options| {
        options.not_found_ttl = 30 * SECOND;
        options.error_ttl = SECOND;
    })
    .await;
    rig.server.set("failing.test", RecordType::A, Reply::Code(ResponseCode::Refused));
    for (name, ttl) in [("missing.test", 30), ("failing.test", 1)] {
        let before = rig.server.queries().len();
        let error = rig.resolve(name).await;
        assert!(error.starts_with(&format!("cannot resolve {name}: ")), "{error}");
        let sent = rig.server.queries().len();
        assert!(sent > before);
        assert_eq!(rig.resolve(name).await, error);
        assert_eq!(rig.server.queries().len(), sent, "{name}: remembered");
        pass(ttl * SECOND).await;
        rig.server.set(name, RecordType::A, addresses(60, &["10.0.0.1"]));
        assert_eq!(rig.resolve(name).await, "10.0.0.1:80");
    }
}

#[tokio::test]
async fn without_error_ttl_each_request_gets_the_failure_of_its_own_lookup() {
    let rig = Rig::with(|options| options.not_found_ttl = Duration::ZERO).await;
    for count in 1..=3 {
        assert!(rig.resolve("missing.test").await.starts_with("cannot resolve"));
        assert_eq!(rig.server.queries().len(), count);
    }
}

#[tokio::test]
async fn valid_ttl_replaces_the_ttl_of_records() {
    let rig = Rig::with(|options| options.valid_ttl = Some(5 * SECOND)).await;
    rig.server.set("a.test", RecordType::A, addresses(u32::MAX, &["10.0.0.1"]));
    rig.resolve("a.test").await;
    rig.server.set("a.test", RecordType::A, addresses(u32::MAX, &["10.0.0.2"]));
    pass(6 * SECOND).await;
    assert_eq!(refreshed(&rig, "a.test").await, "10.0.0.2:80");
}

#[tokio::test]
async fn the_least_recently_used_name_is_evicted() {
    let rig = Rig::with(|options| options.cache_size = 3).await;
    let names: Vec<String> = (0..4).map(|n| format!("{n}.test")).collect();
    for name in &names {
        rig.server.set(name, RecordType::A, addresses(60, &["10.0.0.1"]));
    }
    for name in &names[..3] {
        rig.resolve(name).await;
    }
    // Name 0 is used again, by a worker that does not have it yet.
    resolve(&rig.worker(), &names[0]).await;
    rig.resolve(&names[3]).await;
    assert_eq!((rig.process.cached_names(), rig.server.queries().len()), (3, 4));
    let other = rig.worker();
    for name in [&names[0], &names[2], &names[3]] {
        resolve(&other, name).await;
    }
    assert_eq!(rig.server.queries().len(), 4, "these are cached");
    resolve(&other, &names[1]).await;
    assert_eq!(rig.server.queries().len(), 5, "this one is not");
    assert_eq!(rig.process.cached_names(), 3);
}

#[tokio::test]
async fn a_worker_holds_no_more_names_than_the_cache() {
    let rig = Rig::with(|options| options.cache_size = 4).await;
    for n in 0..40 {
        let name = format!("{n}.test");
        rig.server.set(&name, RecordType::A, addresses(60, &["10.0.0.1"]));
        assert_eq!(rig.resolve(&name).await, "10.0.0.1:80");
        assert!(rig.worker.used_names() <= 4 && rig.process.cached_names() <= 4);
    }
}

/// Log lines of this thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("lock").write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn failures_are_logged_once_for_each_change() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_max_level(tracing::Level::INFO)
        .without_time()
        .with_ansi(false)
        .with_target(false)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let rig = Rig::new().await;
    for _ in 0..3 {
        rig.resolve("a.test").await;
        pass(31 * SECOND).await;
    }
    rig.server.set("a.test", RecordType::A, addresses(60, &["10.0.0.1"]));
    for _ in 0..2 {
        rig.resolve("a.test").await;
        pass(5000 * SECOND).await;
    }
    let text = String::from_utf8(lines.0.lock().expect("lock").clone()).expect("text");
    let about: Vec<&str> = text.lines().filter(|line| line.contains("a.test")).map(str::trim).collect();
    assert_eq!(
        about,
        ["WARN cannot resolve a.test: no such name, or it has no address", "INFO a.test resolves again"]
    );
}
