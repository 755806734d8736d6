//! The `Date` field of responses without one (RFC 9110 section 6.6.1).

use std::{
    cell::RefCell,
    time::{Duration, SystemTime},
};

use http::HeaderValue;

/// Formats the current second's date, once per thread and second.
pub fn date() -> HeaderValue {
    thread_local!(static DATE: RefCell<Option<(u64, HeaderValue)>> = const { RefCell::new(None) });
    DATE.with_borrow_mut(|cached| match cached {
        Some((cached_at, date)) if *cached_at == unix_seconds() => date.clone(),
        _ => {
            let now = unix_seconds();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
            let text = httpdate::fmt_http_date(time);
            cached.insert((now, HeaderValue::try_from(text).expect("a date is a header value"))).1.clone()
        }
    })
}

/// Seconds since 1970 as of the kernel's last tick, which is cheaper to read than the exact time.
fn unix_seconds() -> u64 {
    #[cfg(target_os = "linux")]
    let seconds = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse).tv_sec.unsigned_abs();
    #[cfg(not(target_os = "linux"))]
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    seconds
}
