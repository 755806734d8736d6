//! Name resolution: the hosts file, then DNS, with a cache that honours TTLs.
//!
//! Each worker thread has its own resolver, so that a cache lookup takes no lock.

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

use super::SelectError;

/// Addresses of a name, with ports where an SRV record gives them.
type Addresses = SmallVec<[(IpAddr, Option<u16>); 4]>;

/// Cached result of a lookup. Failures are cached too.
#[derive(Debug)]
struct CacheEntry {
    result: Result<Addresses, String>,
    expires_at: Instant,
    /// Round-robin position in the addresses.
    cursor: Cell<usize>,
}

/// Addresses that replace name resolution completely: the mocks of a test case.
#[derive(Debug, Default)]
pub struct HostOverrides {
    /// By host in lower case, or by `host:port`, which takes precedence.
    pub by_host: AHashMap<String, SocketAddr>,
    /// Address of all other hosts.
    pub fallback: Option<SocketAddr>,
}

impl HostOverrides {
    fn find(&self, host: &str, port: u16) -> Option<SocketAddr> {
        let exact = self.by_host.get(&format!("{host}:{port}")).or_else(|| self.by_host.get(host));
        exact.copied().or(self.fallback)
    }
}

/// Resolver with a cache.
#[derive(Debug, Default)]
pub struct Resolver {
    overrides: Option<Arc<HostOverrides>>,
    client: OnceCell<TokioResolver>,
    cache: RefCell<AHashMap<Box<str>, CacheEntry>>,
}

/// TTL of failures, as Kong's default for `dns_error_ttl`.
const ERROR_TTL: Duration = Duration::from_secs(1);
/// Minimum TTL: a record with TTL 0 must not cause a query per request.
const MIN_TTL: Duration = Duration::from_secs(1);
/// Maximum TTL: bounds the effect of a record that was published with too long a TTL.
const MAX_TTL: Duration = Duration::from_secs(3600);
/// Maximum number of cached names. At the limit expired entries are evicted, and all entries if that does not suffice.
const MAX_CACHE_ENTRIES: usize = 10_000;

impl Resolver {
    /// Creates a resolver. With overrides it never sends a query.
    pub fn new(overrides: Option<Arc<HostOverrides>>) -> Self {
        Resolver { overrides, ..Resolver::default() }
    }

    /// Returns the override of a literal address, or the address itself. Loopback addresses are never overridden.
    pub fn address(&self, address: SocketAddr) -> SocketAddr {
        let overrides = self.overrides.as_ref().filter(|_| !address.ip().is_loopback());
        let found = overrides.and_then(|hosts| hosts.find(&address.ip().to_string(), address.port()));
        found.unwrap_or(address)
    }

    /// Resolves a name, which must be in lower case. Successive calls rotate through its addresses.
    ///
    /// # Errors
    /// Returns an error if the name has no address.
    pub async fn resolve(&self, name: &str, port: u16) -> Result<SocketAddr, SelectError> {
        if let Some(overrides) = &self.overrides {
            let unknown = || SelectError::Name { name: name.to_owned(), reason: "no mock has it".to_owned() };
            return overrides.find(name, port).ok_or_else(unknown);
        }
        if let Some(cached) = self.cached(name) {
            return cached.map(|(ip, srv_port)| SocketAddr::new(ip, srv_port.unwrap_or(port)));
        }
        let (result, ttl) = Box::pin(self.look_up(name)).await;
        let entry = CacheEntry { result, expires_at: Instant::now() + ttl, cursor: Cell::new(0) };
        {
            let mut cache = self.cache.borrow_mut();
            if cache.len() >= MAX_CACHE_ENTRIES {
                let now = Instant::now();
                cache.retain(|_, entry| entry.expires_at > now);
                if cache.len() >= MAX_CACHE_ENTRIES {
                    cache.clear();
                }
            }
            cache.insert(name.into(), entry);
        }
        match self.cached(name) {
            Some(cached) => cached.map(|(ip, srv_port)| SocketAddr::new(ip, srv_port.unwrap_or(port))),
            None => {
                Err(SelectError::Name { name: name.to_owned(), reason: "the answer has expired".to_owned() })
            }
        }
    }

