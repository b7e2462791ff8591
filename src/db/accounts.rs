//! Root accounts, their second factor, recovery codes and known devices.

use sqlx::FromRow;

use super::{Db, Tx, on, on_tx};
use crate::secret::token::TokenDigest;
use crate::secret::vault::Sealed;
use crate::types::clock::Timestamp;
use crate::types::id::{AppId, Uin};

/// A stored account.
#[derive(Clone, FromRow)]
pub struct AccountRow {
    /// The account's number.
    pub uin: Uin,
    /// The account's APPID.
    pub app_id: AppId,
    canonical_name: String,
    /// The name, as it was given.
    pub name: String,
    /// The PHC string of the password. `None` until the account is set up.
    pub password_hash: Option<String>,
    totp_seed: Option<Vec<u8>>,
    totp_key_version: Option<i64>,
    /// The latest TOTP step that was spent.
    pub totp_spent_step: i64,
    /// The credential epoch. Sessions of an older one are over.
    pub credential_epoch: i64,
    /// The time at which the account was created.
    pub created_at: Timestamp,
    /// The time of the latest completed sign-in.
    pub last_sign_in_at: Option<Timestamp>,
    /// The address from which that sign-in came.
    pub last_sign_in_address: Option<String>,
    /// The operator's latest link for recovery.
    pub recovery_link_at: Option<Timestamp>,
}

impl std::fmt::Debug for AccountRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountRow").field("uin", &self.uin).finish_non_exhaustive()
    }
}

impl AccountRow {
    /// The name in the form that look-ups and throttling use.
    pub fn canonical_name(&self) -> &str {
        &self.canonical_name
    }

    /// The TOTP seed, as it is stored, if a second factor is enrolled.
    pub fn sealed_totp_seed(&self) -> Option<Sealed> {
        Some(Sealed { key_version: self.totp_key_version?, bytes: self.totp_seed.clone()? })
    }

    /// Returns `true` if this account can be signed in to.
    pub fn is_complete(&self) -> bool {
        self.password_hash.is_some() && self.totp_seed.is_some()
    }
}

/// The account with this number.
pub async fn by_uin(db: &Db, uin: Uin) -> sqlx::Result<Option<AccountRow>> {
    on!(db, pool => sqlx::query_as("select * from account where uin = $1").bind(uin).fetch_optional(pool).await)
}

/// The account with this canonical name.
pub async fn by_name(db: &Db, canonical_name: &str) -> sqlx::Result<Option<AccountRow>> {
    let statement = "select * from account where canonical_name = $1";
    on!(db, pool => sqlx::query_as(statement).bind(canonical_name).fetch_optional(pool).await)
}

/// All accounts, oldest first.
pub async fn all(db: &Db) -> sqlx::Result<Vec<AccountRow>> {
    on!(db, pool => sqlx::query_as("select * from account order by created_at, uin").fetch_all(pool).await)
}

/// Inserts an account without credentials. Fails with a unique violation if the name (or, very unlikely, a number) is
/// taken.
pub async fn insert(
    tx: &mut Tx,
    uin: Uin,
    app_id: AppId,
    name: &str,
    canonical_name: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    let statement =
        "insert into account (uin, app_id, name, canonical_name, totp_spent_step, credential_epoch, created_at)
        values ($1, $2, $3, $4, -1, 0, $5)";
    on_tx!(tx, c => sqlx::query(statement).bind(uin).bind(app_id).bind(name).bind(canonical_name).bind(now)
        .execute(c).await.map(drop))
}

/// Returns `true` if `epoch` is still the account's credential epoch. If so, it stays so until the transaction ends.
/// Must come first in a transaction on behalf of somebody who was authenticated before it.
pub async fn hold_epoch(tx: &mut Tx, uin: Uin, epoch: i64) -> sqlx::Result<bool> {
    let statement = "update account set credential_epoch = $2 where uin = $1 and credential_epoch = $2";
    on_tx!(tx, c => sqlx::query(statement).bind(uin).bind(epoch).execute(c).await.map(|done| done.rows_affected() == 1))
}

/// Starts a new credential epoch and returns it. Sessions of older ones are over.
pub async fn raise_epoch(tx: &mut Tx, uin: Uin) -> sqlx::Result<i64> {
    let statement = "update account set credential_epoch = credential_epoch + 1 where uin = $1
        returning credential_epoch";
    on_tx!(tx, c => sqlx::query_scalar(statement).bind(uin).fetch_one(c).await)
}

/// Sets the password, starts a new credential epoch, and returns it.
pub async fn set_password(tx: &mut Tx, uin: Uin, password_hash: &str) -> sqlx::Result<i64> {
    let statement = "update account set password_hash = $2, credential_epoch = credential_epoch + 1 where uin = $1
        returning credential_epoch";
    on_tx!(tx, c => sqlx::query_scalar(statement).bind(uin).bind(password_hash).fetch_one(c).await)
}

/// Enrols a second factor whose step `spent_step` has just been spent, starts a new credential epoch, and returns it.
pub async fn set_totp(tx: &mut Tx, uin: Uin, seed: &Sealed, spent_step: i64) -> sqlx::Result<i64> {
    let statement = "update account set totp_seed = $2, totp_key_version = $3, totp_spent_step = $4,
        credential_epoch = credential_epoch + 1 where uin = $1 returning credential_epoch";
    on_tx!(tx, c => sqlx::query_scalar(statement).bind(uin).bind(&seed.bytes).bind(seed.key_version).bind(spent_step)
        .fetch_one(c).await)
}

