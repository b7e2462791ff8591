//! What the registry reads: the change number, and the keys stamped since. On connections of its own, so that no page
//! stands in its way.

use std::time::Duration;

use rusqlite::OpenFlags;
use sqlx::{Connection as _, FromRow, PgConnection, SqliteConnection, SqlitePool};

use super::Db;
use crate::api_key::KeyState;
use crate::clock::Timestamp;
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
    /// When it came into that state.
    pub state_changed_at: Timestamp,
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

/// Readers wait for nobody in SQLite's write-ahead mode, but for whoever mends the log after a crash.
const BUSY: Duration = Duration::from_millis(500);

/// Keys are taken in this many at a time.
const PAGE: i64 = 2000;

const CHANGE_NUMBER: &str = "select number from key_change where id = 1";
const CHANGED: &str = "select api_key.secret_id, api_key.uin, account.app_id, api_key.state,
        api_key.state_changed_at, api_key.secret, api_key.secret_key_version, api_key.change_number
    from api_key join account on account.uin = api_key.uin
    where (api_key.change_number, api_key.secret_id) > ($1, $2)
    order by api_key.change_number, api_key.secret_id limit $3";

/// The registry's connection, or two of them.
#[derive(Debug)]
pub enum Reader {
    /// To SQLite, which is asked for the number on the spot: the answer is in memory, and handing the question to another
    /// thread takes longer than answering it. What has changed is read as everything else is.
    Sqlite(rusqlite::Connection, SqliteConnection),
    /// To PostgreSQL.
    Postgres(PgConnection),
}

impl Reader {
    /// Takes a connection for good.
    pub async fn open(db: &Db) -> sqlx::Result<Self> {
        Ok(match db {
            Db::Sqlite(pool) => Self::Sqlite(open_sqlite(pool).map_err(failed)?, pool.acquire().await?.detach()),
            Db::Postgres(pool) => Self::Postgres(pool.acquire().await?.detach()),
        })
    }

    /// Closes it, and waits until it is.
    pub async fn close(self) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(number, keys) => {
                number.close().map_err(|(_, error)| failed(error))?;
                keys.close().await
            }
            Self::Postgres(connection) => connection.close().await,
        }
    }

    /// Is the number known without waiting for it?
    pub fn answers_at_once(&self) -> bool {
        matches!(self, Self::Sqlite(..))
    }

    /// The number of the latest committed change to any key.
    pub async fn change_number(&mut self) -> sqlx::Result<i64> {
        match self {
            Self::Sqlite(connection, _) => {
                let read =
                    connection.prepare_cached(CHANGE_NUMBER).and_then(|mut read| read.query_row([], |row| row.get(0)));
                read.map_err(failed)
            }
            Self::Postgres(connection) => sqlx::query_scalar(CHANGE_NUMBER).fetch_one(connection).await,
        }
    }

    /// Some of the keys changed after `after`, a change number and the last key of that number already taken in, in the
    /// order of their changes. Empty if there are none.
    pub async fn changed_keys(&mut self, after: &(i64, String)) -> sqlx::Result<Vec<ChangedKey>> {
        let (number, secret_id) = after;
        macro_rules! fetch {
            ($executor:expr) => {
                sqlx::query_as(CHANGED).bind(number).bind(secret_id).bind(PAGE).fetch_all($executor).await
            };
        }
        match self {
            Self::Sqlite(_, connection) => fetch!(&mut *connection),
            Self::Postgres(connection) => fetch!(&mut *connection),
        }
    }
}

fn open_sqlite(pool: &SqlitePool) -> rusqlite::Result<rusqlite::Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = rusqlite::Connection::open_with_flags(pool.connect_options().get_filename(), flags)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

fn failed(error: rusqlite::Error) -> sqlx::Error {
    sqlx::Error::AnyDriverError(Box::new(error))
}