    /// Returns the next address of an unexpired cache entry.
    fn cached(&self, name: &str) -> Option<Result<(IpAddr, Option<u16>), SelectError>> {
        let cache = self.cache.borrow();
        let entry = cache.get(name).filter(|entry| entry.expires_at > Instant::now())?;
        Some(match &entry.result {
            Ok(addresses) => {
                let position = entry.cursor.replace(entry.cursor.get().wrapping_add(1));
                Ok(addresses[position % addresses.len()])
            }
            Err(reason) => Err(SelectError::Name { name: name.to_owned(), reason: reason.clone() }),
        })
    }

    /// Queries A and AAAA records, then SRV records. Returns the addresses and their TTL.
    async fn look_up(&self, name: &str) -> (Result<Addresses, String>, Duration) {
        // RFC 6761 section 6.3: queries for localhost must not be sent to a name server.
        if name == "localhost" || name.ends_with(".localhost") {
            return (Ok(SmallVec::from_iter([(IpAddr::V4(Ipv4Addr::LOCALHOST), None)])), MAX_TTL);
        }
        let client = match self.client.get_or_try_init(build_client).await {
            Ok(client) => client,
            Err(reason) => return (Err(reason), ERROR_TTL),
        };
        let reason = match client.lookup_ip(name).await {
            Ok(found) => {
                let mut addresses: Addresses = found.iter().map(|ip| (ip, None)).collect();
                // As in Kong, AAAA records are used only if there are no A records.
                addresses.sort_by_key(|(ip, _)| ip.is_ipv6());
                if addresses.iter().any(|(ip, _)| ip.is_ipv4()) {
                    addresses.retain(|(ip, _)| ip.is_ipv4());
                }
                if !addresses.is_empty() {
                    return (Ok(addresses), ttl_until(found.valid_until()));
                }
                "no address".to_owned()
            }
            Err(error) => error.to_string(),
        };
        match self.look_up_srv(client, name).await {
            Some((addresses, valid_until)) => (Ok(addresses), ttl_until(valid_until)),
            None => (Err(reason), ERROR_TTL),
        }
    }

    /// Queries SRV records, and returns the addresses of those with the highest priority. An address is repeated up to four
    /// times, in proportion to its weight.
    async fn look_up_srv(&self, client: &TokioResolver, name: &str) -> Option<(Addresses, Instant)> {
        let found = client.lookup(name, RecordType::SRV).await.ok()?;
        let records: Vec<_> = found
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::SRV(srv) => Some(srv),
                _ => None,
            })
            .collect();
        // The lowest number is the highest priority (RFC 2782).
        let priority = records.iter().map(|srv| srv.priority).min()?;
        let max_weight = records.iter().map(|srv| srv.weight).max().unwrap_or(0).max(1);
        let mut addresses = Addresses::new();
        for srv in records.iter().filter(|srv| srv.priority == priority) {
            let Ok(ips) = client.lookup_ip(srv.target.to_ascii()).await else { continue };
            let repetitions = (u32::from(srv.weight) * 4).div_ceil(u32::from(max_weight)).max(1);
            for ip in ips.iter() {
                addresses.extend((0..repetitions).map(|_| (ip, Some(srv.port))));
            }
        }
        (!addresses.is_empty()).then(|| (addresses, found.valid_until()))
    }
}

fn ttl_until(valid_until: Instant) -> Duration {
    valid_until.saturating_duration_since(Instant::now()).clamp(MIN_TTL, MAX_TTL)
}

/// Builds the DNS client from the configuration of the system.
async fn build_client() -> Result<TokioResolver, String> {
    let mut builder = TokioResolver::builder_tokio().map_err(|error| error.to_string())?;
    let options = builder.options_mut();
    options.cache_size = 0; // the resolver has its own cache
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
    async fn overrides_replace_name_resolution() {
        let at = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let known = AHashMap::from([
            ("a.test".to_owned(), at("127.0.0.1:1")),
            ("a.test:81".to_owned(), at("127.0.0.1:2")),
            ("10.0.0.1".to_owned(), at("127.0.0.1:3")),
        ]);
        let resolver = Resolver::new(Some(Arc::new(HostOverrides { by_host: known, fallback: None })));
        assert_eq!(resolver.resolve("a.test", 80).await.expect("known"), at("127.0.0.1:1"));
        assert_eq!(resolver.resolve("a.test", 81).await.expect("known"), at("127.0.0.1:2"));
        assert!(resolver.resolve("localhost", 80).await.is_err());
        assert_eq!(resolver.address(at("10.0.0.1:9")), at("127.0.0.1:3"));
        assert_eq!(resolver.address(at("127.0.0.1:9")), at("127.0.0.1:9"));
    }
}
