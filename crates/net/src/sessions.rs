//! Expiry of resumable TLS sessions (setting `ssl_session_timeout`). rustls stores sessions and encrypts tickets, but
//! has no timeout for them.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustls::server::{ProducesTickets, StoresServerSessions};

/// Session store or ticketer whose sessions expire.
///
/// Prefixes each session with the time of its creation. Tickets expire after twelve hours at the latest, when rustls
/// drops the key that encrypted them.
#[derive(Debug)]
pub struct ExpiringSessions<T: ?Sized> {
    timeout: Duration,
    inner: Arc<T>,
}

impl<T: ?Sized> ExpiringSessions<T> {
    /// Wraps a session store or a ticketer.
    pub fn new(inner: Arc<T>, timeout: Duration) -> Self {
        ExpiringSessions { timeout, inner }
    }

    /// Prefixes a session with the current time.
    fn add_timestamp(session: &[u8]) -> Vec<u8> {
        [&now().as_secs().to_be_bytes(), session].concat()
    }

    /// Strips the time; `None` if the session has expired.
    fn check_age(&self, stamped: Vec<u8>) -> Option<Vec<u8>> {
        let (created_at, session) = stamped.split_first_chunk()?;
        let age = now().saturating_sub(Duration::from_secs(u64::from_be_bytes(*created_at)));
        (age <= self.timeout).then(|| session.to_vec())
    }
}

/// Returns the time since 1970.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl<T: StoresServerSessions + ?Sized> StoresServerSessions for ExpiringSessions<T> {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.inner.put(key, Self::add_timestamp(&value))
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.inner.get(key).and_then(|stamped| self.check_age(stamped))
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.inner.take(key).and_then(|stamped| self.check_age(stamped))
    }

    fn can_cache(&self) -> bool {
        self.inner.can_cache()
    }
}

impl<T: ProducesTickets + ?Sized> ProducesTickets for ExpiringSessions<T> {
    fn enabled(&self) -> bool {
        self.inner.enabled()
    }

    fn lifetime(&self) -> u32 {
        let timeout = u32::try_from(self.timeout.as_secs()).unwrap_or(u32::MAX);
        self.inner.lifetime().min(timeout)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.inner.encrypt(&Self::add_timestamp(plain))
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.inner.decrypt(cipher).and_then(|stamped| self.check_age(stamped))
    }
}

#[cfg(test)]
mod tests {
    use rustls::{crypto::aws_lc_rs::Ticketer, server::ServerSessionMemoryCache};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn tickets_and_sessions_are_valid_within_the_timeout() {
        let tickets = ExpiringSessions::new(Ticketer::new().unwrap(), HOUR);
        assert_eq!(tickets.lifetime(), 3600);
        let ticket = tickets.encrypt(b"session").unwrap();
        assert_eq!(tickets.decrypt(&ticket).as_deref(), Some(&b"session"[..]));
        let store = ExpiringSessions::new(ServerSessionMemoryCache::new(8), HOUR);
        assert!(store.put(b"id".to_vec(), b"session".to_vec()));
        assert_eq!(store.get(b"id").as_deref(), Some(&b"session"[..]));
        assert_eq!(store.take(b"id").as_deref(), Some(&b"session"[..]));
        assert_eq!(store.take(b"id"), None);
    }

    #[test]
    fn expired_sessions_are_not_resumed() {
        let tickets = ExpiringSessions::new(Ticketer::new().unwrap(), HOUR);
        let old = [&(now() - 2 * HOUR).as_secs().to_be_bytes()[..], b"session"].concat();
        let ticket = tickets.inner.encrypt(&old).unwrap();
        assert_eq!(tickets.decrypt(&ticket), None);
        let store = ExpiringSessions::new(ServerSessionMemoryCache::new(8), HOUR);
        store.inner.put(b"id".to_vec(), old);
        assert_eq!(store.get(b"id"), None);
    }
}
