//! Usage records and counts.

use std::net::IpAddr;

use sqlx::{FromRow, QueryBuilder};

use super::{Db, Tx, on, on_tx};
use crate::types::clock::Timestamp;
use crate::types::id::{RequestId, SecretId};
use crate::types::reason::Reason;

/// Numbers of calls.
#[derive(Clone, Copy, Debug, Default, FromRow)]
pub struct UseCounts {
    /// Accepted calls.
    pub accepted: i64,
    /// Refused calls.
    pub refused: i64,
}

/// The latest accepted call of a key.
#[derive(Clone, Debug)]
pub struct LastUse {
    /// The time of the call.
    pub at: Timestamp,
    /// The purpose of the call, as it is recorded.
    pub action: String,
    /// The client's address.
    pub address: IpAddr,
}

/// A call that is listed individually.
#[derive(Clone, Copy, Debug)]
pub struct NewUse<'a> {
    /// The call's key.
    pub secret_id: &'a SecretId,
    /// The time of the check.
    pub at: Timestamp,
    /// The ID that the caller was told.
    pub request_id: RequestId,
    /// The purpose of the call, as it is recorded.
    pub action: &'a str,
    /// The client's address.
    pub address: IpAddr,
    /// The reason for the refusal, in full. `None` if the call was accepted.
    pub refusal: Option<Reason>,
}

/// A key, the time at which it entered its state, and an hour since 1970.
pub type CountKey<'a> = (&'a SecretId, Timestamp, i64);

/// The most rows per statement, and records per transaction: enough to make the statement's own cost small, and few
/// enough that nobody waits long for it.
pub const ROWS: usize = 250;

// Statements whose number of rows varies are not kept prepared: each number of rows would need a statement of its own,
// on each connection, here and in the database.

