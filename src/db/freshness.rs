//! What the registry reads: the change number, and the keys stamped since. On a connection of its own, so that no page
//! stands in its way.

use sqlx::{Connection as _, FromRow, PgConnection, SqliteConnection};

use super::Db;
use crate::api_key::KeyState;
use crate::id::{AppId, SecretId, Uin};
use crate::secret::vault::Sealed;

/// A key of whatever state, as the registry takes it in.
#[derive(Clone, Debug, FromRow)]
pub struct ChangedKey {
    /// The key.
    pub secret_id: SecretId,
    /// Its account.
    pub uin: Uin,
    /// The account's APPID.
    pub app_id: AppId,
    /// Also `deleted`.
    pub state: KeyState,
    secret: Option<Vec<u8>>,
    secret_key_version: Option<i64>,
    /// The number of its latest change.
    pub change_number: i64,
}

impl ChangedKey {
    /// The sealed secret; none if the key is deleted.
    pub fn sealed_secret(&self) -> Option<Sealed> {
        Some(Sealed { key_version: self.secret_key_version?, bytes: self.secret.clone()? })
    }
}

/// Keys are taken in this many at a time.
const PAGE: i64 = 2000;

const CHANGE_NUMBER: &str = "select number from key_change where id = 1";
const CHANGED: &str = "select api_key.secret_id, api_key.uin, account.app_id, api_key.state, api_key.secret,
        api_key.secret_key_version, api_key.change_number
    from api_key join account on account.uin = api_key.uin
    where (api_key.change_number, api_key.secret_id) > ($1, $2)
    order by api_key.change_number, api_key.secret_id limit $3";

/// The registry's connection.
#[derive(Debug)]
pub enum Reader {
    /// To SQLite.
    Sqlite(SqliteConnection),
    /// To PostgreSQL.
    Postgres(PgConnection),
}

/// Runs one body on the reader's connection.
macro_rules! on_reader {
    ($reader:expr, $connection:ident => $body:expr) => {
        match $reader {
            Reader::Sqlite($connection) => $body,
            Reader::Postgres($connection) => $body,
        }
    };
}

impl Reader {
    /// Takes a connection out of the pool, for good.
    pub async fn open(db: &Db) -> sqlx::Result<Self> {
        Ok(match db {
            Db::Sqlite(pool) => Self::Sqlite(pool.acquire().await?.detach()),
            Db::Postgres(pool) => Self::Postgres(pool.acquire().await?.detach()),
        })
    }

    /// Closes it, and waits until it is.
    pub async fn close(self) -> sqlx::Result<()> {
        on_reader!(self, connection => connection.close().await)
    }

    /// The number of the latest committed change to any key.
    pub async fn change_number(&mut self) -> sqlx::Result<i64> {
        on_reader!(self, connection => sqlx::query_scalar(CHANGE_NUMBER).fetch_one(connection).await)
    }

    /// Some of the keys changed after `after`, a change number and the last key of that number already taken in, in the
    /// order of their changes. Empty if there are none.
    pub async fn changed_keys(&mut self, after: &(i64, String)) -> sqlx::Result<Vec<ChangedKey>> {
        on_reader!(self, connection => sqlx::query_as(CHANGED).bind(after.0).bind(&after.1).bind(PAGE)
            .fetch_all(connection).await)
    }
}
