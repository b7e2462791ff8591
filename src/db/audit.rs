//! The stored audit chain. `crate::audit` defines what a record means and how records are chained.
//!
//! The chain consists of the rows numbered from 1 to the number of its head. Any other row in the table is not a
//! record: it is never shown, and verification reports it.

use serde::Serialize;
use sqlx::{AssertSqlSafe, FromRow, Row as _};

use super::{Db, Tx, on, on_tx};
use crate::types::clock::Timestamp;
use crate::types::id::Uin;

/// One record, as stored.
#[derive(Clone, Debug, FromRow, Serialize)]
pub struct AuditRow {
    /// The record's number: 1, 2, 3 … without gaps.
    pub number: i64,
    /// The format in which the record is authenticated.
    pub format: i64,
    /// The time of the event.
    pub at: Timestamp,
    /// The account it is about, if there is one.
    pub uin: Option<Uin>,
    /// `account`, `key`, `operator` or `stranger`.
    pub actor: String,
    /// The key that a program acted with.
    pub actor_key: Option<String>,
    /// The event: what was done or attempted.
    pub action: String,
    /// The target: a key, session, passkey, or version of the master key.
    pub target: Option<String>,
    /// The client's address.
    pub address: Option<String>,
    /// The ID of the request.
    pub request_id: Option<String>,
    /// `done` or `refused`.
    pub result: String,
    /// A detail of the result.
    pub detail: Option<String>,
    /// The HMAC-SHA256 over the MAC before and all of the above.
    #[serde(skip)]
    pub mac: Vec<u8>,
}

/// The row that is stored under one number.
#[derive(Debug)]
pub struct Entry {
    /// The number.
    pub number: i64,
    /// The record, if it can be read: SQLite stores anything in any column.
    pub row: sqlx::Result<AuditRow>,
}

/// The end of the chain: its last record's number (0 if there is none) and MAC.
pub type Head = (i64, Option<Vec<u8>>);

/// The columns of an [`AuditRow`].
pub(super) const COLUMNS: &str =
    "number, format, at, uin, actor, actor_key, action, target, address, request_id, result, detail, mac";

/// A condition that is true for the rows of the chain. The `+` leaves the choice of an index to the other conditions.
pub(super) const IN_CHAIN: &str = "+number between 1 and (select number from audit_head where id = 1)
    and cast(number as bigint) = number";

/// Takes the next number and returns it with the MAC that it follows. Locks the chain until the transaction ends.
pub async fn advance(tx: &mut Tx) -> sqlx::Result<Head> {
    let statement = "update audit_head set number = number + 1 where id = 1 returning number, mac";
    on_tx!(tx, c => sqlx::query_as(statement).fetch_one(c).await)
}

/// Appends a record and makes it the end of the chain.
pub async fn insert(tx: &mut Tx, row: &AuditRow) -> sqlx::Result<()> {
    let statement = "insert into audit_record
            (number, format, at, uin, actor, actor_key, action, target, address, request_id, result, detail, mac)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    on_tx!(tx, c => sqlx::query(statement).bind(row.number).bind(row.format).bind(row.at).bind(row.uin).bind(&row.actor)
        .bind(&row.actor_key).bind(&row.action).bind(&row.target).bind(&row.address).bind(&row.request_id).bind(&row.result)
        .bind(&row.detail).bind(&row.mac).execute(c).await.map(drop))?;
    on_tx!(tx, c => sqlx::query("update audit_head set mac = $1 where id = 1").bind(&row.mac).execute(c).await.map(drop))
}

/// The end of the chain. `None` if it cannot be read.
pub async fn head(db: &Db) -> sqlx::Result<Option<Head>> {
    on!(db, pool => {
        let row = sqlx::query("select number, mac from audit_head where id = 1").fetch_optional(pool).await?;
        Ok(row.and_then(|row| Head::from_row(&row).ok()))
    })
}

/// Up to `limit` rows of the chain after number `after`, in order, whether they can be read or not.
pub async fn entries(db: &Db, after: i64, limit: i64) -> sqlx::Result<Vec<Entry>> {
    let statement = AssertSqlSafe(format!(
        "select {COLUMNS} from audit_record where number > $1 and {IN_CHAIN} order by number limit $2"
    ));
    on!(db, pool => {
        let rows = sqlx::query(statement).bind(after).bind(limit).fetch_all(pool).await?;
        rows.iter().map(|row| Ok(Entry { number: row.try_get("number")?, row: AuditRow::from_row(row) })).collect()
    })
}

/// The records in [`entries`]. Fails if one of them cannot be read.
pub async fn page(db: &Db, after: i64, limit: i64) -> sqlx::Result<Vec<AuditRow>> {
    entries(db, after, limit).await?.into_iter().map(|entry| entry.row).collect()
}

/// The number of a row that is not part of the chain, if there is one. A number that is not an integer is reported as
/// the integer that SQLite makes of it.
pub async fn stray(db: &Db) -> sqlx::Result<Option<i64>> {
    let statement = "select coalesce(cast(number as bigint), 0) from audit_record
        where number is null or cast(number as bigint) <> number or number < 1
            or number > (select number from audit_head where id = 1)
        order by 1 limit 1";
    on!(db, pool => sqlx::query_scalar(statement).fetch_optional(pool).await)
}

/// An account or a key whose creation is not in any record of the chain; for a key, in any record of the account that
/// has it. `account` and `key` are the actions of such records.
pub async fn untold(db: &Db, account: &str, key: &str) -> sqlx::Result<Option<String>> {
    let statement = AssertSqlSafe(format!(
        "select what from (
            select 'account ' || cast(uin as text) as what from account where not exists (
                select 1 from audit_record as made
                where made.uin = account.uin and action = $1 and result = 'done' and {IN_CHAIN})
            union all
            select 'key ' || secret_id from api_key where not exists (
                select 1 from audit_record as made where made.uin = api_key.uin and made.target = api_key.secret_id
                    and action = $2 and result = 'done' and {IN_CHAIN})
            union all
            select 'the first account' from installation where set_up and not exists (
                select 1 from audit_record where action = $1 and result = 'done' and {IN_CHAIN})
        ) as untold order by what limit 1"
    ));
    on!(db, pool => sqlx::query_scalar(statement).bind(account).bind(key).fetch_optional(pool).await)
}
