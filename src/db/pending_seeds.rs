//! TOTP seeds whose enrolment waits for a first code.

use super::{Db, Tx, on, on_tx};
use crate::secret::vault::Sealed;
use crate::types::clock::Timestamp;
use crate::types::id::Uin;

/// Stores a seed until `expires_at`.
pub async fn insert(
    tx: &mut Tx,
    name: &str,
    uin: Option<Uin>,
    seed: &Sealed,
    expires_at: Timestamp,
) -> sqlx::Result<()> {
    let statement = "insert into pending_seed (name, uin, seed, key_version, expires_at) values ($1, $2, $3, $4, $5)";
    on_tx!(tx, c => sqlx::query(statement).bind(name).bind(uin).bind(&seed.bytes).bind(seed.key_version)
        .bind(expires_at).execute(c).await.map(drop))
}

/// A seed, as it is stored. `None` if it has expired.
pub async fn find(db: &Db, name: &str, now: Timestamp) -> sqlx::Result<Option<Sealed>> {
    let statement = "select key_version, seed from pending_seed where name = $1 and expires_at > $2";
    let row: Option<(i64, Vec<u8>)> =
        on!(db, pool => sqlx::query_as(statement).bind(name).bind(now).fetch_optional(pool).await)?;
    Ok(row.map(|(key_version, bytes)| Sealed { key_version, bytes }))
}

/// Deletes a seed that has been confirmed.
pub async fn delete(tx: &mut Tx, name: &str) -> sqlx::Result<()> {
    on_tx!(tx, c => sqlx::query("delete from pending_seed where name = $1").bind(name).execute(c).await.map(drop))
}

/// Deletes expired seeds.
pub async fn purge(db: &Db, now: Timestamp) -> sqlx::Result<()> {
    let statement = "delete from pending_seed where expires_at <= $1";
    on!(db, pool => sqlx::query(statement).bind(now).execute(pool).await.map(drop))
}
