//! Host names to addresses: the hosts file, then DNS, with a cache that honours TTLs.
//!
//! One resolver to a worker thread, so that a look-up in the cache takes no lock.

use std::{
    cell::{Cell, RefCell},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use ahash::AHashMap;
use hickory_resolver::{
    TokioResolver,
    proto::rr::{RData, RecordType},
};
use smallvec::SmallVec;
use tokio::sync::OnceCell;

use super::PickError;

/// Addresses of a name, with ports where an SRV record gives them.
type Addresses = SmallVec<[(IpAddr, Option<u16>); 4]>;

#[derive(Debug)]
struct Entry {
    found: Result<Addresses, String>,
    until: Instant,
    turn: Cell<usize>,
}

/// Addresses that stand for hosts, whatever those resolve to: mocks of a test. No other host is asked.
#[derive(Debug, Default)]
pub struct Hosts {
    /// By host in lower case, or by `host:port`.
    pub known: AHashMap<String, SocketAddr>,
    /// For all that are not known.
    pub other: Option<SocketAddr>,
}

impl Hosts {
    fn find(&self, host: &str, port: u16) -> Option<SocketAddr> {
        let exact = self.known.get(&format!("{host}:{port}")).or_else(|| self.known.get(host));
        exact.copied().or(self.other)
    }
}

/// A resolver with its cache.
#[derive(Debug, Default)]
pub struct Resolver {
    hosts: Option<Arc<Hosts>>,
    client: OnceCell<TokioResolver>,
    cache: RefCell<AHashMap<Box<str>, Entry>>,
}

/// How long a failure is remembered, as Kong's `dns_error_ttl`.
const FAILURE: Duration = Duration::from_secs(1);
/// Shortest and longest life of an answer.
const LIFE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3600));
/// Names held; beyond it what has expired is dropped, then everything.
const NAMES: usize = 10_000;

impl Resolver {
    /// A resolver that knows those hosts alone, if any are given.
    pub fn new(hosts: Option<Arc<Hosts>>) -> Self {
        Resolver { hosts, ..Resolver::default() }
    }

    /// Where a literal address leads: to itself, unless another stands for it.
    pub fn address(&self, address: SocketAddr) -> SocketAddr {
        let hosts = self.hosts.as_ref().filter(|_| !address.ip().is_loopback());
        hosts.and_then(|hosts| hosts.find(&address.ip().to_string(), address.port())).unwrap_or(address)
    }

    /// An address of a name, which must be in lower case; addresses take turns.
    ///
    /// # Errors
    /// When the name has none.
    pub async fn resolve(&self, name: &str, port: u16) -> Result<SocketAddr, PickError> {
        if let Some(hosts) = &self.hosts {
            let unknown = || PickError::Name { name: name.to_owned(), reason: "no mock has it".to_owned() };
            return hosts.find(name, port).ok_or_else(unknown);
        }
        if let Some(known) = self.cached(name) {
            return known.map(|(ip, own)| SocketAddr::new(ip, own.unwrap_or(port)));
        }
        let (found, life) = Box::pin(self.look_up(name)).await;
        let entry = Entry { found, until: Instant::now() + life, turn: Cell::new(0) };
        {
            let mut cache = self.cache.borrow_mut();
            if cache.len() >= NAMES {
                let now = Instant::now();
                cache.retain(|_, entry| entry.until > now);
                if cache.len() >= NAMES {
                    cache.clear();
                }
            }
            cache.insert(name.into(), entry);
        }
        match self.cached(name) {
            Some(known) => known.map(|(ip, own)| SocketAddr::new(ip, own.unwrap_or(port))),
            None => {
                Err(PickError::Name { name: name.to_owned(), reason: "the answer has expired".to_owned() })
            }
        }
    }

    fn cached(&self, name: &str) -> Option<Result<(IpAddr, Option<u16>), PickError>> {
        let cache = self.cache.borrow();
        let entry = cache.get(name).filter(|entry| entry.until > Instant::now())?;
        Some(match &entry.found {
            Ok(addresses) => {
                let turn = entry.turn.replace(entry.turn.get().wrapping_add(1));
                Ok(addresses[turn % addresses.len()])
            }
            Err(reason) => Err(PickError::Name { name: name.to_owned(), reason: reason.clone() }),
        })
    }

