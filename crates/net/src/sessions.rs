//! TLS sessions that can be resumed for a while. rustls keeps them; how long they count is decided here.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustls::server::{ProducesTickets, StoresServerSessions};

/// A store of sessions, or a maker of tickets, whose sessions count for so long.
///
/// When a session began is written in front of it. Tickets end after twelve hours at the latest, when rustls
/// forgets the key that made them.
#[derive(Debug)]
pub struct Timed<T: ?Sized> {
    limit: Duration,
    inner: Arc<T>,
}

impl<T: ?Sized> Timed<T> {
    /// That one, with that limit.
    pub fn new(inner: Arc<T>, limit: Duration) -> Self {
        Timed { limit, inner }
    }

    fn stamped(session: &[u8]) -> Vec<u8> {
        [&now().as_secs().to_be_bytes(), session].concat()
    }

    fn fresh(&self, stamped: Vec<u8>) -> Option<Vec<u8>> {
        let (begun, session) = stamped.split_first_chunk()?;
        let age = now().saturating_sub(Duration::from_secs(u64::from_be_bytes(*begun)));
        (age <= self.limit).then(|| session.to_vec())
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl<T: StoresServerSessions + ?Sized> StoresServerSessions for Timed<T> {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.inner.put(key, Self::stamped(&value))
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.inner.get(key).and_then(|stamped| self.fresh(stamped))
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.inner.take(key).and_then(|stamped| self.fresh(stamped))
    }

    fn can_cache(&self) -> bool {
        self.inner.can_cache()
    }
}

impl<T: ProducesTickets + ?Sized> ProducesTickets for Timed<T> {
    fn enabled(&self) -> bool {
        self.inner.enabled()
    }

    fn lifetime(&self) -> u32 {
        let limit = u32::try_from(self.limit.as_secs()).unwrap_or(u32::MAX);
        self.inner.lifetime().min(limit)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.inner.encrypt(&Self::stamped(plain))
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.inner.decrypt(cipher).and_then(|stamped| self.fresh(stamped))
    }
}

#[cfg(test)]
mod tests {
    use rustls::{crypto::aws_lc_rs::Ticketer, server::ServerSessionMemoryCache};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn tickets_and_sessions_count_for_as_long_as_they_may() {
        let tickets = Timed::new(Ticketer::new().unwrap(), HOUR);
        assert_eq!(tickets.lifetime(), 3600);
        let ticket = tickets.encrypt(b"session").unwrap();
        assert_eq!(tickets.decrypt(&ticket).as_deref(), Some(&b"session"[..]));
        let store = Timed::new(ServerSessionMemoryCache::new(8), HOUR);
        assert!(store.put(b"id".to_vec(), b"session".to_vec()));
        assert_eq!(store.get(b"id").as_deref(), Some(&b"session"[..]));
        assert_eq!(store.take(b"id").as_deref(), Some(&b"session"[..]));
        assert_eq!(store.take(b"id"), None);
    }

    #[test]
    fn what_is_too_old_is_forgotten() {
        let tickets = Timed::new(Ticketer::new().unwrap(), HOUR);
        let old = [&(now() - 2 * HOUR).as_secs().to_be_bytes()[..], b"session"].concat();
        let ticket = tickets.inner.encrypt(&old).unwrap();
        assert_eq!(tickets.decrypt(&ticket), None);
        let store = Timed::new(ServerSessionMemoryCache::new(8), HOUR);
        store.inner.put(b"id".to_vec(), old);
        assert_eq!(store.get(b"id"), None);
    }
}