/// Adds records, at most [`ROWS`].
pub async fn insert(tx: &mut Tx, records: &[NewUse<'_>]) -> sqlx::Result<()> {
    const INTO: &str = "insert into use_record (secret_id, at, request_id, action, address, accepted, reason) ";
    if records.is_empty() {
        return Ok(());
    }
    on_tx!(tx, c => QueryBuilder::new(INTO)
        .push_values(records, |mut row, record| {
            row.push_bind(record.secret_id).push_bind(record.at).push_bind(record.request_id.to_string())
                .push_bind(record.action).push_bind(record.address.to_string()).push_bind(record.refusal.is_none())
                .push_bind(record.refusal.map_or("", Reason::as_str));
        })
        .build().persistent(false).execute(c).await.map(drop))
}

/// Adds to the counts of keys and hours, accepted and refused, many per statement. No key and hour may appear twice.
pub async fn add_counts(tx: &mut Tx, counts: &[(CountKey<'_>, (i64, i64))]) -> sqlx::Result<()> {
    const INTO: &str = "insert into use_count (secret_id, since, hour, accepted, refused) ";
    const ADD: &str = " on conflict (secret_id, since, hour) do update
        set accepted = use_count.accepted + excluded.accepted, refused = use_count.refused + excluded.refused";
    for chunk in counts.chunks(ROWS) {
        on_tx!(tx, c => QueryBuilder::new(INTO)
            .push_values(chunk, |mut row, ((secret_id, since, hour), (accepted, refused))| {
                row.push_bind(*secret_id).push_bind(since).push_bind(hour).push_bind(accepted).push_bind(refused);
            })
            .push(ADD).build().persistent(false).execute(c).await.map(drop))?;
    }
    Ok(())
}

/// Stores the latest accepted calls of keys, many per statement. No key may appear twice.
pub async fn note_last_uses(tx: &mut Tx, uses: &[(&SecretId, &LastUse)]) -> sqlx::Result<()> {
    const INTO: &str = "insert into last_use (secret_id, at, action, address) ";
    const LATER: &str = " on conflict (secret_id) do update
        set at = excluded.at, action = excluded.action, address = excluded.address where last_use.at <= excluded.at";
    for chunk in uses.chunks(ROWS) {
        on_tx!(tx, c => QueryBuilder::new(INTO)
            .push_values(chunk, |mut row, (secret_id, last)| {
                row.push_bind(*secret_id).push_bind(last.at).push_bind(&last.action).push_bind(last.address.to_string());
            })
            .push(LATER).build().persistent(false).execute(c).await.map(drop))?;
    }
    Ok(())
}

/// All calls of a key in the state that it entered at `since`.
pub async fn in_state(db: &Db, secret_id: &SecretId, since: Timestamp) -> sqlx::Result<UseCounts> {
    let statement = "select cast(coalesce(sum(accepted), 0) as bigint) as accepted,
            cast(coalesce(sum(refused), 0) as bigint) as refused
        from use_count where secret_id = $1 and since = $2";
    on!(db, pool => sqlx::query_as(statement).bind(secret_id).bind(since).fetch_one(pool).await)
}

/// The number of accepted calls of a key since `since`. In the hour of `since`, only calls that are listed individually
/// are included; later hours are complete.
pub async fn accepted(db: &Db, secret_id: &SecretId, since: Timestamp) -> sqlx::Result<i64> {
    let statement = "select cast(
            (select coalesce(sum(accepted), 0) from use_count where secret_id = $1 and hour >= $3)
            + (select count(*) from use_record where secret_id = $1 and at >= $2 and at < $4 and accepted)
        as bigint)";
    let hour = since.next_hour();
    on!(db, pool => sqlx::query_scalar(statement).bind(secret_id).bind(since).bind(hour.hour()).bind(hour)
        .fetch_one(pool).await)
}

/// The number of different addresses that a key's accepted calls came from since `since`, as far as they are listed.
pub async fn count_addresses(db: &Db, secret_id: &SecretId, since: Timestamp) -> sqlx::Result<i64> {
    let statement = "select count(distinct address) from use_record where secret_id = $1 and at >= $2 and accepted";
    on!(db, pool => sqlx::query_scalar(statement).bind(secret_id).bind(since).fetch_one(pool).await)
}

/// The addresses that a key's accepted calls came from since `since`, the most recent first.
pub async fn addresses(db: &Db, secret_id: &SecretId, since: Timestamp, limit: i64) -> sqlx::Result<Vec<String>> {
    let statement = "select address from use_record where secret_id = $1 and at >= $2 and accepted
        group by address order by max(at) desc, address limit $3";
    on!(db, pool => sqlx::query_scalar(statement).bind(secret_id).bind(since).bind(limit).fetch_all(pool).await)
}

/// The calls of one hour.
#[derive(Clone, Copy, Debug, FromRow)]
pub struct CountsOfHour {
    /// Hours since 1970, in UTC.
    pub hour: i64,
    /// Accepted calls.
    pub accepted: i64,
    /// Refused calls.
    pub refused: i64,
}

/// The calls of a key in each hour that had any, since `since`.
pub async fn per_hour(db: &Db, secret_id: &SecretId, since: Timestamp) -> sqlx::Result<Vec<CountsOfHour>> {
    let statement = "select hour, cast(sum(accepted) as bigint) as accepted, cast(sum(refused) as bigint) as refused
        from use_count where secret_id = $1 and hour >= $2 group by hour order by hour";
    on!(db, pool => sqlx::query_as(statement).bind(secret_id).bind(since.hour()).fetch_all(pool).await)
}

/// Deletes some of a key's records that are older than `before`. Returns `false` once there are none.
pub async fn drop_older(db: &Db, secret_id: &SecretId, before: Timestamp) -> sqlx::Result<bool> {
    let statement = "delete from use_record where secret_id = $1 and at <= (select max(at) from
            (select at from use_record where secret_id = $1 and at < $2 order by at limit $3) as oldest)";
    on!(db, pool => sqlx::query(statement).bind(secret_id).bind(before).bind(A_TIME).execute(pool).await
        .map(|done| done.rows_affected() > 0))
}

/// The time of the latest of a key's records beyond the `keep` latest. `None` if there are no more than those.
pub async fn beyond(db: &Db, secret_id: &SecretId, keep: i64) -> sqlx::Result<Option<Timestamp>> {
    let statement = "select at from use_record where secret_id = $1 order by at desc limit 1 offset $2";
    on!(db, pool => sqlx::query_scalar(statement).bind(secret_id).bind(keep).fetch_optional(pool).await)
}

/// The number of rows that are deleted at a time, so that nobody waits long for it.
const A_TIME: i64 = 2000;

/// The first key after `after` that has records.
pub async fn next_key_with_records(db: &Db, after: &str) -> sqlx::Result<Option<SecretId>> {
    let statement = "select secret_id from use_record where secret_id > $1 order by secret_id limit 1";
    on!(db, pool => sqlx::query_scalar(statement).bind(after).fetch_optional(pool).await)
}

/// Deletes some of the counts of hours before `before`. Returns `false` once there are none.
pub async fn drop_older_counts(db: &Db, before: Timestamp) -> sqlx::Result<bool> {
    let statement = "delete from use_count where hour <= (select max(hour) from
            (select hour from use_count where hour < $1 order by hour limit $2) as oldest)";
    on!(db, pool => sqlx::query(statement).bind(before.hour()).bind(A_TIME).execute(pool).await
        .map(|done| done.rows_affected() > 0))
}
