//! Key pairs.

use sqlx::FromRow;

use super::freshness::Change;
use super::{Db, Tx, nodes, on, on_tx};
use crate::secret::token::TokenDigest;
use crate::secret::vault::Sealed;
use crate::types::clock::Timestamp;
use crate::types::id::{SecretId, Uin};
use crate::types::key_state::KeyState;
use crate::types::random;

/// A live (not deleted) key as its owner sees it, without its secret.
#[derive(Clone, Debug, FromRow)]
pub struct ApiKeyRow {
    /// The key's SecretId.
    pub secret_id: SecretId,
    /// The key's state: enabled or disabled.
    pub state: KeyState,
    /// The owner's remark.
    pub remark: Option<String>,
    /// The time at which the key was created.
    pub created_at: Timestamp,
    /// The time at which the key was last enabled or disabled.
    pub state_changed_at: Timestamp,
    /// The time at which the emergency stop disabled the key, if it did and the key has not been enabled since.
    pub stopped_at: Option<Timestamp>,
    /// The time of the latest accepted call.
    pub last_used_at: Option<Timestamp>,
    /// The action of that call.
    pub last_used_action: Option<String>,
    /// The address that the call came from.
    pub last_used_address: Option<String>,
}

/// The number of latest changes that are kept with their marks. A server that has missed more than that loads all keys
/// again.
const REMEMBERED: i64 = 10_000;

/// Increments the change number, draws the change's mark, and returns both. Must come first in every transaction that
/// changes a key, because it also makes such transactions follow one another. Its commit wakes the nodes.
pub async fn next_change(tx: &mut Tx) -> sqlx::Result<Change> {
    let mark = random::number_in(i64::MIN..=i64::MAX);
    let raise = match tx {
        Tx::Sqlite(_) => "update key_change set number = number + 1, mark = $1 where id = 1 returning number",
        Tx::Postgres(..) => nodes::RAISE_AND_WAKE,
    };
    let number: i64 = on_tx!(tx, c => sqlx::query_scalar(raise).bind(mark).fetch_one(c).await)?;
    let remember = "insert into key_history (number, mark) values ($1, $2)";
    on_tx!(tx, c => sqlx::query(remember).bind(number).bind(mark).execute(c).await.map(drop))?;
    let forget = "delete from key_history where number <= $1";
    on_tx!(tx, c => sqlx::query(forget).bind(number - REMEMBERED).execute(c).await.map(drop))?;
    Ok(Change { number, mark })
}

/// Inserts a key for `uin` in a free slot. Returns `false` if both slots are taken.
pub async fn insert(
    tx: &mut Tx,
    uin: Uin,
    secret_id: &SecretId,
    secret: &Sealed,
    remark: Option<&str>,
    now: Timestamp,
    change_number: i64,
) -> sqlx::Result<bool> {
    let statement = "insert into api_key (secret_id, uin, slot, state, secret, secret_key_version, remark, created_at,
            state_changed_at, change_number)
        select $1, $2, free.slot, 'enabled', $3, $4, $5, $6, $6, $7
        from (select 1 as slot union all select 2) as free
        where not exists (select 1 from api_key as taken where taken.uin = $2 and taken.slot = free.slot)
        order by free.slot limit 1";
    on_tx!(tx, c => sqlx::query(statement).bind(secret_id).bind(uin).bind(&secret.bytes).bind(secret.key_version)
        .bind(remark).bind(now).bind(change_number).execute(c).await.map(|done| done.rows_affected() == 1))
}

/// The account's live keys, oldest first.
pub async fn list(db: &Db, uin: Uin) -> sqlx::Result<Vec<ApiKeyRow>> {
    let statement =
        "select api_key.secret_id, state, remark, created_at, state_changed_at, stopped_at, last_use.at as last_used_at,
            last_use.action as last_used_action, last_use.address as last_used_address
        from api_key left join last_use on last_use.secret_id = api_key.secret_id
        where uin = $1 and state <> 'deleted' order by created_at, api_key.secret_id";
    on!(db, pool => sqlx::query_as(statement).bind(uin).fetch_all(pool).await)
}

