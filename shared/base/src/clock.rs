//! Time in microseconds, and the clock that follows the database.

use std::fmt;
use std::ops::{Add, Sub};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time: microseconds since the Unix epoch, UTC. Both databases keep exactly this precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The time that has passed since `earlier`; zero when it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    /// The calendar day and time in UTC, for messages to people: `2026-11-20T14:03:07Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.seconds();
        let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = civil_from_days(days);
        write!(f, "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
    }
}

/// Days since the epoch to a Gregorian date (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The process clock, corrected by an offset to the database's clock and by the test world's own offset.
///
/// Clones share both offsets.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    database_offset: Arc<AtomicI64>,
    world_offset: Arc<AtomicI64>,
}

impl Clock {
    /// A clock without corrections.
    pub fn new() -> Self {
        Self::default()
    }

    /// The corrected time.
    pub fn now(&self) -> Timestamp {
        let offset = self.database_offset.load(Ordering::Relaxed) + self.world_offset.load(Ordering::Relaxed);
        Timestamp(Self::process_time().0 + offset)
    }

    /// The uncorrected time of this machine, for sampling the offset and for nothing else.
    pub fn process_time() -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    /// Takes over the database's time as it was read between two looks at the process clock.
    pub fn follow(&self, before: Timestamp, database: Timestamp, after: Timestamp) {
        let middle = before.0 + (after.0 - before.0) / 2;
        self.database_offset.store(database.0 - middle, Ordering::Relaxed);
    }

    /// Moves the world's time forward. Only test worlds do this.
    pub fn advance(&self, by: Duration) {
        self.world_offset.fetch_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_reads_as_a_calendar_day() {
        assert_eq!(Timestamp::from_micros(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp::from_micros(1_709_210_096_999_999).to_string(), "2024-02-29T12:34:56Z");
        assert_eq!(Timestamp::from_micros(-1).to_string(), "1969-12-31T23:59:59Z");
    }

    #[test]
    fn the_clock_follows_the_database_and_the_world() {
        let clock = Clock::new();
        let (before, after) = (Clock::process_time(), Clock::process_time());
        clock.follow(before, before + Duration::from_secs(600), after);
        clock.clone().advance(Duration::from_secs(60));
        let lead = clock.now().since(Clock::process_time());
        assert!(lead > Duration::from_secs(659) && lead < Duration::from_secs(661), "{lead:?}");
    }
}
