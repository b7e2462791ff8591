//! The stored audit chain. What a record means and how it is chained is in `crate::audit`.

use serde::Serialize;
use sqlx::FromRow;

use super::{Db, Tx, on, on_tx};
use crate::clock::Timestamp;
use crate::id::Uin;

/// One record, as stored and, in this order of fields, as authenticated.
#[derive(Clone, Debug, FromRow, Serialize)]
pub struct AuditRow {
    /// 1, 2, 3 … without gaps.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// The account it is about, if there is one.
    pub uin: Option<Uin>,
    /// `account`, `key`, `operator` or `stranger`.
    pub actor: String,
    /// The key it was done with, by a program.
    pub actor_key: Option<String>,
    /// What was done or tried.
    pub action: String,
    /// To which key.
    pub target: Option<String>,
    /// From where.
    pub address: Option<String>,
    /// By which request.
    pub request_id: Option<String>,
    /// `done` or `refused`.
    pub result: String,
    /// In more words.
    pub detail: Option<String>,
    /// HMAC-SHA256 over the mac before and all of the above.
    #[serde(skip)]
    pub mac: Vec<u8>,
}

/// The end of the chain: its last record's number (0: none) and mac.
pub type Head = (i64, Option<Vec<u8>>);

/// Takes the next number and returns it with the mac it follows. Holds the chain until the transaction ends.
pub async fn advance(tx: &mut Tx) -> sqlx::Result<Head> {
    let statement = "update audit_head set number = number + 1 where id = 1 returning number, mac";
    on_tx!(tx, c => sqlx::query_as(statement).fetch_one(c).await)
}

/// Appends a record and makes it the end of the chain.
pub async fn insert(tx: &mut Tx, row: &AuditRow) -> sqlx::Result<()> {
    let statement = "insert into audit_record
            (number, at, uin, actor, actor_key, action, target, address, request_id, result, detail, mac)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    on_tx!(tx, c => sqlx::query(statement).bind(row.number).bind(row.at).bind(row.uin).bind(&row.actor)
        .bind(&row.actor_key).bind(&row.action).bind(&row.target).bind(&row.address).bind(&row.request_id).bind(&row.result)
        .bind(&row.detail).bind(&row.mac).execute(c).await.map(drop))?;
    on_tx!(tx, c => sqlx::query("update audit_head set mac = $1 where id = 1").bind(&row.mac).execute(c).await.map(drop))
}

/// The end of the chain.
pub async fn head(db: &Db) -> sqlx::Result<Head> {
    on!(db, pool => sqlx::query_as("select number, mac from audit_head where id = 1").fetch_one(pool).await)
}

/// Up to `limit` records after number `after`, in order.
pub async fn page(db: &Db, after: i64, limit: i64) -> sqlx::Result<Vec<AuditRow>> {
    let statement = "select number, at, uin, actor, actor_key, action, target, address, request_id, result, detail, mac
        from audit_record where number > $1 order by number limit $2";
    on!(db, pool => sqlx::query_as(statement).bind(after).bind(limit).fetch_all(pool).await)
}

/// How often `action` was refused for an account since a moment.
pub async fn refusals_since(tx: &mut Tx, uin: Uin, action: &str, since: Timestamp) -> sqlx::Result<i64> {
    let statement = "select count(*) from audit_record
        where uin = $1 and at > $3 and action = $2 and result = 'refused'";
    on_tx!(tx, c => sqlx::query_scalar(statement).bind(uin).bind(action).bind(since).fetch_one(c).await)
}
