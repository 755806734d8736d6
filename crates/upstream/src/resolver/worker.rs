//! A worker's view of the resolver: the answers that it has used.

use std::{cell::RefCell, net::SocketAddr, sync::Arc};

use ahash::AHashMap;
use tokio::time::Instant;

use super::{
    answer::{Address, Addresses, Answer},
    entry::Entry,
    process::Resolver,
};
use crate::SelectError;

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

/// Resolver of a worker. A fresh answer is found without a lock and without memory that other threads write.
#[derive(Debug)]
pub struct WorkerResolver {
    process: Arc<Resolver>,
    overrides: Option<Arc<HostOverrides>>,
    used: RefCell<AHashMap<Box<str>, UsedAnswer>>,
}

/// An answer that this worker has used.
#[derive(Debug)]
struct UsedAnswer {
    entry: Arc<Entry>,
    answer: Arc<Answer>,
    /// Position in the rotation of the addresses.
    position: usize,
}

impl UsedAnswer {
    /// Returns the next address, or why there is none.
    fn next(&mut self, name: &str) -> Result<Address, SelectError> {
        match &self.answer.result {
            Ok(addresses) => Ok(rotate(&mut self.position, addresses)),
            Err(error) => {
                Err(SelectError::Name { name: name.to_owned(), reason: error.reason().to_string() })
            }
        }
    }
}

fn rotate(position: &mut usize, addresses: &Addresses) -> Address {
    let address = addresses.at(*position);
    *position = position.wrapping_add(1);
    address
}

impl WorkerResolver {
    /// Creates a worker's resolver. With overrides it never starts a lookup.
    pub fn new(process: Arc<Resolver>, overrides: Option<Arc<HostOverrides>>) -> Self {
        WorkerResolver { process, overrides, used: RefCell::default() }
    }

    /// Returns the override of a literal address, or the address itself. Loopback addresses are never overridden.
    pub fn address(&self, address: SocketAddr) -> SocketAddr {
        let overrides = self.overrides.as_ref().filter(|_| !address.ip().is_loopback());
        let found = overrides.and_then(|hosts| hosts.find(&address.ip().to_string(), address.port()));
        found.unwrap_or(address)
    }

    /// Resolves a name, which must be in lower case. Successive calls rotate through its addresses. Waits only if there is no
    /// answer that can be used while a lookup is in flight.
    ///
    /// # Errors
    /// Returns an error if the name has no address.
    pub async fn resolve(&self, name: &str, port: u16) -> Result<SocketAddr, SelectError> {
        if let Some(overrides) = &self.overrides {
            let unknown = || SelectError::Name { name: name.to_owned(), reason: "no mock has it".to_owned() };
            return overrides.find(name, port).ok_or_else(unknown);
        }
        let address = match self.cached(name) {
            Some(result) => result?,
            // Boxed, as it is rare: it would make the future of every request larger.
            None => Box::pin(self.wait(name)).await?,
        };
        Ok(address.with_port(port))
    }

    /// Returns the number of names whose answers this worker holds.
    #[cfg(test)]
    pub(super) fn used_names(&self) -> usize {
        self.used.borrow().len()
    }

    /// Returns the next address of an answer that this worker has used, or why there is none; `None` if the answer is too old.
    fn cached(&self, name: &str) -> Option<Result<Address, SelectError>> {
        let mut used = self.used.borrow_mut();
        let cached = used.get_mut(name)?;
        let now = Instant::now();
        if !cached.answer.is_fresh(now) {
            if cached.entry.is_evicted() {
                return None;
            }
            cached.answer = cached.entry.answer()?;
            if !cached.answer.is_fresh(now) {
                cached.answer.stale(now)?;
                self.process.refresh(&cached.entry, Some(&cached.answer));
            }
        }
        Some(cached.next(name))
    }

    /// Takes the answer of another worker, or waits for one.
    async fn wait(&self, name: &str) -> Result<Address, SelectError> {
        let entry = self.process.entry(name);
        let seen = entry.answer();
        let now = Instant::now();
        let answer = match &seen {
            Some(answer) if answer.is_fresh(now) => Arc::clone(answer),
            Some(answer) if answer.stale(now).is_some() => {
                self.process.refresh(&entry, seen.as_ref());
                Arc::clone(answer)
            }
            _ => self.process.answer(&entry, seen.as_ref()).await,
        };
        self.keep(name, entry, answer)
    }

    /// Keeps an answer for further requests, and returns its next address, or why there is none.
    fn keep(&self, name: &str, entry: Arc<Entry>, answer: Arc<Answer>) -> Result<Address, SelectError> {
        let mut used = self.used.borrow_mut();
        if let Some(cached) = used.get_mut(name) {
            (cached.entry, cached.answer) = (entry, answer);
            return cached.next(name);
        }
        if used.len() >= self.process.options().cache_size.max(1) {
            let now = Instant::now();
            used.retain(|_, cached| cached.answer.is_fresh(now) && !cached.entry.is_evicted());
            if used.len() >= self.process.options().cache_size.max(1) {
                // The cache of the process still has most of them.
                used.clear();
            }
        }
        used.entry(name.into()).or_insert(UsedAnswer { entry, answer, position: 0 }).next(name)
    }
}
