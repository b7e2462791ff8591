//! Every column that holds something sealed, declared once: what seals and opens, what reseals under another version of
//! the master key, and what counts all go by the same declaration.

use sqlx::AssertSqlSafe;

use super::{Db, Tx, on, on_tx};
use crate::secret::vault::{Place, Sealed};
use crate::types::id::Uin;

/// A column of sealed values.
#[derive(Debug)]
pub struct Column {
    table: &'static str,
    name: &'static str,
    /// The column with the version of the master key.
    version: &'static str,
    /// The column that a row is known by.
    row: Key,
    /// The column with the account that the row belongs to; none where rows belong to nobody.
    owner: Option<&'static str>,
}

/// The column that a row is known by.
#[derive(Debug)]
enum Key {
    Text(&'static str),
    Number(&'static str),
}

impl Key {
    /// The row's id as text.
    fn as_text(&self) -> String {
        match self {
            Self::Text(column) => (*column).to_owned(),
            Self::Number(column) => format!("cast({column} as text)"),
        }
    }

    /// True in the row whose id, as text, is `$1`.
    fn is_first_parameter(&self) -> String {
        match self {
            Self::Text(column) => format!("{column} = $1"),
            Self::Number(column) => format!("{column} = cast(cast($1 as text) as bigint)"),
        }
    }
}

/// The secret halves of the key pairs.
pub static API_KEY_SECRET: Column = Column {
    table: "api_key",
    name: "secret",
    version: "secret_key_version",
    row: Key::Text("secret_id"),
    owner: Some("uin"),
};

/// The accounts' authenticators.
pub static TOTP_SEED: Column = Column {
    table: "account",
    name: "totp_seed",
    version: "totp_key_version",
    row: Key::Number("uin"),
    owner: Some("uin"),
};

/// Authenticators that wait for their first code.
pub static PENDING_SEED: Column =
    Column { table: "pending_seed", name: "seed", version: "key_version", row: Key::Text("name"), owner: Some("uin") };

/// The product's own keys.
pub static DATA_KEY: Column =
    Column { table: "data_key", name: "sealed", version: "key_version", row: Key::Text("name"), owner: None };

/// The known text under each version. The one column that is never resealed: each row stands for its own version.
pub static MASTER_KEY_CHECK: Column =
    Column { table: "master_key", name: "check_value", version: "version", row: Key::Number("version"), owner: None };

/// All that is resealed when the master key changes. Whatever the schema gets another version of the master key for
/// belongs here.
pub static COLUMNS: [&Column; 4] = [&DATA_KEY, &TOTP_SEED, &PENDING_SEED, &API_KEY_SECRET];

/// A sealed value, the row it is in, and whose that is.
#[derive(Clone, Debug)]
pub struct Value {
    /// The row's id, as text.
    pub row: String,
    /// The account that the row belongs to.
    pub owner: Option<Uin>,
    /// What is there.
    pub sealed: Sealed,
}

impl Column {
    /// What a value of this column is bound to.
    pub fn place<'a>(&self, row: &'a str, owner: Option<Uin>) -> Place<'a> {
        Place { table: self.table, row, column: self.name, owner }
    }

    /// The place of a value that was read from this column.
    pub fn place_of<'a>(&self, value: &'a Value) -> Place<'a> {
        self.place(&value.row, value.owner)
    }

    /// Up to `limit` values under versions below `version`, in rows after `after`, in order.
    pub async fn page(&self, db: &Db, version: i64, after: &str, limit: i64) -> sqlx::Result<Vec<Value>> {
        let Self { table, name, version: under, row, owner } = self;
        let (row, owner) = (row.as_text(), owner.unwrap_or("cast(null as bigint)"));
        let statement = format!(
            "select {row}, {owner}, {under}, {name} from {table}
            where {under} < $1 and {row} > $2 order by {row} limit $3"
        );
        let rows: Vec<(String, Option<Uin>, i64, Vec<u8>)> = on!(db, pool => sqlx::query_as(AssertSqlSafe(statement))
            .bind(version).bind(after).bind(limit).fetch_all(pool).await)?;
        let value = |(row, owner, key_version, bytes)| Value { row, owner, sealed: Sealed { key_version, bytes } };
        Ok(rows.into_iter().map(value).collect())
    }

    /// Puts `new` in the place of a value. False if it is not there any more: changed or deleted meanwhile.
    pub async fn replace(&self, tx: &mut Tx, old: &Value, new: &Sealed) -> sqlx::Result<bool> {
        let Self { table, name, version: under, row, .. } = self;
        let is_row = row.is_first_parameter();
        let statement = format!("update {table} set {name} = $3, {under} = $4 where {is_row} and {name} = $2");
        on_tx!(tx, c => sqlx::query(AssertSqlSafe(statement)).bind(&old.row).bind(&old.sealed.bytes).bind(&new.bytes)
            .bind(new.key_version).execute(c).await.map(|done| done.rows_affected() == 1))
    }
}

fn is_sealed_under() -> AssertSqlSafe<String> {
    let counts = COLUMNS.map(|Column { table, version, .. }| {
        format!("(select count(*) from {table} where {version} between $1 and $2)")
    });
    AssertSqlSafe(format!("select {}", counts.join(" + ")))
}

/// How many values are sealed under versions `from` to `to`, both included.
pub async fn count(db: &Db, from: i64, to: i64) -> sqlx::Result<i64> {
    on!(db, pool => sqlx::query_scalar(is_sealed_under()).bind(from).bind(to).fetch_one(pool).await)
}

/// [`count`] within a transaction.
pub async fn count_in(tx: &mut Tx, from: i64, to: i64) -> sqlx::Result<i64> {
    on_tx!(tx, c => sqlx::query_scalar(is_sealed_under()).bind(from).bind(to).fetch_one(c).await)
}