    async fn look_up(&self, name: &str) -> (Result<Addresses, String>, Duration) {
        // RFC 6761: localhost never goes out to a name server.
        if name == "localhost" || name.ends_with(".localhost") {
            return (Ok(SmallVec::from_iter([(IpAddr::V4(Ipv4Addr::LOCALHOST), None)])), LIFE.1);
        }
        let client = match self.client.get_or_try_init(client).await {
            Ok(client) => client,
            Err(reason) => return (Err(reason), FAILURE),
        };
        let reason = match client.lookup_ip(name).await {
            Ok(found) => {
                let mut addresses: Addresses = found.iter().map(|ip| (ip, None)).collect();
                // Kong's order: A before AAAA.
                addresses.sort_by_key(|(ip, _)| ip.is_ipv6());
                if addresses.iter().any(|(ip, _)| ip.is_ipv4()) {
                    addresses.retain(|(ip, _)| ip.is_ipv4());
                }
                if !addresses.is_empty() {
                    return (Ok(addresses), life(found.valid_until()));
                }
                "no address".to_owned()
            }
            Err(error) => error.to_string(),
        };
        match self.services(client, name).await {
            Some((addresses, until)) => (Ok(addresses), life(until)),
            None => (Err(reason), FAILURE),
        }
    }

    /// Addresses by SRV records of the best priority, each as often as its weight says, four times at most.
    async fn services(&self, client: &TokioResolver, name: &str) -> Option<(Addresses, Instant)> {
        let found = client.lookup(name, RecordType::SRV).await.ok()?;
        let records: Vec<_> = found
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::SRV(srv) => Some(srv),
                _ => None,
            })
            .collect();
        let best = records.iter().map(|srv| srv.priority).min()?;
        let most = records.iter().map(|srv| srv.weight).max().unwrap_or(0).max(1);
        let mut addresses = Addresses::new();
        for srv in records.iter().filter(|srv| srv.priority == best) {
            let Ok(hosts) = client.lookup_ip(srv.target.to_ascii()).await else { continue };
            let share = (u32::from(srv.weight) * 4).div_ceil(u32::from(most)).max(1);
            for ip in hosts.iter() {
                addresses.extend((0..share).map(|_| (ip, Some(srv.port))));
            }
        }
        (!addresses.is_empty()).then(|| (addresses, found.valid_until()))
    }
}

fn life(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now()).clamp(LIFE.0, LIFE.1)
}

async fn client() -> Result<TokioResolver, String> {
    let mut builder = TokioResolver::builder_tokio().map_err(|error| error.to_string())?;
    let options = builder.options_mut();
    options.cache_size = 0; // ours is in front
    options.timeout = Duration::from_secs(2);
    builder.build().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn localhost_is_the_loopback_address() {
        let resolver = Resolver::default();
        let address = resolver.resolve("localhost", 81).await.expect("localhost resolves");
        assert_eq!(address.to_string(), "127.0.0.1:81");
    }

    #[tokio::test]
    async fn given_hosts_are_the_only_ones() {
        let at = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let known = AHashMap::from([
            ("a.test".to_owned(), at("127.0.0.1:1")),
            ("a.test:81".to_owned(), at("127.0.0.1:2")),
            ("10.0.0.1".to_owned(), at("127.0.0.1:3")),
        ]);
        let resolver = Resolver::new(Some(Arc::new(Hosts { known, other: None })));
        assert_eq!(resolver.resolve("a.test", 80).await.expect("known"), at("127.0.0.1:1"));
        assert_eq!(resolver.resolve("a.test", 81).await.expect("known"), at("127.0.0.1:2"));
        assert!(resolver.resolve("localhost", 80).await.is_err());
        assert_eq!(resolver.address(at("10.0.0.1:9")), at("127.0.0.1:3"));
        assert_eq!(resolver.address(at("127.0.0.1:9")), at("127.0.0.1:9"));
    }
}