/// Notes that the operator has made a link for recovery.
pub async fn set_recovery_link_at(tx: &mut Tx, uin: Uin, now: Timestamp) -> sqlx::Result<()> {
    let statement = "update account set recovery_link_at = $2 where uin = $1";
    on_tx!(tx, c => sqlx::query(statement).bind(uin).bind(now).execute(c).await.map(drop))
}

/// Forgets the second factor, recovery codes and known devices, and starts a new credential epoch.
pub async fn clear_mfa(tx: &mut Tx, uin: Uin) -> sqlx::Result<()> {
    let statement = "update account set totp_seed = null, totp_key_version = null,
        credential_epoch = credential_epoch + 1 where uin = $1";
    on_tx!(tx, c => sqlx::query(statement).bind(uin).execute(c).await.map(drop))?;
    on_tx!(tx, c => sqlx::query("delete from recovery_code where uin = $1").bind(uin).execute(c).await.map(drop))?;
    on_tx!(tx, c => sqlx::query("delete from known_device where uin = $1").bind(uin).execute(c).await.map(drop))
}

/// Spends a TOTP step. Returns `true` to the caller that spent it, and `false` if it, or a later one, was spent before.
pub async fn spend_totp_step(tx: &mut Tx, uin: Uin, step: i64) -> sqlx::Result<bool> {
    let statement = "update account set totp_spent_step = $2 where uin = $1 and totp_spent_step < $2";
    on_tx!(tx, c => sqlx::query(statement).bind(uin).bind(step).execute(c).await.map(|done| done.rows_affected() == 1))
}

/// Replaces the account's recovery codes with these digests.
pub async fn set_recovery_codes(tx: &mut Tx, uin: Uin, digests: &[TokenDigest]) -> sqlx::Result<()> {
    on_tx!(tx, c => sqlx::query("delete from recovery_code where uin = $1").bind(uin).execute(c).await.map(drop))?;
    for digest in digests {
        let statement = "insert into recovery_code (uin, code_hash) values ($1, $2)";
        on_tx!(tx, c => sqlx::query(statement).bind(uin).bind(digest).execute(c).await.map(drop))?;
    }
    Ok(())
}

/// Spends a recovery code. Returns `true` to the caller that spent it.
pub async fn spend_recovery_code(tx: &mut Tx, uin: Uin, digest: &TokenDigest, now: Timestamp) -> sqlx::Result<bool> {
    let statement = "update recovery_code set spent_at = $3 where uin = $1 and code_hash = $2 and spent_at is null";
    on_tx!(tx, c => sqlx::query(statement).bind(uin).bind(digest).bind(now).execute(c).await
        .map(|done| done.rows_affected() == 1))
}

const RECOVERY_CODES_LEFT: &str = "select count(*) from recovery_code where uin = $1 and spent_at is null";

/// The number of recovery codes that are left.
pub async fn recovery_codes_left(db: &Db, uin: Uin) -> sqlx::Result<i64> {
    on!(db, pool => sqlx::query_scalar(RECOVERY_CODES_LEFT).bind(uin).fetch_one(pool).await)
}

/// [`recovery_codes_left`] within a transaction.
pub async fn recovery_codes_left_in(tx: &mut Tx, uin: Uin) -> sqlx::Result<i64> {
    on_tx!(tx, c => sqlx::query_scalar(RECOVERY_CODES_LEFT).bind(uin).fetch_one(c).await)
}

/// Records a completed sign-in.
pub async fn set_last_sign_in(tx: &mut Tx, uin: Uin, now: Timestamp, address: Option<String>) -> sqlx::Result<()> {
    let statement = "update account set last_sign_in_at = $2, last_sign_in_address = $3 where uin = $1";
    on_tx!(tx, c => sqlx::query(statement).bind(uin).bind(now).bind(address).execute(c).await.map(drop))
}

/// Remembers a browser that has completed a sign-in.
pub async fn insert_device(tx: &mut Tx, token_hash: &TokenDigest, uin: Uin, expires_at: Timestamp) -> sqlx::Result<()> {
    let statement = "insert into known_device (token_hash, uin, expires_at) values ($1, $2, $3)";
    on_tx!(tx, c => sqlx::query(statement).bind(token_hash).bind(uin).bind(expires_at).execute(c).await.map(drop))
}

/// Returns `true` if this browser has signed in to this account before.
pub async fn is_known_device(db: &Db, token_hash: &TokenDigest, uin: Uin, now: Timestamp) -> sqlx::Result<bool> {
    let statement = "select count(*) from known_device where token_hash = $1 and uin = $2 and expires_at > $3";
    let count: i64 =
        on!(db, pool => sqlx::query_scalar(statement).bind(token_hash).bind(uin).bind(now).fetch_one(pool).await)?;
    Ok(count > 0)
}

/// Returns `true` if this browser has signed in to any account before.
pub async fn is_known_device_of_any(db: &Db, token_hash: &TokenDigest, now: Timestamp) -> sqlx::Result<bool> {
    let statement = "select count(*) from known_device where token_hash = $1 and expires_at > $2";
    let count: i64 = on!(db, pool => sqlx::query_scalar(statement).bind(token_hash).bind(now).fetch_one(pool).await)?;
    Ok(count > 0)
}

/// Forgets the browsers that have signed in to this account before, except the one with this token.
pub async fn forget_other_devices(tx: &mut Tx, uin: Uin, token_hash: &TokenDigest) -> sqlx::Result<()> {
    let statement = "delete from known_device where uin = $1 and token_hash <> $2";
    on_tx!(tx, c => sqlx::query(statement).bind(uin).bind(token_hash).execute(c).await.map(drop))
}
