//! The one clock, which tests turn by hand.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

/// Tells the time since 1970 (UTC).
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The system's.
    #[default]
    System,
    /// One that only moves when told to; milliseconds since 1970.
    Manual(Arc<AtomicU64>),
    /// The system's, that many milliseconds ahead.
    Ahead(Arc<AtomicU64>),
}

impl Clock {
    /// A clock that stands at that time until [`Clock::advance`].
    pub fn manual(start: Duration) -> Self {
        Clock::Manual(Arc::new(AtomicU64::new(start.as_millis() as u64)))
    }

    /// A clock that goes as the system's does, and can be set on.
    pub fn ahead() -> Self {
        Clock::Ahead(Arc::default())
    }

    /// Time since 1970; zero if the system's clock stands before it.
    pub fn now(&self) -> Duration {
        match self {
            Clock::System => SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default(),
            Clock::Ahead(by) => Clock::System.now() + Duration::from_millis(by.load(Ordering::Relaxed)),
            Clock::Manual(millis) => Duration::from_millis(millis.load(Ordering::Relaxed)),
        }
    }

    /// Sets a clock on, unless it is the system's.
    pub fn advance(&self, by: Duration) {
        if let Clock::Manual(millis) | Clock::Ahead(millis) = self {
            millis.fetch_add(by.as_millis() as u64, Ordering::Relaxed);
        }
    }
}
