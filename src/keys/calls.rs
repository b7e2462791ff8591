//! The calls of a key: counted by hour and day, and listed.
//!
//! Each function takes the row of the key, which only its owner can get.

use std::time::Duration;

use super::recent_use::DAY;
use crate::app::App;
use crate::db::api_keys::ApiKeyRow;
use crate::db::calls as db;
use crate::db::usage::{self, UseCounts};
use crate::types::clock::Timestamp;
use crate::types::error::Error;

pub use crate::db::calls::{CallFilter, CallRow, Place};

const HOUR: Duration = Duration::from_hours(1);

/// What a count covers, and how far back the counts reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Period {
    /// Each of the last 48 hours.
    Hour,
    /// Each of the last 30 days, in UTC.
    #[default]
    Day,
}

impl Period {
    /// The length of a period.
    fn length(self) -> Duration {
        match self {
            Self::Hour => HOUR,
            Self::Day => DAY,
        }
    }

    /// The starts of the periods up to the present one, the earliest first.
    fn starts(self, now: Timestamp) -> impl Iterator<Item = Timestamp> {
        let (count, present) = match self {
            Self::Hour => (48, Timestamp::of_hour(now.hour())),
            Self::Day => (30, Timestamp::of_hour(now.day() * 24)),
        };
        (0..count).rev().map(move |back| present.minus(self.length() * back))
    }
}

/// The calls in a period.
#[derive(Clone, Copy, Debug)]
pub struct Count {
    /// The start of the period.
    pub start: Timestamp,
    /// The calls.
    pub calls: UseCounts,
}

/// The number of a key's calls in each period up to now, the earliest first. To include the latest calls, flush the
/// usage recorder first.
pub async fn counts(app: &App, key: &ApiKeyRow, period: Period) -> Result<Vec<Count>, Error> {
    let count = |start| Count { start, calls: UseCounts::default() };
    let mut counts: Vec<Count> = period.starts(app.clock.now()).map(count).collect();
    let Some(first) = counts.first().map(|count| count.start) else { return Ok(counts) };
    let length = period.length().as_millis();
    for hour in usage::per_hour(&app.db, &key.secret_id, first).await? {
        let after = Timestamp::of_hour(hour.hour).since(first).as_millis() / length;
        if let Some(count) = usize::try_from(after).ok().and_then(|index| counts.get_mut(index)) {
            count.calls.accepted += hour.accepted;
            count.calls.refused += hour.refused;
        }
    }
    Ok(counts)
}

/// The number of all calls since the key entered its state, as far as they are kept.
pub async fn in_state(app: &App, key: &ApiKeyRow) -> Result<UseCounts, Error> {
    Ok(usage::in_state(&app.db, &key.secret_id, key.state_changed_at).await?)
}

/// Up to `limit` of the key's listed calls that the filter selects, newest first: those before `before`, if it is given.
pub async fn list(
    app: &App,
    key: &ApiKeyRow,
    filter: &CallFilter,
    before: Option<&Place>,
    limit: i64,
) -> Result<Vec<CallRow>, Error> {
    Ok(db::latest(&app.db, &key.secret_id, filter, Timestamp(0), before, limit).await?)
}

/// Up to `limit` of the key's latest listed calls that the filter selects, newest first, from `from` on.
pub async fn since(
    app: &App,
    key: &ApiKeyRow,
    filter: &CallFilter,
    from: Timestamp,
    limit: i64,
) -> Result<Vec<CallRow>, Error> {
    Ok(db::latest(&app.db, &key.secret_id, filter, from, None, limit).await?)
}
