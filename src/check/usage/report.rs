//! The usage of a key, as its page shows it.

use crate::db::Db;
use crate::db::usage::{self as db, DayCounts, UseCounts, UseRow};
use crate::types::clock::Timestamp;
use crate::types::error::Error;
use crate::types::id::SecretId;

/// The usage of a key.
#[derive(Debug)]
pub struct Report {
    /// The days that had calls.
    pub days: Vec<DayCounts>,
    /// All calls since the key was created, or last enabled or disabled, as far as their counts are kept.
    pub in_state: UseCounts,
    /// The latest calls, newest first.
    pub calls: Vec<UseRow>,
}

/// The usage of a key: by day since `first_day`, in total for the state that it entered at `since`, and its latest
/// `calls`.
pub async fn report(
    database: &Db,
    secret_id: &SecretId,
    first_day: Timestamp,
    since: Timestamp,
    calls: i64,
) -> Result<Report, Error> {
    Ok(Report {
        days: db::per_day(database, secret_id, first_day).await?,
        in_state: db::in_state(database, secret_id, since).await?,
        calls: db::latest(database, secret_id, calls).await?,
    })
}
