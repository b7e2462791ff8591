//! What a key's page shows of its use.

use crate::db::Db;
use crate::db::usage::{self as db, DayCounts, UseCounts, UseRow};
use crate::types::clock::Timestamp;
use crate::types::error::Error;
use crate::types::id::SecretId;

/// What a key has been used for.
#[derive(Debug)]
pub struct Report {
    /// The days that had calls.
    pub days: Vec<DayCounts>,
    /// All calls, as far as they are kept, since the key was made, or last enabled or disabled.
    pub in_state: UseCounts,
    /// The latest calls, the latest first.
    pub calls: Vec<UseRow>,
}

/// The use of a key: by day since `first_day`, in all in the state it has been in `since`, and its latest `calls`.
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
