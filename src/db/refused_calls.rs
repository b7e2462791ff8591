//! The diagnoses of refused requests.

use sqlx::FromRow;

use super::usage::NewUse;
use super::{Db, Tx, on, on_tx};
use crate::types::clock::Timestamp;
use crate::types::id::{RequestId, SecretId, Uin};
use crate::types::reason::Reason;

/// The longest canonical request that is stored, in bytes.
const LONGEST: usize = 8 * 1024;

/// A diagnosed request, as its key's owner sees it.
#[derive(Clone, Debug, FromRow)]
pub struct RefusedCallRow {
    /// The ID that the caller was told.
    pub request_id: String,
    /// The key's SecretId.
    pub secret_id: SecretId,
    /// The time at which it arrived.
    pub at: Timestamp,
    /// The time at which it was signed, according to its own timestamp.
    pub signed_at: Timestamp,
    /// The purpose of the request, as it was recorded.
    pub action: String,
    /// The client's address.
    pub address: String,
    /// The reason for the refusal, in full.
    pub reason: String,
    /// The server's canonical request, cut off after 8 KiB.
    pub canonical_request: String,
    /// The server's string to sign.
    pub string_to_sign: String,
    /// The part that differs, as `Cause::as_str` returns it; empty if none was found.
    pub cause: String,
}

/// A diagnosis to be stored.
#[derive(Clone, Copy, Debug)]
pub struct NewRefusedCall<'a> {
    /// The time at which it was signed, according to its own timestamp.
    pub signed_at: Timestamp,
    /// The server's canonical request.
    pub canonical_request: &'a str,
    /// The server's string to sign.
    pub string_to_sign: &'a str,
    /// The stored name of the part that differs; empty if none was found.
    pub cause: &'static str,
}

/// Adds a diagnosis, and deletes the key's oldest ones beyond `keep`.
pub async fn insert(tx: &mut Tx, record: NewUse<'_>, call: NewRefusedCall<'_>, keep: i64) -> sqlx::Result<()> {
    let statement = "insert into refused_call (request_id, secret_id, at, signed_at, action, address, reason,
            canonical_request, string_to_sign, cause)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let canonical = &call.canonical_request[..call.canonical_request.floor_char_boundary(LONGEST)];
    on_tx!(tx, c => sqlx::query(statement).bind(record.request_id.to_string()).bind(record.secret_id).bind(record.at)
        .bind(call.signed_at).bind(record.action).bind(record.address.to_string())
        .bind(record.refusal.map_or("", Reason::as_str)).bind(canonical).bind(call.string_to_sign)
        .bind(call.cause).execute(c).await.map(drop))?;
    let trim = "delete from refused_call where secret_id = $1 and at <
        (select at from refused_call where secret_id = $1 order by at desc limit 1 offset $2)";
    on_tx!(tx, c => sqlx::query(trim).bind(record.secret_id).bind(keep).execute(c).await.map(drop))
}

/// A diagnosis for one of the account's keys, by its request's ID.
pub async fn find(db: &Db, uin: Uin, request_id: RequestId) -> sqlx::Result<Option<RefusedCallRow>> {
    let statement = "select request_id, secret_id, at, signed_at, action, address, reason, canonical_request,
            string_to_sign, cause
        from refused_call where request_id = $2 and secret_id in (select secret_id from api_key where uin = $1)";
    on!(db, pool => sqlx::query_as(statement).bind(uin).bind(request_id.to_string()).fetch_optional(pool).await)
}

/// Deletes diagnoses older than `before`.
pub async fn purge(db: &Db, before: Timestamp) -> sqlx::Result<()> {
    on!(db, pool => sqlx::query("delete from refused_call where at < $1").bind(before).execute(pool).await.map(drop))
}
