//! Fixed calendar windows (UTC): the second, minute, hour, day, month and year of a point in time.

use std::time::Duration;

/// Length of a window. Ordered from the shortest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Period {
    Second,
    Minute,
    Hour,
    Day,
    Month,
    Year,
}

impl Period {
    /// All periods, from the shortest.
    pub const ALL: [Period; 6] =
        [Period::Second, Period::Minute, Period::Hour, Period::Day, Period::Month, Period::Year];

    /// Returns the index in [`Period::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Returns the name in settings and header names: `second`.
    pub const fn name(self) -> &'static str {
        ["second", "minute", "hour", "day", "month", "year"][self as usize]
    }
}

const SECONDS_PER_DAY: u64 = 86_400;

/// The six windows that contain a point in time. All times are in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CalendarWindows {
    now: u64,
    /// Start of each window, by [`Period::index`].
    start: [u64; 6],
    next_month: u64,
    next_year: u64,
}

impl CalendarWindows {
    /// Computes the windows of a time since 1970 (UTC).
    pub fn at(time: Duration) -> Self {
        let now = time.as_secs();
        let (year, month) = month_of(now / SECONDS_PER_DAY);
        let (next_month_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        CalendarWindows {
            now,
            start: [
                now,
                now - now % 60,
                now - now % 3600,
                now - now % SECONDS_PER_DAY,
                first_day(year, month) * SECONDS_PER_DAY,
                first_day(year, 1) * SECONDS_PER_DAY,
            ],
            next_month: first_day(next_month_year, next_month) * SECONDS_PER_DAY,
            next_year: first_day(year + 1, 1) * SECONDS_PER_DAY,
        }
    }

    /// Returns the point in time.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// Returns the start of a window.
    pub fn start(&self, period: Period) -> u64 {
        self.start[period.index()]
    }

    /// Returns the seconds until the next window: 1 in the last second of a window, never 0.
    pub fn remaining_seconds(&self, period: Period) -> u64 {
        let end = match period {
            Period::Second => self.now + 1,
            Period::Minute => self.start(period) + 60,
            Period::Hour => self.start(period) + 3600,
            Period::Day => self.start(period) + SECONDS_PER_DAY,
            Period::Month => self.next_month,
            Period::Year => self.next_year,
        };
        end - self.now
    }
}

/// Returns the days from 1970-01-01 to the first day of a month (Gregorian calendar). Years start in March here, so that
/// the leap day is the last one, and five months always have 153 days.
fn first_day(year: u64, month: u64) -> u64 {
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let era = year / 400;
    let of_era = year % 400;
    let of_year = (153 * month + 2) / 5;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Returns the year and the month (1 to 12) of a day, counted from 1970-01-01.
fn month_of(day: u64) -> (u64, u64) {
    let day = day + 719_468;
    let era = day / 146_097;
    let of_era = day % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let year = era * 400 + year_of_era;
    if month < 10 { (year, month + 3) } else { (year + 1, month - 9) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> CalendarWindows {
        CalendarWindows::at(Duration::from_secs(seconds))
    }

    #[test]
    fn six_windows_contain_a_point_in_time() {
        // 2023-11-14T22:13:20Z
        let windows = at(1_700_000_000);
        let starts: Vec<u64> = Period::ALL.iter().map(|&p| windows.start(p)).collect();
        assert_eq!(
            starts,
            [1_700_000_000, 1_699_999_980, 1_699_999_200, 1_699_920_000, 1_698_796_800, 1_672_531_200]
        );
        let remaining: Vec<u64> = Period::ALL.iter().map(|&p| windows.remaining_seconds(p)).collect();
        assert_eq!(remaining, [1, 40, 2800, 6400, 1_388_800, 4_067_200]);
    }

    #[test]
    fn each_day_of_500_years_is_in_its_month() {
        let lengths = |year: u64| {
            let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
            [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        };
        let (mut day, mut year_start) = (0, 0);
        for year in 1970..2470 {
            for (month, length) in lengths(year).into_iter().enumerate() {
                for of_month in 0..length {
                    let windows = at((day + of_month) * SECONDS_PER_DAY + 5);
                    assert_eq!(windows.start(Period::Month), day * SECONDS_PER_DAY, "{year}-{}", month + 1);
                    assert_eq!(
                        windows.start(Period::Year),
                        year_start * SECONDS_PER_DAY,
                        "{year}-{}",
                        month + 1
                    );
                    assert_eq!(
                        windows.remaining_seconds(Period::Month),
                        (length - of_month) * SECONDS_PER_DAY - 5
                    );
                }
                day += length;
            }
            year_start = day;
        }
    }

    #[test]
    fn one_second_remains_in_the_last_second_of_a_window() {
        // 2024-02-29T23:59:59Z
        let windows = at(1_709_251_199);
        for period in [Period::Second, Period::Minute, Period::Hour, Period::Day, Period::Month] {
            assert_eq!(windows.remaining_seconds(period), 1, "{}", period.name());
        }
    }
}
