//! The only source of time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One hour, in milliseconds.
const HOUR: i64 = 3_600_000;

/// A point in time, in milliseconds since 1970-01-01T00:00:00Z.
///
/// Stored as a `bigint`, so that both database engines compare values in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The instant `seconds` after the start of 1970. Saturates on overflow.
    pub fn of_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Whole seconds since 1970, rounded down.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The instant `span` later.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    /// The instant `span` earlier.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }

    /// Whole hours since 1970, in UTC.
    pub fn hour(self) -> i64 {
        self.0.div_euclid(HOUR)
    }

    /// The earliest full hour that is not before this instant.
    #[must_use]
    pub fn next_hour(self) -> Self {
        Self(self.0.saturating_add(HOUR - 1).div_euclid(HOUR) * HOUR)
    }

    /// Whole days since 1970, in UTC.
    pub fn day(self) -> i64 {
        self.0.div_euclid(24 * HOUR)
    }

    /// The start of an hour, which is given in whole hours since 1970.
    pub fn of_hour(hour: i64) -> Self {
        Self(hour.saturating_mul(HOUR))
    }

    /// The time elapsed since `earlier`, or zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Parses a UTC date such as `2026-11-24` and returns its start. Returns `None` for an invalid date and for any
    /// other notation.
    pub fn of_utc_date(text: &str) -> Option<Self> {
        let date = jiff::civil::Date::strptime("%Y-%m-%d", text).ok()?;
        let is_canonical = date.strftime("%Y-%m-%d").to_string() == text;
        let since_epoch = date.duration_since(jiff::civil::date(1970, 1, 1));
        (is_canonical && date.year() > 0).then(|| Self(since_epoch.as_secs().saturating_mul(1000)))
    }

    /// Parses an instant in the basic format of ISO 8601, in UTC: `20150830T123600Z`. Returns `None` for any other notation.
    pub fn of_basic_format(text: &str) -> Option<Self> {
        const FORMAT: &str = "%Y%m%dT%H%M%SZ";
        let time = jiff::civil::DateTime::strptime(FORMAT, text).ok()?;
        let is_canonical = time.strftime(FORMAT).to_string() == text;
        let since_epoch = time.duration_since(jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0));
        (is_canonical && time.year() > 0).then(|| Self::of_seconds(since_epoch.as_secs()))
    }

    fn calendar(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }

    /// RFC 3339 in UTC, to the second: `2026-11-24T07:30:44Z`.
    pub fn rfc3339(self) -> String {
        self.calendar().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// RFC 3339 in UTC, to the millisecond: `2026-11-24T07:30:44.120Z`.
    pub fn rfc3339_millis(self) -> String {
        self.calendar().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
    }

    /// A readable form with the time zone: `2026-11-24 07:30:44 UTC`.
    pub fn for_people(self) -> String {
        self.calendar().strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
    }

    /// The basic format of ISO 8601, in UTC and to the second: `20150830T123600Z`.
    pub fn basic_format(self) -> String {
        self.calendar().strftime("%Y%m%dT%H%M%SZ").to_string()
    }

    /// The UTC date, `2026-11-24`.
    pub fn utc_date(self) -> String {
        self.calendar().strftime("%Y-%m-%d").to_string()
    }

    /// The UTC date and hour, `2026-11-24 07:00`.
    pub fn utc_hour(self) -> String {
        self.calendar().strftime("%Y-%m-%d %H:00").to_string()
    }

    /// `YYYY-MM-DD HH:MM:SS` at UTC+8, the time zone of `CreateTime` in the signed API.
    pub fn api_time(self) -> String {
        self.plus(Duration::from_hours(8)).calendar().strftime("%Y-%m-%d %H:%M:%S").to_string()
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// A source of the current time: the system clock, or a manual clock that a test sets.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The system clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stays at `start` until [`Clock::advance`] or [`Clock::set`] changes it. Its clones share the same
    /// time.
    pub fn manual(start: Timestamp) -> Self {
        Self(Some(Arc::new(AtomicI64::new(start.0))))
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        if let Some(manual) = &self.0 {
            return Timestamp(manual.load(Ordering::SeqCst));
        }
        #[expect(clippy::disallowed_methods, reason = "the one place that asks the system for the time")]
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp(millis(since_epoch))
    }

    /// Advances a manual clock by `span`. Does nothing on the system clock.
    pub fn advance(&self, span: Duration) {
        self.set(self.now().plus(span));
    }

    /// Sets a manual clock. Does nothing on the system clock.
    pub fn set(&self, now: Timestamp) {
        if let Some(manual) = &self.0 {
            manual.store(now.0, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_they_are_written() {
        for (text, days) in
            [("1970-01-01", 0), ("2027-01-15", 20833), ("0001-01-01", -719_162), ("9999-12-31", 2_932_896)]
        {
            assert_eq!(Timestamp::of_utc_date(text), Some(Timestamp(days * 86_400_000)), "{text}");
        }
        for text in
            ["", "2027-1-15", "2027-02-29", "20270115", "2027-01-15Z", " 2027-01-15", "-001-01-01", "10000-01-01"]
        {
            assert_eq!(Timestamp::of_utc_date(text), None, "{text}");
        }
    }
}
