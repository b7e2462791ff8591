//! Passkeys, and the challenges that browsers have been sent.

use sqlx::FromRow;

use super::{Db, Tx, on, on_tx};
use crate::secret::token::TokenDigest;
use crate::types::clock::Timestamp;
use crate::types::id::{PasskeyHandle, Uin};

/// A passkey as its owner sees it.
#[derive(Clone, Debug, FromRow)]
pub struct PasskeyRow {
    /// The passkey's handle.
    pub handle: PasskeyHandle,
    /// The name that its owner has given it.
    pub name: String,
    /// The time at which the passkey was added.
    pub created_at: Timestamp,
    /// The time at which it was last used to sign in or to verify.
    pub last_used_at: Option<Timestamp>,
}

/// The stored data that is needed to check the use of a passkey.
#[derive(Clone, Debug, FromRow)]
pub struct CredentialRow {
    /// The passkey's handle.
    pub handle: PasskeyHandle,
    /// The passkey's account.
    pub uin: Uin,
    /// The public key, counter and flags, as the library serialises them.
    pub credential: String,
}

/// A passkey about to be stored.
#[derive(Clone, Copy, Debug)]
pub struct NewPasskey<'a> {
    /// The passkey's handle.
    pub handle: &'a PasskeyHandle,
    /// The passkey's account.
    pub uin: Uin,
    /// The ID by which authenticators know the passkey.
    pub credential_id: &'a [u8],
    /// The public key, counter and flags, as the library serialises them.
    pub credential: &'a str,
    /// The name that its owner gives it.
    pub name: &'a str,
}

/// Inserts a passkey in the account's first free slot of `limit`. Returns `false` if there is none. Fails with a unique
/// violation if the credential is known already.
pub async fn insert(tx: &mut Tx, new: &NewPasskey<'_>, now: Timestamp, limit: i64) -> sqlx::Result<bool> {
    let statement = "insert into passkey (handle, uin, slot, credential_id, credential, name, created_at)
        select $1, $2, min(free.slot), $3, $4, $5, $6
        from (select cast(1 as bigint) as slot union all select slot + 1 from passkey where uin = $2) as free
        where free.slot <= $7
            and not exists (select 1 from passkey as taken where taken.uin = $2 and taken.slot = free.slot)
        having min(free.slot) is not null";
    on_tx!(tx, c => sqlx::query(statement).bind(new.handle).bind(new.uin).bind(new.credential_id)
        .bind(new.credential).bind(new.name).bind(now).bind(limit).execute(c).await.map(|done| done.rows_affected() == 1))
}

/// The account's passkeys, oldest first.
pub async fn list(db: &Db, uin: Uin) -> sqlx::Result<Vec<PasskeyRow>> {
    let statement = "select handle, name, created_at, last_used_at from passkey where uin = $1
        order by created_at, handle";
    on!(db, pool => sqlx::query_as(statement).bind(uin).fetch_all(pool).await)
}

/// The IDs by which authenticators know the account's passkeys.
pub async fn credential_ids(db: &Db, uin: Uin) -> sqlx::Result<Vec<Vec<u8>>> {
    let statement = "select credential_id from passkey where uin = $1 order by slot";
    on!(db, pool => sqlx::query_scalar(statement).bind(uin).fetch_all(pool).await)
}

/// The passkey that an authenticator names.
pub async fn by_credential_id(db: &Db, credential_id: &[u8]) -> sqlx::Result<Option<CredentialRow>> {
    let statement = "select handle, uin, credential from passkey where credential_id = $1";
    on!(db, pool => sqlx::query_as(statement).bind(credential_id).fetch_optional(pool).await)
}

/// Records a use, if the passkey is as it was when the use was checked. Of two uses at the same time, or of a use and a
/// removal, only one succeeds.
pub async fn note_use(
    tx: &mut Tx,
    handle: &PasskeyHandle,
    before: &str,
    after: &str,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let statement = "update passkey set credential = $3, last_used_at = $4 where handle = $1 and credential = $2";
    on_tx!(tx, c => sqlx::query(statement).bind(handle).bind(before).bind(after).bind(now).execute(c).await
        .map(|done| done.rows_affected() == 1))
}

/// Renames a passkey of the account. Returns `false` if there is no such passkey.
pub async fn rename(tx: &mut Tx, uin: Uin, handle: &PasskeyHandle, name: &str) -> sqlx::Result<bool> {
    let statement = "update passkey set name = $3 where uin = $1 and handle = $2";
    on_tx!(tx, c => sqlx::query(statement).bind(uin).bind(handle).bind(name).execute(c).await
        .map(|done| done.rows_affected() == 1))
}

/// Removes a passkey of the account. Returns `false` if there is no such passkey.
pub async fn delete(tx: &mut Tx, uin: Uin, handle: &PasskeyHandle) -> sqlx::Result<bool> {
    let statement = "delete from passkey where uin = $1 and handle = $2";
    on_tx!(tx, c => sqlx::query(statement).bind(uin).bind(handle).execute(c).await
        .map(|done| done.rows_affected() == 1))
}

/// Removes all passkeys of the account.
pub async fn delete_all_of(tx: &mut Tx, uin: Uin) -> sqlx::Result<()> {
    on_tx!(tx, c => sqlx::query("delete from passkey where uin = $1").bind(uin).execute(c).await.map(drop))
}

/// The number of pending challenges of `asker`, and the time at which the first of them expires.
pub async fn waiting_challenges(db: &Db, asker: &str, now: Timestamp) -> sqlx::Result<(i64, Option<Timestamp>)> {
    let statement = "select count(*), min(expires_at) from passkey_challenge where asker = $1 and expires_at > $2";
    on!(db, pool => sqlx::query_as(statement).bind(asker).bind(now).fetch_one(pool).await)
}

/// Stores a challenge, against which a browser's response will be checked. Of all challenges, keeps the latest `keep`.
pub async fn insert_challenge(
    db: &Db,
    token_hash: &TokenDigest,
    ceremony: &str,
    asker: &str,
    expires_at: Timestamp,
    keep: i64,
) -> sqlx::Result<()> {
    let statement = "insert into passkey_challenge (token_hash, ceremony, asker, expires_at) values ($1, $2, $3, $4)";
    on!(db, pool => sqlx::query(statement).bind(token_hash).bind(ceremony).bind(asker).bind(expires_at).execute(pool).await
        .map(drop))?;
    let trim = "delete from passkey_challenge where expires_at <
        (select expires_at from passkey_challenge order by expires_at desc limit 1 offset $1)";
    on!(db, pool => sqlx::query(trim).bind(keep).execute(pool).await.map(drop))
}

/// Takes a challenge. Returns `None` if it has expired or was taken before.
pub async fn take_challenge(db: &Db, token_hash: &TokenDigest, now: Timestamp) -> sqlx::Result<Option<String>> {
    let statement = "delete from passkey_challenge where token_hash = $1 returning ceremony, expires_at";
    let row: Option<(String, Timestamp)> =
        on!(db, pool => sqlx::query_as(statement).bind(token_hash).fetch_optional(pool).await)?;
    Ok(row.filter(|(_, expires_at)| *expires_at > now).map(|(ceremony, _)| ceremony))
}

/// Deletes expired challenges.
pub async fn purge(db: &Db, now: Timestamp) -> sqlx::Result<()> {
    let statement = "delete from passkey_challenge where expires_at <= $1";
    on!(db, pool => sqlx::query(statement).bind(now).execute(pool).await.map(drop))
}
