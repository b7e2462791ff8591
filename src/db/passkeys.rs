//! Passkeys, and what is asked of browsers about them.

use sqlx::FromRow;

use super::{Db, Tx, on, on_tx};
use crate::secret::token::TokenDigest;
use crate::types::clock::Timestamp;
use crate::types::id::{PasskeyHandle, Uin};

/// A passkey as its owner sees it.
#[derive(Clone, Debug, FromRow)]
pub struct PasskeyRow {
    /// What it is named by.
    pub handle: PasskeyHandle,
    /// What its owner calls it.
    pub name: String,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was last used to sign in or to verify.
    pub last_used_at: Option<Timestamp>,
}

/// What the use of a passkey is checked with.
#[derive(Clone, Debug, FromRow)]
pub struct CredentialRow {
    /// What it is named by.
    pub handle: PasskeyHandle,
    /// Whose it is.
    pub uin: Uin,
    /// Public key, counter and flags, as the library writes them.
    pub credential: String,
}

/// A passkey about to be stored.
#[derive(Clone, Copy, Debug)]
pub struct NewPasskey<'a> {
    /// What it is named by.
    pub handle: &'a PasskeyHandle,
    /// Whose it is.
    pub uin: Uin,
    /// What authenticators know it by.
    pub credential_id: &'a [u8],
    /// Public key, counter and flags, as the library writes them.
    pub credential: &'a str,
    /// What its owner calls it.
    pub name: &'a str,
}

/// A new passkey in the account's first free place of `limit`. False if there is none. A unique violation if the
/// credential is known already.
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

/// What authenticators know the account's passkeys by.
pub async fn credential_ids(db: &Db, uin: Uin) -> sqlx::Result<Vec<Vec<u8>>> {
    let statement = "select credential_id from passkey where uin = $1 order by slot";
    on!(db, pool => sqlx::query_scalar(statement).bind(uin).fetch_all(pool).await)
}

/// The passkey an authenticator names.
pub async fn by_credential_id(db: &Db, credential_id: &[u8]) -> sqlx::Result<Option<CredentialRow>> {
    let statement = "select handle, uin, credential from passkey where credential_id = $1";
    on!(db, pool => sqlx::query_as(statement).bind(credential_id).fetch_optional(pool).await)
}

/// Notes a use, if the passkey is as it was when the use was checked: of two at once, or of a use and a removal, one
/// wins.
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

/// Renames a passkey of the account. False if there is no such one.
pub async fn rename(tx: &mut Tx, uin: Uin, handle: &PasskeyHandle, name: &str) -> sqlx::Result<bool> {
    let statement = "update passkey set name = $3 where uin = $1 and handle = $2";
    on_tx!(tx, c => sqlx::query(statement).bind(uin).bind(handle).bind(name).execute(c).await
        .map(|done| done.rows_affected() == 1))
}

/// Removes a passkey of the account. False if there is no such one.
pub async fn delete(tx: &mut Tx, uin: Uin, handle: &PasskeyHandle) -> sqlx::Result<bool> {
    let statement = "delete from passkey where uin = $1 and handle = $2";
    on_tx!(tx, c => sqlx::query(statement).bind(uin).bind(handle).execute(c).await
        .map(|done| done.rows_affected() == 1))
}

/// Removes all passkeys of the account.
pub async fn delete_all_of(tx: &mut Tx, uin: Uin) -> sqlx::Result<()> {
    on_tx!(tx, c => sqlx::query("delete from passkey where uin = $1").bind(uin).execute(c).await.map(drop))
}

/// How many challenges of `asker` wait for an answer, and when the first of them ends.
pub async fn waiting_challenges(db: &Db, asker: &str, now: Timestamp) -> sqlx::Result<(i64, Option<Timestamp>)> {
    let statement = "select count(*), min(expires_at) from passkey_challenge where asker = $1 and expires_at > $2";
    on!(db, pool => sqlx::query_as(statement).bind(asker).bind(now).fetch_one(pool).await)
}

/// Keeps what a browser's answer will be checked against, and of all that is kept the latest `keep`.
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

/// Takes it, for the one who takes it and in time; none for everybody else.
pub async fn take_challenge(db: &Db, token_hash: &TokenDigest, now: Timestamp) -> sqlx::Result<Option<String>> {
    let statement = "delete from passkey_challenge where token_hash = $1 returning ceremony, expires_at";
    let row: Option<(String, Timestamp)> =
        on!(db, pool => sqlx::query_as(statement).bind(token_hash).fetch_optional(pool).await)?;
    Ok(row.filter(|(_, expires_at)| *expires_at > now).map(|(ceremony, _)| ceremony))
}

/// Clears out challenges nobody has answered.
pub async fn purge(db: &Db, now: Timestamp) -> sqlx::Result<()> {
    let statement = "delete from passkey_challenge where expires_at <= $1";
    on!(db, pool => sqlx::query(statement).bind(now).execute(pool).await.map(drop))
}
