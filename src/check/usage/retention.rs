//! The retention of usage records, and the deletion of old ones, a few at a time.

use std::time::{Duration, Instant};

use crate::db::{Db, refused_calls, usage as db};
use crate::types::clock::Timestamp;
use crate::types::error::Error;
use crate::types::id::SecretId;

const KEEP_FOR: Duration = Duration::from_hours(90 * 24);
const KEEP_PER_KEY: i64 = 10_000;
/// The longest pause between two steps of background work.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Deletes records that are too old or too many, a few at a time.
pub async fn purge(database: &Db, now: Timestamp) -> Result<(), Error> {
    let before = now.minus(KEEP_FOR);
    let mut secret_id = String::new();
    while let Some(next) = db::next_key_with_records(database, &secret_id).await? {
        drop_until(database, &next, before).await?;
        trim(database, &next).await?;
        secret_id = next.to_string();
    }
    while paced(db::drop_older_counts(database, before)).await? {}
    Ok(refused_calls::purge(database, before).await?)
}

/// Deletes a key's records beyond those that are kept.
pub(super) async fn trim(database: &Db, secret_id: &SecretId) -> Result<(), Error> {
    match db::beyond(database, secret_id, KEEP_PER_KEY).await? {
        Some(last) => drop_until(database, secret_id, Timestamp(last.0 + 1)).await,
        None => Ok(()),
    }
}

async fn drop_until(database: &Db, secret_id: &SecretId, before: Timestamp) -> Result<(), Error> {
    while paced(db::drop_older(database, secret_id, before)).await? {}
    Ok(())
}

/// Performs a step of background work on the database, and then pauses.
async fn paced<T>(work: impl Future<Output = sqlx::Result<T>>) -> Result<T, Error> {
    let begun = Instant::now();
    let done = work.await?;
    pause_after(begun).await;
    Ok(done)
}

/// Leaves the database to others for as long as the step that began at `begun` took, up to [`LONGEST_PAUSE`].
pub(super) async fn pause_after(begun: Instant) {
    tokio::time::sleep(begun.elapsed().min(LONGEST_PAUSE)).await;
}
