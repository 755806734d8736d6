//! The resolver against a DNS server on loopback.

mod cache;
mod lookups;
mod model;
mod server;

use std::{io::Write, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use tempfile::NamedTempFile;
use tokio::{runtime::Handle, time};

use super::*;
use server::DnsServer;

/// A worker's resolver, that of the process, and the server that it asks.
struct Rig {
    server: DnsServer,
    process: Arc<Resolver>,
    worker: WorkerResolver,
}

impl Rig {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// Creates a resolver without hosts file and `resolv.conf`, with options that `change` changes. Lookups run on the
    /// runtime of the test.
    async fn with(change: impl FnOnce(&mut DnsOptions)) -> Self {
        let server = DnsServer::start().await;
        let process = Resolver::on_runtime(options(server.address, change), Handle::current());
        let worker = WorkerResolver::new(Arc::clone(&process), None);
        Rig { server, process, worker }
    }

    /// Creates the resolver of another worker.
    fn worker(&self) -> WorkerResolver {
        WorkerResolver::new(Arc::clone(&self.process), None)
    }

    async fn resolve(&self, name: &str) -> String {
        resolve(&self.worker, name).await
    }
}

fn options(server: SocketAddr, change: impl FnOnce(&mut DnsOptions)) -> DnsOptions {
    let none = || Path::new("/nowhere").to_owned();
    let mut options = DnsOptions {
        name_servers: vec![server],
        hosts_file: none(),
        resolv_conf: none(),
        order: order(&[QueryType::A]),
        ..DnsOptions::default()
    };
    change(&mut options);
    options
}

/// Returns an order with `LAST` before the types.
fn order(types: &[QueryType]) -> Vec<OrderItem> {
    [OrderItem::Last].into_iter().chain(types.iter().copied().map(OrderItem::Type)).collect()
}

/// Resolves a name with port 80 to text: the address, or the reason why there is none.
async fn resolve(worker: &WorkerResolver, name: &str) -> String {
    match worker.resolve(name, 80).await {
        Ok(address) => address.to_string(),
        Err(error) => error.to_string(),
    }
}

/// Lets time pass while no query is in flight: the clock of the runtime stands still only during the call.
async fn pass(duration: Duration) {
    time::pause();
    time::advance(duration).await;
    time::resume();
}

const SECOND: Duration = Duration::from_secs(1);

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a file");
    file.write_all(text.as_bytes()).expect("written");
    file
}
