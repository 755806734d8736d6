//! The services for plugins together, over real sockets and on a runtime as workers have it.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{sync::Arc, time::Duration};

use client::{Client, Error};
use plugin::{WorkerHandle, WorkerTasks};
use store::{Clock, Fetched, KeyValue, KeyValueLimits, QueueOptions, Stores};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    runtime::{Builder, LocalOptions},
    sync::mpsc,
    task::spawn_local,
    time::timeout,
};

const DEADLINE: Duration = Duration::from_secs(30);

/// Starts a server that responds to each connection's first request, the first time with an error. Returns its URL and
/// the bodies that it receives.
async fn server() -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (sender, bodies) = mpsc::unbounded_channel();
    spawn_local(async move {
        let mut status = 503;
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut received = String::new();
            let body = loop {
                let mut part = [0; 4096];
                let count = connection.read(&mut part).await.unwrap();
                received.push_str(std::str::from_utf8(&part[..count]).unwrap());
                let Some((head, body)) = received.split_once("\r\n\r\n") else { continue };
                let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
                if body.len() == length.map_or(0, |length| length.parse().unwrap()) {
                    break body.to_owned();
                }
            };
            sender.send(body).unwrap();
            let response =
                format!("HTTP/1.1 {status} Status\r\ncontent-length: 4\r\nconnection: close\r\n\r\nkeys");
            connection.write_all(response.as_bytes()).await.unwrap();
            status = 200;
        }
    });
    (url, bodies)
}

fn on_worker<F: Future<Output = ()>>(test: impl FnOnce(Stores, WorkerHandle) -> F) {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
    let stores = Stores::default();
    let worker = WorkerHandle::new(0, &stores, Client::default());
    runtime.block_on(test(stores, worker));
}

async fn post(client: &Client, url: &str, body: String) -> Result<(), String> {
    let request = http::Request::post(url).body(body).unwrap();
    let response = client.send(request).await.map_err(|error| error.to_string())?;
    if response.status().is_success() { Ok(()) } else { Err(format!("status {}", response.status())) }
}

#[test]
fn a_queue_delivers_to_a_server_that_fails_first() {
    on_worker(|stores, worker| async move {
        let (url, mut bodies) = server().await;
        let client = worker.http().clone();
        let options = QueueOptions { max_batch_size: 2, ..QueueOptions::default() };
        let queue = stores.queues.open(&format!("http-log {url}"), options, move |batch: Arc<[String]>| {
            let (client, url) = (client.clone(), url.clone());
            async move { post(&client, &url, batch.join(",")).await }
        });
        queue.push("a".to_owned(), 1);
        queue.push("b".to_owned(), 1);
        queue.push("c".to_owned(), 1);
        assert_eq!(stores.queues.flush(DEADLINE).await, 0, "entries are lost");
        let mut received = Vec::new();
        for _ in 0..3 {
            received.push(bodies.recv().await.unwrap());
        }
        assert_eq!(received, ["a,b", "a,b", "c"], "the first attempt was repeated");
    });
}

#[test]
fn a_task_fetches_into_a_store_through_the_client_of_its_worker() {
    on_worker(|_, worker| async move {
        let (url, _bodies) = server().await;
        let keys = KeyValue::memory(KeyValueLimits::default(), Clock::default());
        let (done, mut is_done) = mpsc::unbounded_channel();
        let mut tasks = WorkerTasks::new(worker.clone());
        let of_task = keys.clone();
        tasks.adopt([("test".into(), Arc::new(()))], move |_, tasks| {
            let (keys, url, done) = (of_task.clone(), url.clone(), done.clone());
            tasks.leader().spawn("fetch", |worker| async move {
                let fetch = || async {
                    let response = worker.http().send(http::Request::get(&url).body(()).unwrap()).await?;
                    let value = response.into_body().bytes().await?;
                    Ok::<_, Error>(Fetched { value, ttl: Duration::from_secs(60) })
                };
                let external =
                    worker.http().external().send(http::Request::get(&url).body(()).unwrap()).await;
                assert!(matches!(external, Err(Error::AddressNotPermitted { .. })));
                done.send(keys.get_or_fetch(b"keys", fetch).await.unwrap()).unwrap();
            });
        });
        assert_eq!(timeout(DEADLINE, is_done.recv()).await.unwrap().unwrap(), "keys");
        assert_eq!(keys.get(b"keys").finish().await.unwrap().unwrap(), "keys");
    });
}