/// The account's latest keys, including deleted ones: live ones first, then the newest.
pub async fn latest(db: &Db, uin: Uin, limit: i64) -> sqlx::Result<Vec<(SecretId, KeyState)>> {
    let statement = "select secret_id, state from api_key where uin = $1
        order by case when slot is null then 1 else 0 end, created_at desc, secret_id limit $2";
    on!(db, pool => sqlx::query_as(statement).bind(uin).bind(limit).fetch_all(pool).await)
}

/// A live key and its account, for the operator.
#[derive(Clone, Debug, FromRow)]
pub struct KeyOfAccount {
    /// The key's SecretId.
    pub secret_id: SecretId,
    /// The key's account.
    pub uin: Uin,
    /// The account's name.
    pub account: String,
    /// The key's state: enabled or disabled.
    pub state: KeyState,
    /// The owner's remark.
    pub remark: Option<String>,
    /// The time at which the key was created.
    pub created_at: Timestamp,
    /// The time at which the key was last enabled or disabled.
    pub state_changed_at: Timestamp,
    /// The time of the latest accepted call.
    pub last_used_at: Option<Timestamp>,
}

/// The live keys of all accounts, by account, oldest first.
pub async fn of_all_accounts(db: &Db) -> sqlx::Result<Vec<KeyOfAccount>> {
    let statement = "select api_key.secret_id, api_key.uin, account.name as account, api_key.state, api_key.remark,
            api_key.created_at, api_key.state_changed_at, last_use.at as last_used_at
        from api_key join account on account.uin = api_key.uin
            left join last_use on last_use.secret_id = api_key.secret_id
        where api_key.state <> 'deleted'
        order by account.canonical_name, api_key.created_at, api_key.secret_id";
    on!(db, pool => sqlx::query_as(statement).fetch_all(pool).await)
}

/// The account of a live key. `None` if there is no such key.
pub async fn owner(db: &Db, secret_id: &SecretId) -> sqlx::Result<Option<Uin>> {
    let statement = "select uin from api_key where secret_id = $1 and state <> 'deleted'";
    on!(db, pool => sqlx::query_scalar(statement).bind(secret_id).fetch_optional(pool).await)
}

/// The account's live key with this SecretId.
pub async fn find(db: &Db, uin: Uin, secret_id: &SecretId) -> sqlx::Result<Option<ApiKeyRow>> {
    let statement =
        "select api_key.secret_id, state, remark, created_at, state_changed_at, stopped_at, last_use.at as last_used_at,
            last_use.action as last_used_action, last_use.address as last_used_address
        from api_key left join last_use on last_use.secret_id = api_key.secret_id
        where uin = $1 and api_key.secret_id = $2 and state <> 'deleted'";
    on!(db, pool => sqlx::query_as(statement).bind(uin).bind(secret_id).fetch_optional(pool).await)
}

/// The account's enabled keys within a transaction, oldest first.
pub async fn enabled(tx: &mut Tx, uin: Uin) -> sqlx::Result<Vec<SecretId>> {
    let statement = "select secret_id from api_key where uin = $1 and state = 'enabled' order by created_at, secret_id";
    on_tx!(tx, c => sqlx::query_scalar(statement).bind(uin).fetch_all(c).await)
}

/// The state of the account's key within a transaction. `None` if it never existed or is deleted.
pub async fn state(tx: &mut Tx, uin: Uin, secret_id: &SecretId) -> sqlx::Result<Option<KeyState>> {
    let statement = "select state from api_key where uin = $1 and secret_id = $2 and state <> 'deleted'";
    on_tx!(tx, c => sqlx::query_scalar(statement).bind(uin).bind(secret_id).fetch_optional(c).await)
}

/// The sealed secret of the account's live key.
pub async fn sealed_secret(db: &Db, uin: Uin, secret_id: &SecretId) -> sqlx::Result<Option<Sealed>> {
    let statement = "select secret_key_version, secret from api_key
        where uin = $1 and secret_id = $2 and state <> 'deleted'";
    let row: Option<(i64, Vec<u8>)> =
        on!(db, pool => sqlx::query_as(statement).bind(uin).bind(secret_id).fetch_optional(pool).await)?;
    Ok(row.map(|(key_version, bytes)| Sealed { key_version, bytes }))
}

