//! Sessions, found by the digest of their ID, and the sign-ins that they belong to, found by their handle.

use sqlx::FromRow;

use super::{Db, Tx, accounts, on, on_tx};
use crate::secret::token::TokenDigest;
use crate::types::clock::Timestamp;
use crate::types::id::{SessionHandle, Uin};

/// Inserts a session. Returns `false` if the ID is taken. If its sign-in has been ended in the meantime, inserts
/// nothing and returns `true`, because a request in progress must not bring the session back.
pub async fn insert(
    db: &Db,
    id_hash: &TokenDigest,
    uin: Option<Uin>,
    handle: Option<&SessionHandle>,
    data: &str,
    now: Timestamp,
    expires_at: Timestamp,
) -> sqlx::Result<bool> {
    let statement = "insert into session (id_hash, uin, handle, data, seen_at, expires_at)
        values ($1, $2, $3, $4, $5, $6) on conflict do nothing";
    let done = on!(db, pool => sqlx::query(statement).bind(id_hash).bind(uin).bind(handle).bind(data).bind(now)
        .bind(expires_at).execute(pool).await.map(|done| done.rows_affected() == 1));
    match done {
        Err(sqlx::Error::Database(cause)) if cause.is_foreign_key_violation() => Ok(true),
        done => done,
    }
}

/// Replaces a session's data. Does nothing if the session has been ended: a late save must not bring it back.
pub async fn update(
    db: &Db,
    id_hash: &TokenDigest,
    uin: Option<Uin>,
    data: &str,
    expires_at: Timestamp,
) -> sqlx::Result<()> {
    let statement = "update session set uin = $2, data = $3, expires_at = $4 where id_hash = $1";
    on!(db, pool => sqlx::query(statement).bind(id_hash).bind(uin).bind(data).bind(expires_at).execute(pool).await.map(drop))
}

/// A session's data, and the time at which it was last seen. It must have been seen after `idle_since`.
pub async fn load(
    db: &Db,
    id_hash: &TokenDigest,
    now: Timestamp,
    idle_since: Timestamp,
) -> sqlx::Result<Option<(String, Timestamp)>> {
    let statement = "select data, seen_at from session where id_hash = $1 and expires_at > $2 and seen_at > $3";
    on!(db, pool => sqlx::query_as(statement).bind(id_hash).bind(now).bind(idle_since).fetch_optional(pool).await)
}

/// Records that a session is in use.
pub async fn touch(db: &Db, id_hash: &TokenDigest, now: Timestamp) -> sqlx::Result<()> {
    let statement = "update session set seen_at = $2 where id_hash = $1";
    on!(db, pool => sqlx::query(statement).bind(id_hash).bind(now).execute(pool).await.map(drop))
}

/// Ends a session.
pub async fn delete(db: &Db, id_hash: &TokenDigest) -> sqlx::Result<()> {
    on!(db, pool => sqlx::query("delete from session where id_hash = $1").bind(id_hash).execute(pool).await.map(drop))
}

/// Ends every session of an account, and returns their number. The new credential epoch also ends those that are just
/// being created.
pub async fn delete_all_of(tx: &mut Tx, uin: Uin) -> sqlx::Result<u64> {
    accounts::raise_epoch(tx, uin).await?;
    let statement = "delete from session where uin = $1";
    let ended = on_tx!(tx, c => sqlx::query(statement).bind(uin).execute(c).await.map(|done| done.rows_affected()))?;
    on_tx!(tx, c => sqlx::query("delete from sign_in where uin = $1").bind(uin).execute(c).await.map(drop))?;
    Ok(ended)
}

/// A live session as its owner sees it.
#[derive(Clone, Debug, FromRow)]
pub struct SessionRow {
    /// The session's handle.
    pub handle: SessionHandle,
    /// The name that the browser gave itself, cut off. `None` if that was not printable ASCII.
    pub user_agent: Option<String>,
    /// The address that the sign-in came from.
    pub address: Option<String>,
    /// The time of the sign-in.
    pub started_at: Timestamp,
    /// The time at which the session was last used, to within ten seconds.
    pub seen_at: Timestamp,
}

