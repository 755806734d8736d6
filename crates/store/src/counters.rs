//! Counters of requests in fixed windows: the closed set of places they can live in.

use std::{net::IpAddr, sync::Arc};

use aws_lc_rs::digest::{SHA256, digest};
use smallvec::SmallVec;
use uuid::Uuid;

use super::{Windows, memory::Memory};

/// Where requests are counted. Plugins write their logic once, whichever it is.
#[derive(Clone, Debug)]
pub enum Counters {
    /// In this process. Exact over all workers; outlives reloads, not the process.
    Memory(Arc<Memory>),
}

impl Default for Counters {
    fn default() -> Self {
        Counters::Memory(Arc::new(Memory::default()))
    }
}

/// Most requests allowed in each window, in the order of [`Period::ALL`](super::Period::ALL). Fractions
/// count as long as they last: a limit of 1.5 lets two requests pass.
pub type Limits = [Option<f64>; 6];

/// What happened to a request that asked to be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Requests counted before this one in each window; 0 where there is no limit.
    pub used: [u64; 6],
    /// Whether this one was counted. If not, a window is full, and nothing was counted anywhere.
    pub counted: bool,
}

impl Counters {
    /// Counts one request of a subject in every window with a limit, unless one of them is full: then in
    /// none. Of requests at the same moment on several cores never more than the limit are counted.
    pub fn take(&self, scope: &Scope, subject: Subject<'_>, windows: &Windows, limits: &Limits) -> Taken {
        match self {
            Counters::Memory(memory) => memory.take(&scope.key(subject), windows, limits),
        }
    }
}

/// Which counters a plugin's row counts on: rows with the same scope share them. Made when a plugin is
/// built, from ids that are equal on every load, so that counts outlive a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope(Box<[u8]>);

impl Scope {
    /// The counters of a plugin, by the route and the service of its row.
    pub fn new(plugin: &str, route: Option<Uuid>, service: Option<Uuid>) -> Self {
        let mut bytes = plugin.as_bytes().to_vec();
        bytes.push(0);
        bytes.extend_from_slice(route.unwrap_or_default().as_bytes());
        bytes.extend_from_slice(service.unwrap_or_default().as_bytes());
        Scope(bytes.into())
    }

    /// Bytes that name one subject's counters: no two subjects share them.
    fn key(&self, subject: Subject<'_>) -> Key {
        let mut key = Key::from_slice(&self.0);
        match subject {
            Subject::Ip(IpAddr::V4(ip)) => {
                key.push(4);
                key.extend_from_slice(&ip.octets());
            }
            Subject::Ip(IpAddr::V6(ip)) => {
                key.push(6);
                key.extend_from_slice(&ip.octets());
            }
            Subject::Id(id) => {
                key.push(1);
                key.extend_from_slice(id.as_bytes());
            }
            Subject::Text(text) if text.len() <= MAX_TEXT_BYTES => {
                key.push(2);
                key.extend_from_slice(text);
            }
            // A digest stands for it: a client must not decide how much memory its counters take.
            Subject::Text(text) => {
                key.push(3);
                key.extend_from_slice(digest(&SHA256, text).as_ref());
            }
        }
        key
    }
}

/// A counter's name; on the stack.
pub(super) type Key = SmallVec<[u8; 128]>;

/// Bytes of a subject's text that are kept as they are. With the scope they fit [`Key`] without an allocation.
const MAX_TEXT_BYTES: usize = 64;

/// Whose requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// Those from an address.
    Ip(IpAddr),
    /// Those of a consumer, a credential, a service.
    Id(Uuid),
    /// Those with this text: a header's value, a path.
    Text(&'a [u8]),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_subject_takes_more_memory_than_a_short_one() {
        let scope = Scope::new("rate-limiting", Some(Uuid::new_v4()), Some(Uuid::new_v4()));
        let long = [vec![b'x'; 7000], vec![b'x'; 7001], vec![b'y'; 7000], vec![b'x'; MAX_TEXT_BYTES]];
        let keys = long.each_ref().map(|text| scope.key(Subject::Text(text)));
        for (at, key) in keys.iter().enumerate() {
            assert!(key.len() <= 128 && !key.spilled(), "{} bytes", key.len());
            assert!(!keys[..at].contains(key), "subjects that differ have keys that differ");
        }
        assert_eq!(keys[0], scope.key(Subject::Text(&[b'x'; 7000])));
    }
}
