//! Times in log lines, in UTC.

use std::{
    cell::RefCell,
    time::{SystemTime, UNIX_EPOCH},
};

/// The two forms of one second.
struct Second {
    at: u64,
    /// `01/Dec/2026:15:46:23 +0000`.
    local: String,
    /// `2026-12-01T15:46:23`.
    iso8601: String,
}

/// Calls `use_it` with nginx's `$time_local`.
pub fn with_time_local<T>(time: SystemTime, use_it: impl FnOnce(&str) -> T) -> T {
    with_second(time, |second| use_it(&second.local))
}

/// Calls `use_it` with the time in ISO 8601, without a zone.
pub fn with_iso8601<T>(time: SystemTime, use_it: impl FnOnce(&str) -> T) -> T {
    with_second(time, |second| use_it(&second.iso8601))
}

/// Formats a second once on each thread.
fn with_second<T>(time: SystemTime, use_it: impl FnOnce(&Second) -> T) -> T {
    thread_local!(static LAST: RefCell<Option<Second>> = const { RefCell::new(None) });
    let at = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    LAST.with_borrow_mut(|last| match last {
        Some(second) if second.at == at => use_it(second),
        _ => use_it(last.insert(format(at))),
    })
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Rearranges the date of HTTP, `Tue, 01 Dec 2026 15:46:23 GMT`.
fn format(at: u64) -> Second {
    /// The year 9999, which is the last one that the crate formats.
    const MAX_SECONDS: u64 = 253_402_300_799;
    let date = httpdate::fmt_http_date(UNIX_EPOCH + std::time::Duration::from_secs(at.min(MAX_SECONDS)));
    let (day, month, year, time) = (&date[5..7], &date[8..11], &date[12..16], &date[17..25]);
    let number = MONTHS.iter().position(|name| *name == month).map_or(1, |at| at + 1);
    Second {
        at,
        local: format!("{day}/{month}/{year}:{time} +0000"),
        iso8601: format!("{year}-{number:02}-{day}T{time}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_formatted_as_nginx_does() {
        for (at, local, iso) in [
            (0, "01/Jan/1970:00:00:00 +0000", "1970-01-01T00:00:00"),
            (1_709_210_096, "29/Feb/2024:12:34:56 +0000", "2024-02-29T12:34:56"),
            (1_796_135_183, "01/Dec/2026:14:26:23 +0000", "2026-12-01T14:26:23"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(at) + Duration::from_millis(999);
            with_time_local(time, |text| assert_eq!(text, local));
            with_iso8601(time, |text| assert_eq!(text, iso));
        }
    }
}