/// Stores a completed sign-in, for its session to belong to.
pub async fn insert_sign_in(
    db: &Db,
    handle: &SessionHandle,
    uin: Uin,
    user_agent: Option<&str>,
    address: Option<&str>,
    now: Timestamp,
) -> sqlx::Result<()> {
    let statement = "insert into sign_in (handle, uin, user_agent, address, started_at) values ($1, $2, $3, $4, $5)";
    on!(db, pool => sqlx::query(statement).bind(handle).bind(uin).bind(user_agent).bind(address).bind(now)
        .execute(pool).await.map(drop))
}

/// The account's live sessions, the most recently used first.
pub async fn list(db: &Db, uin: Uin, now: Timestamp, idle_since: Timestamp) -> sqlx::Result<Vec<SessionRow>> {
    let statement = "select sign_in.handle, user_agent, address, started_at, seen_at
        from sign_in join session on session.handle = sign_in.handle
        where sign_in.uin = $1 and expires_at > $2 and seen_at > $3
        order by seen_at desc, started_at desc, sign_in.handle";
    on!(db, pool => sqlx::query_as(statement).bind(uin).bind(now).bind(idle_since).fetch_all(pool).await)
}

/// The account's session of this handle, unless it has been ended. Also while its id is being changed, when no row has it.
pub async fn find(db: &Db, uin: Uin, handle: &SessionHandle) -> sqlx::Result<Option<SessionRow>> {
    let statement = "select sign_in.handle, user_agent, address, started_at, coalesce(seen_at, started_at) as seen_at
        from sign_in left join session on session.handle = sign_in.handle
        where sign_in.uin = $1 and sign_in.handle = $2";
    on!(db, pool => sqlx::query_as(statement).bind(uin).bind(handle).fetch_optional(pool).await)
}

/// Has the account's session of this handle not been ended?
pub async fn is_alive(tx: &mut Tx, uin: Uin, handle: &SessionHandle) -> sqlx::Result<bool> {
    let statement = "select count(*) from sign_in where uin = $1 and handle = $2";
    let count: i64 = on_tx!(tx, c => sqlx::query_scalar(statement).bind(uin).bind(handle).fetch_one(c).await)?;
    Ok(count > 0)
}

/// Ends the account's session with this handle, whatever its ID is by now. Returns `false` if there is none.
pub async fn end(tx: &mut Tx, uin: Uin, handle: &SessionHandle) -> sqlx::Result<bool> {
    let statement = "delete from sign_in where uin = $1 and handle = $2";
    on_tx!(tx, c => sqlx::query(statement).bind(uin).bind(handle).execute(c).await.map(|done| done.rows_affected() == 1))
}

/// Ends every session of the account except this one, including incomplete sign-ins.
pub async fn end_others(tx: &mut Tx, uin: Uin, handle: &SessionHandle) -> sqlx::Result<()> {
    let statement = "delete from sign_in where uin = $1 and handle <> $2";
    on_tx!(tx, c => sqlx::query(statement).bind(uin).bind(handle).execute(c).await.map(drop))?;
    let statement = "delete from session where uin = $1 and handle is null";
    on_tx!(tx, c => sqlx::query(statement).bind(uin).execute(c).await.map(drop))
}

/// Deletes expired sessions, known devices, reveals and setup links, and the sign-ins made before `started_since`,
/// which can have no session any more.
pub async fn purge(db: &Db, now: Timestamp, idle_since: Timestamp, started_since: Timestamp) -> sqlx::Result<()> {
    let statement = "delete from session where expires_at <= $1 or seen_at <= $2";
    on!(db, pool => sqlx::query(statement).bind(now).bind(idle_since).execute(pool).await.map(drop))?;
    on!(db, pool => sqlx::query("delete from sign_in where started_at <= $1").bind(started_since).execute(pool).await.map(drop))?;
    on!(db, pool => sqlx::query("delete from known_device where expires_at <= $1").bind(now).execute(pool).await.map(drop))?;
    on!(db, pool => sqlx::query("delete from reveal_ticket where expires_at <= $1").bind(now).execute(pool).await.map(drop))?;
    on!(db, pool => sqlx::query("delete from setup_link where expires_at <= $1").bind(now).execute(pool).await.map(drop))
}