/// Moves a key from one state to the other. Returns `false` if it was not in `from`.
pub async fn set_state(
    tx: &mut Tx,
    uin: Uin,
    secret_id: &SecretId,
    from: KeyState,
    to: KeyState,
    now: Timestamp,
    change_number: i64,
) -> sqlx::Result<bool> {
    let statement = "update api_key set state = $4, state_changed_at = $5, stopped_at = null, change_number = $6
        where uin = $1 and secret_id = $2 and state = $3";
    on_tx!(tx, c => sqlx::query(statement).bind(uin).bind(secret_id).bind(from).bind(to).bind(now).bind(change_number)
        .execute(c).await.map(|done| done.rows_affected() == 1))
}

/// Marks a disabled key as disabled by the emergency stop.
pub async fn mark_stopped(tx: &mut Tx, secret_id: &SecretId, now: Timestamp) -> sqlx::Result<()> {
    let statement = "update api_key set stopped_at = $2 where secret_id = $1 and state = 'disabled'";
    on_tx!(tx, c => sqlx::query(statement).bind(secret_id).bind(now).execute(c).await.map(drop))
}

/// Returns `true` if the account's key is disabled by the emergency stop.
pub async fn is_stopped(tx: &mut Tx, uin: Uin, secret_id: &SecretId) -> sqlx::Result<bool> {
    let statement = "select count(*) from api_key where uin = $1 and secret_id = $2 and stopped_at is not null";
    let count: i64 = on_tx!(tx, c => sqlx::query_scalar(statement).bind(uin).bind(secret_id).fetch_one(c).await)?;
    Ok(count > 0)
}

/// Destroys the secret of a disabled key and frees its slot. Returns `false` if the key was not disabled.
pub async fn delete(
    tx: &mut Tx,
    uin: Uin,
    secret_id: &SecretId,
    now: Timestamp,
    change_number: i64,
) -> sqlx::Result<bool> {
    let statement = "update api_key set state = 'deleted', slot = null, secret = null, secret_key_version = null,
            remark = null, state_changed_at = $3, stopped_at = null, change_number = $4
        where uin = $1 and secret_id = $2 and state = 'disabled'";
    on_tx!(tx, c => sqlx::query(statement).bind(uin).bind(secret_id).bind(now).bind(change_number)
        .execute(c).await.map(|done| done.rows_affected() == 1))
}

/// Sets or clears the remark of a live key. Returns `false` if there is no such key.
pub async fn set_remark(
    tx: &mut Tx,
    uin: Uin,
    secret_id: &SecretId,
    remark: Option<&str>,
    change_number: i64,
) -> sqlx::Result<bool> {
    let statement = "update api_key set remark = $3, change_number = $4
        where uin = $1 and secret_id = $2 and state <> 'deleted'";
    on_tx!(tx, c => sqlx::query(statement).bind(uin).bind(secret_id).bind(remark).bind(change_number)
        .execute(c).await.map(|done| done.rows_affected() == 1))
}

/// Stores a recorded reveal until it is used.
pub async fn insert_reveal(
    tx: &mut Tx,
    token_hash: &TokenDigest,
    uin: Uin,
    secret_id: &SecretId,
    expires_at: Timestamp,
) -> sqlx::Result<()> {
    let statement = "insert into reveal_ticket (token_hash, uin, secret_id, expires_at) values ($1, $2, $3, $4)";
    on_tx!(tx, c => sqlx::query(statement).bind(token_hash).bind(uin).bind(secret_id).bind(expires_at)
        .execute(c).await.map(drop))
}

/// Takes a recorded reveal and returns the key that it is for. Returns `None` if it has expired or was taken before.
pub async fn take_reveal(
    db: &Db,
    token_hash: &TokenDigest,
    uin: Uin,
    now: Timestamp,
) -> sqlx::Result<Option<SecretId>> {
    let statement = "delete from reveal_ticket where token_hash = $1 and uin = $2 returning secret_id, expires_at";
    let row: Option<(SecretId, Timestamp)> =
        on!(db, pool => sqlx::query_as(statement).bind(token_hash).bind(uin).fetch_optional(pool).await)?;
    Ok(row.filter(|(_, expires_at)| *expires_at > now).map(|(secret_id, _)| secret_id))
}
