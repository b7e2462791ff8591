//! Every column with sealed values, declared once. Sealing, opening, resealing under another version of the master key,
//! and counting all follow the same declaration.

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
    /// The column that identifies a row.
    row: Key,
    /// The column with the account that the row belongs to. `None` if rows belong to nobody.
    owner: Option<&'static str>,
}

/// The column that identifies a row, by its type.
#[derive(Debug)]
enum Key {
    Text(&'static str),
    Number(&'static str),
}

impl Key {
    /// The row's ID as text, in SQL.
    fn as_text(&self) -> String {
        match self {
            Self::Text(column) => (*column).to_owned(),
            Self::Number(column) => format!("cast({column} as text)"),
        }
    }

    /// An SQL condition that is true for the row whose ID, as text, is `$1`.
    fn is_first_parameter(&self) -> String {
        match self {
            Self::Text(column) => format!("{column} = $1"),
            Self::Number(column) => format!("{column} = cast(cast($1 as text) as bigint)"),
        }
    }
}

/// The secrets of the key pairs.
pub static API_KEY_SECRET: Column = Column {
    table: "api_key",
    name: "secret",
    version: "secret_key_version",
    row: Key::Text("secret_id"),
    owner: Some("uin"),
};

/// The TOTP seeds of the accounts.
pub static TOTP_SEED: Column = Column {
    table: "account",
    name: "totp_seed",
    version: "totp_key_version",
    row: Key::Number("uin"),
    owner: Some("uin"),
};

/// The TOTP seeds that wait for a first code.
pub static PENDING_SEED: Column =
    Column { table: "pending_seed", name: "seed", version: "key_version", row: Key::Text("name"), owner: Some("uin") };

/// The product's own keys.
pub static DATA_KEY: Column =
    Column { table: "data_key", name: "sealed", version: "key_version", row: Key::Text("name"), owner: None };

/// The known text under each version. This is the only column that is never resealed, because each row stands for its
/// own version.
pub static MASTER_KEY_CHECK: Column =
    Column { table: "master_key", name: "check_value", version: "version", row: Key::Number("version"), owner: None };

/// All columns that are resealed when the master key is rotated. Every other column of the schema that comes with a
/// version of the master key must be added here.
pub static COLUMNS: [&Column; 4] = [&DATA_KEY, &TOTP_SEED, &PENDING_SEED, &API_KEY_SECRET];

/// A sealed value, its row, and the row's account.
#[derive(Clone, Debug)]
pub struct Value {
    /// The row's ID, as text.
    pub row: String,
    /// The account that the row belongs to.
    pub owner: Option<Uin>,
    /// The sealed value.
    pub sealed: Sealed,
}

impl Column {
    /// The place that a value of this column is bound to.
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

    /// Replaces a value with `new`. Returns `false` if it has been changed or deleted in the meantime.
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

/// The number of values sealed under versions `from` to `to`, both included.
pub async fn count(db: &Db, from: i64, to: i64) -> sqlx::Result<i64> {
    on!(db, pool => sqlx::query_scalar(is_sealed_under()).bind(from).bind(to).fetch_one(pool).await)
}

/// [`count`] within a transaction.
pub async fn count_in(tx: &mut Tx, from: i64, to: i64) -> sqlx::Result<i64> {
    on_tx!(tx, c => sqlx::query_scalar(is_sealed_under()).bind(from).bind(to).fetch_one(c).await)
}
