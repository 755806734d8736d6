//! Leases: for work that one worker of the process does for all of them, such as refreshing a shared cache.

use std::{fmt, pin::pin, sync::Arc};

use ahash::AHashMap;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// The leases of a process, by name. Cheap to clone: clones share the leases.
///
/// The first worker that claims a name holds its lease until it drops the last [`Lease`]; other workers wait. A worker
/// that ends drops its leases with its runtime, and another worker takes over.
///
/// ```
/// let leases = store::Leases::default();
/// let first = leases.try_claim("refresh-keys", 0).expect("the lease is free");
/// assert!(leases.try_claim("refresh-keys", 1).is_none());
/// drop(first);
/// assert!(leases.try_claim("refresh-keys", 1).is_some());
/// ```
#[derive(Clone, Default)]
pub struct Leases(Arc<Shared>);

#[derive(Default)]
struct Shared {
    holders: Mutex<AHashMap<Arc<str>, Holder>>,
    released: Notify,
}

struct Holder {
    worker: usize,
    /// Number of [`Lease`] values of that worker.
    count: usize,
}

/// A held lease. Dropping it releases the lease, unless the same worker has claimed it several times.
pub struct Lease {
    leases: Leases,
    name: Arc<str>,
}

impl Leases {
    /// Claims a lease for a worker, unless another worker holds it.
    pub fn try_claim(&self, name: &str, worker: usize) -> Option<Lease> {
        let mut holders = self.0.holders.lock();
        let name = match holders.get_key_value(name) {
            Some((name, _)) => Arc::clone(name),
            None => name.into(),
        };
        let holder = holders.entry(Arc::clone(&name)).or_insert(Holder { worker, count: 0 });
        (holder.worker == worker).then(|| {
            holder.count += 1;
            Lease { leases: self.clone(), name }
        })
    }

    /// Claims a lease for a worker, and waits while another worker holds it.
    pub async fn claim(&self, name: &str, worker: usize) -> Lease {
        loop {
            let mut released = pin!(self.0.released.notified());
            // Enabled before the attempt, so that no release is lost in between.
            released.as_mut().enable();
            if let Some(lease) = self.try_claim(name, worker) {
                return lease;
            }
            released.await;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut holders = self.leases.0.holders.lock();
        if let Some(holder) = holders.get_mut(&self.name) {
            holder.count -= 1;
            if holder.count == 0 {
                holders.remove(&self.name);
                drop(holders);
                self.leases.0.released.notify_waiters();
            }
        }
    }
}

impl fmt::Debug for Leases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leases").field("held", &self.0.holders.lock().len()).finish()
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lease").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_worker_holds_a_lease_until_its_last_claim_is_dropped() {
        let leases = Leases::default();
        let first = leases.try_claim("a", 0).unwrap();
        let second = leases.try_claim("a", 0).expect("the same worker claims it again");
        drop(first);
        assert!(leases.try_claim("a", 1).is_none());
        assert!(leases.try_claim("b", 1).is_some(), "names are independent");
        drop(second);
        assert!(leases.try_claim("a", 1).is_some());
    }

    #[tokio::test]
    async fn a_waiting_worker_takes_over_when_the_runtime_of_the_holder_ends() {
        let leases = Leases::default();
        let (held, is_held) = tokio::sync::oneshot::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let of_worker = leases.clone();
        let worker = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async move {
                tokio::spawn(async move {
                    let _lease = of_worker.claim("a", 0).await;
                    held.send(()).unwrap();
                    std::future::pending::<()>().await;
                });
                let _ = stopped.await;
            });
        });
        is_held.await.unwrap();
        assert!(leases.try_claim("a", 1).is_none());
        drop(stop);
        let _lease =
            tokio::time::timeout(std::time::Duration::from_secs(30), leases.claim("a", 1)).await.unwrap();
        worker.join().unwrap();
    }

    proptest! {
        /// At every time one worker at most holds a name, and a name without leases is free.
        #[test]
        fn one_worker_holds_a_name(operations in prop::collection::vec((0..3_usize, 0..2_usize, any::<bool>()), 0..64)) {
            let leases = Leases::default();
            let mut held: Vec<(usize, usize, Lease)> = Vec::new();
            for (worker, name, claims) in operations {
                if claims {
                    let is_free = !held.iter().any(|(holder, held, _)| *held == name && *holder != worker);
                    let lease = leases.try_claim(&name.to_string(), worker);
                    prop_assert_eq!(lease.is_some(), is_free);
                    held.extend(lease.map(|lease| (worker, name, lease)));
                } else if let Some(at) = held.iter().position(|(holder, held, _)| (*holder, *held) == (worker, name)) {
                    held.swap_remove(at);
                }
            }
            held.clear();
            prop_assert_eq!(leases.0.holders.lock().len(), 0);
        }
    }
}
