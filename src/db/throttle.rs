//! Counters of failed attempts.

use sqlx::FromRow;

use super::{Db, Tx, on, on_tx};
use crate::types::clock::Timestamp;

/// A counter of failed attempts.
#[derive(Clone, Copy, Debug, FromRow)]
pub struct ThrottleRow {
    /// The number of consecutive failures.
    pub failures: i64,
    /// The time before which no attempt is accepted.
    pub blocked_until: Timestamp,
    /// The time of the counter's last change.
    pub updated_at: Timestamp,
}

/// The counter of a subject within a scope.
pub async fn get(tx: &mut Tx, scope: &str, subject: &str) -> sqlx::Result<Option<ThrottleRow>> {
    let statement = "select failures, blocked_until, updated_at from throttle where scope = $1 and subject = $2";
    on_tx!(tx, c => sqlx::query_as(statement).bind(scope).bind(subject).fetch_optional(c).await)
}

/// The time at which the subject's wait ends or has ended. `None` if no failure is counted.
pub async fn blocked_until(db: &Db, scope: &str, subject: &str) -> sqlx::Result<Option<Timestamp>> {
    let statement = "select blocked_until from throttle where scope = $1 and subject = $2";
    on!(db, pool => sqlx::query_scalar(statement).bind(scope).bind(subject).fetch_optional(pool).await)
}

/// Changes the counter from `before` (`None` if there is no row) to `after`. Returns `false` if somebody else changed
/// it first.
pub async fn compare_and_set(
    tx: &mut Tx,
    scope: &str,
    subject: &str,
    before: Option<ThrottleRow>,
    after: ThrottleRow,
) -> sqlx::Result<bool> {
    let done = match before {
        None => {
            let statement = "insert into throttle (scope, subject, failures, blocked_until, updated_at)
                values ($1, $2, $3, $4, $5) on conflict do nothing";
            on_tx!(tx, c => sqlx::query(statement).bind(scope).bind(subject).bind(after.failures)
                .bind(after.blocked_until).bind(after.updated_at).execute(c).await.map(|done| done.rows_affected()))?
        }
        Some(before) => {
            let statement = "update throttle set failures = $3, blocked_until = $4, updated_at = $5
                where scope = $1 and subject = $2 and failures = $6 and blocked_until = $7";
            on_tx!(tx, c => sqlx::query(statement).bind(scope).bind(subject).bind(after.failures)
                .bind(after.blocked_until).bind(after.updated_at).bind(before.failures).bind(before.blocked_until)
                .execute(c).await.map(|done| done.rows_affected()))?
        }
    };
    Ok(done == 1)
}

/// Deletes the counter.
pub async fn clear(tx: &mut Tx, scope: &str, subject: &str) -> sqlx::Result<()> {
    let statement = "delete from throttle where scope = $1 and subject = $2";
    on_tx!(tx, c => sqlx::query(statement).bind(scope).bind(subject).execute(c).await.map(drop))
}

/// Deletes counters that have not changed since `before`, or, within `scope`, since `longer_before`, and block nobody.
pub async fn purge(
    db: &Db,
    before: Timestamp,
    scope: &str,
    longer_before: Timestamp,
    now: Timestamp,
) -> sqlx::Result<()> {
    let statement = "delete from throttle
        where updated_at < case when scope = $2 then $3 else $1 end and blocked_until <= $4";
    on!(db, pool => sqlx::query(statement).bind(before).bind(scope).bind(longer_before).bind(now).execute(pool).await
        .map(drop))
}

/// Deletes the counters within `scope` except the `keep` that have changed most recently.
pub async fn trim(db: &Db, scope: &str, keep: i64) -> sqlx::Result<()> {
    let statement = "delete from throttle where scope = $1 and updated_at <
        (select updated_at from throttle where scope = $1 order by updated_at desc limit 1 offset $2)";
    on!(db, pool => sqlx::query(statement).bind(scope).bind(keep).execute(pool).await.map(drop))
}
