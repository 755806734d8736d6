//! Wall clock, which tests can control.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

/// Source of the time since 1970 (UTC).
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// System clock.
    #[default]
    System,
    /// Clock that moves only by [`Clock::advance`]; milliseconds since 1970.
    Manual(Arc<AtomicU64>),
    /// System clock plus an offset in milliseconds.
    Offset(Arc<AtomicU64>),
}

impl Clock {
    /// Creates a clock that stays at a time until [`Clock::advance`].
    pub fn manual(start: Duration) -> Self {
        Clock::Manual(Arc::new(AtomicU64::new(start.as_millis() as u64)))
    }

    /// Creates a clock that runs as the system clock, and can be advanced.
    pub fn offset() -> Self {
        Clock::Offset(Arc::default())
    }

    /// Returns the time since 1970; zero if the system clock is before it.
    pub fn now(&self) -> Duration {
        match self {
            Clock::System => SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default(),
            Clock::Offset(millis) => {
                Clock::System.now() + Duration::from_millis(millis.load(Ordering::Relaxed))
            }
            Clock::Manual(millis) => Duration::from_millis(millis.load(Ordering::Relaxed)),
        }
    }

    /// Advances the clock. Has no effect on [`Clock::System`].
    pub fn advance(&self, by: Duration) {
        if let Clock::Manual(millis) | Clock::Offset(millis) = self {
            millis.fetch_add(by.as_millis() as u64, Ordering::Relaxed);
        }
    }
}
