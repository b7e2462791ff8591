//! The data of the installation as a whole: the first setup, setup links, master key versions and the product's own
//! sealed keys.

use sqlx::FromRow;

use super::{Db, Tx, on, on_tx};
use crate::secret::token::TokenDigest;
use crate::secret::vault::Sealed;
use crate::types::clock::Timestamp;
use crate::types::id::Uin;

/// Returns `true` if the first account has been created.
pub async fn is_set_up(db: &Db) -> sqlx::Result<bool> {
    on!(db, pool => sqlx::query_scalar("select set_up from installation where id = 1").fetch_one(pool).await)
}

/// Writes a value that is there already, and commits it like any change.
pub async fn try_write(db: &Db) -> sqlx::Result<()> {
    let mut tx = db.begin().await?;
    let statement = "update installation set id = id where id = 1";
    on_tx!(&mut tx, c => sqlx::query(statement).execute(c).await.map(drop))?;
    tx.commit().await
}

/// Closes the first setup. Returns `true` to the caller that closed it.
pub async fn close_first_setup(tx: &mut Tx) -> sqlx::Result<bool> {
    let statement = "update installation set set_up = true where id = 1 and set_up = false";
    on_tx!(tx, c => sqlx::query(statement).execute(c).await.map(|done| done.rows_affected() == 1))
}

/// Returns the console's address when a server last started.
pub async fn console_url(db: &Db) -> sqlx::Result<Option<String>> {
    on!(db, pool => sqlx::query_scalar("select console_url from installation where id = 1").fetch_one(pool).await)
}

/// Stores the console's address.
pub async fn set_console_url(db: &Db, url: &str) -> sqlx::Result<()> {
    let statement = "update installation set console_url = $1 where id = 1";
    on!(db, pool => sqlx::query(statement).bind(url).execute(pool).await.map(drop))
}

/// A stored setup link.
#[derive(Clone, Debug, FromRow)]
pub struct SetupLink {
    /// `first`, `account`, `mfa` or `recovery`.
    pub purpose: String,
    /// The account that it completes. `None` for `first`.
    pub uin: Option<Uin>,
}

/// Stores a link by the digest of its token.
pub async fn insert_setup_link(
    tx: &mut Tx,
    token_hash: &TokenDigest,
    purpose: &str,
    uin: Option<Uin>,
    expires_at: Timestamp,
) -> sqlx::Result<()> {
    on_tx!(tx, c => sqlx::query("insert into setup_link (token_hash, purpose, uin, expires_at) values ($1, $2, $3, $4)")
        .bind(token_hash).bind(purpose).bind(uin).bind(expires_at).execute(c).await.map(drop))
}

/// The link with this token, if it can still be used.
pub async fn usable_setup_link(db: &Db, token_hash: &TokenDigest, now: Timestamp) -> sqlx::Result<Option<SetupLink>> {
    let statement = "select purpose, uin from setup_link where token_hash = $1 and used_at is null and expires_at > $2";
    on!(db, pool => sqlx::query_as(statement).bind(token_hash).bind(now).fetch_optional(pool).await)
}

/// Spends a link. Returns `true` to the caller that spent it.
pub async fn spend_setup_link(tx: &mut Tx, token_hash: &TokenDigest, now: Timestamp) -> sqlx::Result<bool> {
    let statement = "update setup_link set used_at = $2 where token_hash = $1 and used_at is null and expires_at > $2";
    on_tx!(tx, c => sqlx::query(statement).bind(token_hash).bind(now).execute(c).await
        .map(|done| done.rows_affected() == 1))
}

/// Invalidates every open link of an account, before a new one is created.
pub async fn revoke_setup_links(tx: &mut Tx, uin: Uin, now: Timestamp) -> sqlx::Result<()> {
    let statement = "update setup_link set used_at = $2 where uin = $1 and used_at is null";
    on_tx!(tx, c => sqlx::query(statement).bind(uin).bind(now).execute(c).await.map(drop))
}

/// Every master key version that this database knows, with its check value.
pub async fn master_key_versions(db: &Db) -> sqlx::Result<Vec<Sealed>> {
    let statement = "select version, check_value from master_key order by version";
    let rows: Vec<(i64, Vec<u8>)> = on!(db, pool => sqlx::query_as(statement).fetch_all(pool).await)?;
    Ok(rows.into_iter().map(|(key_version, bytes)| Sealed { key_version, bytes }).collect())
}

/// The newest master key version, which is the one to seal under, with its check value. It stays the newest until the
/// transaction ends, because adding a version takes the same lock, which is on the installation's only row.
pub async fn hold_master_key(tx: &mut Tx) -> sqlx::Result<Option<Sealed>> {
    let hold = "update installation set set_up = set_up where id = 1";
    on_tx!(tx, c => sqlx::query(hold).execute(c).await.map(drop))?;
    let statement = "select version, check_value from master_key order by version desc limit 1";
    let row: Option<(i64, Vec<u8>)> = on_tx!(tx, c => sqlx::query_as(statement).fetch_optional(c).await)?;
    Ok(row.map(|(key_version, bytes)| Sealed { key_version, bytes }))
}

/// Deletes the versions below `version`.
pub async fn delete_master_keys_below(tx: &mut Tx, version: i64) -> sqlx::Result<()> {
    let statement = "delete from master_key where version < $1";
    on_tx!(tx, c => sqlx::query(statement).bind(version).execute(c).await.map(drop))
}

/// Stores a master key version, unless it is there already.
pub async fn insert_master_key(tx: &mut Tx, check: &Sealed, now: Timestamp) -> sqlx::Result<()> {
    let statement =
        "insert into master_key (version, check_value, created_at) values ($1, $2, $3) on conflict do nothing";
    on_tx!(tx, c => sqlx::query(statement).bind(check.key_version).bind(&check.bytes).bind(now).execute(c).await.map(drop))
}

/// One of the product's own keys, sealed.
pub async fn data_key(db: &Db, name: &str) -> sqlx::Result<Option<Sealed>> {
    let statement = "select key_version, sealed from data_key where name = $1";
    let row: Option<(i64, Vec<u8>)> = on!(db, pool => sqlx::query_as(statement).bind(name).fetch_optional(pool).await)?;
    Ok(row.map(|(key_version, bytes)| Sealed { key_version, bytes }))
}

/// Stores one of the product's own keys, unless it is there already.
pub async fn insert_data_key(tx: &mut Tx, name: &str, sealed: &Sealed) -> sqlx::Result<()> {
    let statement = "insert into data_key (name, sealed, key_version) values ($1, $2, $3) on conflict do nothing";
    on_tx!(tx, c => sqlx::query(statement).bind(name).bind(&sealed.bytes).bind(sealed.key_version).execute(c).await.map(drop))
}
