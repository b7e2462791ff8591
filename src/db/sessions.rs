//! Sessions, found by the digest of their id.

use super::{Db, Tx, on, on_tx};
use crate::clock::Timestamp;
use crate::id::Uin;

/// A new session; false if the id is taken.
pub async fn insert(
    db: &Db,
    id_hash: &[u8],
    uin: Option<Uin>,
    data: &str,
    now: Timestamp,
    expires_at: Timestamp,
) -> sqlx::Result<bool> {
    let statement = "insert into session (id_hash, uin, data, seen_at, expires_at) values ($1, $2, $3, $4, $5)
        on conflict do nothing";
    on!(db, pool => sqlx::query(statement).bind(id_hash).bind(uin).bind(data).bind(now).bind(expires_at)
        .execute(pool).await.map(|done| done.rows_affected() == 1))
}

/// Replaces a session's data. Does nothing where the session has been ended: a late save must not bring it back.
pub async fn update(db: &Db, id_hash: &[u8], uin: Option<Uin>, data: &str, expires_at: Timestamp) -> sqlx::Result<()> {
    let statement = "update session set uin = $2, data = $3, expires_at = $4 where id_hash = $1";
    on!(db, pool => sqlx::query(statement).bind(id_hash).bind(uin).bind(data).bind(expires_at).execute(pool).await.map(drop))
}

/// A session's data, and when it was last seen. `idle_since` is the oldest moment of use that still counts.
pub async fn load(
    db: &Db,
    id_hash: &[u8],
    now: Timestamp,
    idle_since: Timestamp,
) -> sqlx::Result<Option<(String, Timestamp)>> {
    let statement = "select data, seen_at from session where id_hash = $1 and expires_at > $2 and seen_at > $3";
    on!(db, pool => sqlx::query_as(statement).bind(id_hash).bind(now).bind(idle_since).fetch_optional(pool).await)
}

/// Notes that a session is in use.
pub async fn touch(db: &Db, id_hash: &[u8], now: Timestamp) -> sqlx::Result<()> {
    let statement = "update session set seen_at = $2 where id_hash = $1";
    on!(db, pool => sqlx::query(statement).bind(id_hash).bind(now).execute(pool).await.map(drop))
}

/// Ends a session.
pub async fn delete(db: &Db, id_hash: &[u8]) -> sqlx::Result<()> {
    on!(db, pool => sqlx::query("delete from session where id_hash = $1").bind(id_hash).execute(pool).await.map(drop))
}

/// Ends every session of an account and says how many there were. The new credential epoch ends those, too, that are
/// just about to be made.
pub async fn delete_all_of(tx: &mut Tx, uin: Uin) -> sqlx::Result<u64> {
    let epoch = "update account set credential_epoch = credential_epoch + 1 where uin = $1";
    on_tx!(tx, c => sqlx::query(epoch).bind(uin).execute(c).await.map(drop))?;
    let statement = "delete from session where uin = $1";
    on_tx!(tx, c => sqlx::query(statement).bind(uin).execute(c).await.map(|done| done.rows_affected()))
}

/// Clears out what has run out: sessions, known devices, reveals nobody looked at, used or expired set-up links.
pub async fn purge(db: &Db, now: Timestamp, idle_since: Timestamp) -> sqlx::Result<()> {
    let statement = "delete from session where expires_at <= $1 or seen_at <= $2";
    on!(db, pool => sqlx::query(statement).bind(now).bind(idle_since).execute(pool).await.map(drop))?;
    on!(db, pool => sqlx::query("delete from known_device where expires_at <= $1").bind(now).execute(pool).await.map(drop))?;
    on!(db, pool => sqlx::query("delete from reveal_ticket where expires_at <= $1").bind(now).execute(pool).await.map(drop))?;
    on!(db, pool => sqlx::query("delete from setup_link where expires_at <= $1").bind(now).execute(pool).await.map(drop))
}
