//! Every column that holds something sealed, for sealing it anew under another version of the master key.

use super::{Db, Tx, on, on_tx};
use crate::secret::vault::{Place, Sealed};

/// A column of sealed values.
#[derive(Debug)]
pub struct Column {
    table: &'static str,
    name: &'static str,
    /// Some values under versions below `$1` in rows after `$2`: row, version, value.
    page: &'static str,
    /// Puts `$3` under version `$4` in the place of `$2` in row `$1`.
    replace: &'static str,
}

/// All of them. Whatever the schema gets a `key_version` for belongs here and into `IS_SEALED_UNDER`.
pub const COLUMNS: [Column; 3] = [
    Column {
        table: "data_key",
        name: "sealed",
        page: "select name, key_version, sealed from data_key
            where key_version < $1 and name > $2 order by name limit $3",
        replace: "update data_key set sealed = $3, key_version = $4 where name = $1 and sealed = $2",
    },
    Column {
        table: "account",
        name: "totp_seed",
        page: "select cast(uin as text), totp_key_version, totp_seed from account
            where totp_key_version < $1 and cast(uin as text) > $2 order by cast(uin as text) limit $3",
        replace: "update account set totp_seed = $3, totp_key_version = $4
            where uin = cast(cast($1 as text) as bigint) and totp_seed = $2",
    },
    Column {
        table: "api_key",
        name: "secret",
        page: "select secret_id, secret_key_version, secret from api_key
            where secret_key_version < $1 and secret_id > $2 order by secret_id limit $3",
        replace: "update api_key set secret = $3, secret_key_version = $4 where secret_id = $1 and secret = $2",
    },
];

const IS_SEALED_UNDER: &str = "select (select count(*) from data_key where key_version between $1 and $2)
    + (select count(*) from account where totp_key_version between $1 and $2)
    + (select count(*) from api_key where secret_key_version between $1 and $2)";

/// A sealed value and the row it is in.
#[derive(Clone, Debug)]
pub struct Value {
    /// The row's id, as text.
    pub row: String,
    /// What is there.
    pub sealed: Sealed,
}

impl Column {
    /// What a value of this column is bound to.
    pub fn place<'a>(&self, row: &'a str) -> Place<'a> {
        Place { table: self.table, row, column: self.name }
    }

    /// Up to `limit` values under versions below `version`, in rows after `after`, in order.
    pub async fn page(&self, db: &Db, version: i64, after: &str, limit: i64) -> sqlx::Result<Vec<Value>> {
        let rows: Vec<(String, i64, Vec<u8>)> = on!(db, pool => sqlx::query_as(self.page).bind(version).bind(after)
            .bind(limit).fetch_all(pool).await)?;
        let value = |(row, key_version, bytes)| Value { row, sealed: Sealed { key_version, bytes } };
        Ok(rows.into_iter().map(value).collect())
    }

    /// Puts `new` in the place of a value. False if it is not there any more: changed or deleted meanwhile.
    pub async fn replace(&self, tx: &mut Tx, old: &Value, new: &Sealed) -> sqlx::Result<bool> {
        on_tx!(tx, c => sqlx::query(self.replace).bind(&old.row).bind(&old.sealed.bytes).bind(&new.bytes)
            .bind(new.key_version).execute(c).await.map(|done| done.rows_affected() == 1))
    }
}

/// How many values are sealed under versions `from` to `to`, both included.
pub async fn count(db: &Db, from: i64, to: i64) -> sqlx::Result<i64> {
    on!(db, pool => sqlx::query_scalar(IS_SEALED_UNDER).bind(from).bind(to).fetch_one(pool).await)
}

/// [`count`] within a transaction.
pub async fn count_in(tx: &mut Tx, from: i64, to: i64) -> sqlx::Result<i64> {
    on_tx!(tx, c => sqlx::query_scalar(IS_SEALED_UNDER).bind(from).bind(to).fetch_one(c).await)
}
