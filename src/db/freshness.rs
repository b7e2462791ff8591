//! The reads of the registry: the latest change, and the keys stamped since. They have connections of their own, so
//! that no page holds them up.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection as _, FromRow, PgConnection, SqliteConnection};

use super::{Db, Embedded, within};
use crate::secret::vault::Sealed;
use crate::types::clock::Timestamp;
use crate::types::id::{AppId, SecretId, Uin};
use crate::types::key_state::KeyState;

/// A change to a key: its number, and the mark that was drawn for it. Two databases that contain the same change have
/// the same history up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromRow)]
pub struct Change {
    /// The change's number, which rises by one with every change; 0 if there was none.
    pub number: i64,
    /// A random mark.
    pub mark: i64,
}

/// A key in any state, as the registry loads it.
#[derive(Clone, Debug)]
pub struct ChangedKey {
    /// The key's SecretId.
    pub secret_id: SecretId,
    /// The key's account.
    pub uin: Uin,
    /// The account's APPID.
    pub app_id: AppId,
    /// The key's state, which may be `deleted`.
    pub state: KeyState,
    /// The time at which the key entered that state.
    pub state_changed_at: Timestamp,
    /// The sealed secret. `None` if the key is deleted.
    pub sealed_secret: Option<Sealed>,
    /// The number of the key's latest change.
    pub change_number: i64,
}

/// Some of the keys that have changed, as they were at one moment.
#[derive(Debug)]
pub struct Changes {
    /// The latest change at that moment.
    pub latest: Change,
    /// `true` if the change in question was part of the history at that moment.
    pub follow: bool,
    /// The keys, in the order of their changes.
    pub keys: Vec<ChangedKey>,
}

/// The position after which a page of changed keys begins: a change number, and a SecretId among the keys of that
/// number.
pub type Position = (i64, String);

/// How long a connection to PostgreSQL may take to be made: some exchanges, over whatever distance.
const CONNECT: Duration = Duration::from_secs(5);

/// The number of keys that are loaded at a time.
pub const PAGE: u16 = 2000;

const LATEST: &str = "select number, mark from key_change where id = 1";
/// One statement sees one moment, even if the database is put back to an earlier state during the read.
const CHANGES: &str = "select key_change.number, key_change.mark,
        (select count(*) from key_history where number = $3 and mark = $4) as followed,
        api_key.secret_id, api_key.uin, account.app_id, api_key.state, api_key.state_changed_at, api_key.secret,
        api_key.secret_key_version, api_key.change_number
    from key_change left join (api_key join account on account.uin = api_key.uin)
        on (api_key.change_number, api_key.secret_id) > ($1, $2)
    where key_change.id = 1
    order by api_key.change_number, api_key.secret_id limit $5";

/// A row of [`CHANGES`]. The key's columns are null if no key has changed.
#[derive(FromRow)]
struct ChangesRow {
    number: i64,
    mark: i64,
    followed: i64,
    secret_id: Option<SecretId>,
    uin: Option<Uin>,
    app_id: Option<AppId>,
    state: Option<KeyState>,
    state_changed_at: Option<Timestamp>,
    secret: Option<Vec<u8>>,
    secret_key_version: Option<i64>,
    change_number: Option<i64>,
}

impl ChangesRow {
    fn key(self) -> Option<ChangedKey> {
        let sealed = |(key_version, bytes)| Sealed { key_version, bytes };
        Some(ChangedKey {
            secret_id: self.secret_id?,
            uin: self.uin?,
            app_id: self.app_id?,
            state: self.state?,
            state_changed_at: self.state_changed_at?,
            sealed_secret: self.secret_key_version.zip(self.secret).map(sealed),
            change_number: self.change_number?,
        })
    }
}

/// The registry's connection to the database.
#[derive(Debug)]
pub enum Reader {
    /// A connection to SQLite, and the check that its file is still the one that was opened.
    Sqlite(SqliteConnection, Arc<Embedded>),
    /// A connection to PostgreSQL.
    Postgres(PgConnection),
}

impl Reader {
    /// Opens the connections.
    pub async fn open(db: &Db) -> sqlx::Result<Self> {
        match db {
            Db::Sqlite(pool, embedded) => {
                embedded.check()?;
                let connection = SqliteConnection::connect_with(&pool.connect_options()).await?;
                embedded.check()?;
                Ok(Self::Sqlite(connection, embedded.clone()))
            }
            Db::Postgres(pool) => {
                let options = pool.connect_options();
                let mut connection = within(CONNECT, PgConnection::connect_with(&options)).await?;
                let asked = sqlx::query_scalar("select pg_is_in_recovery()").fetch_one(&mut connection);
                // A replica may lag behind without limit. A server does not turn into one while a connection lasts.
                if within(CONNECT, asked).await? {
                    return Err(sqlx::Error::Io(std::io::Error::other("the database is a replica")));
                }
                Ok(Self::Postgres(connection))
            }
        }
    }

    /// Closes the connection, and waits until it is closed.
    pub async fn close(self) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(connection, _) => connection.close().await,
            Self::Postgres(connection) => connection.close().await,
        }
    }

    /// The latest committed change to any key.
    pub async fn latest(&mut self) -> sqlx::Result<Change> {
        match self {
            Self::Sqlite(connection, embedded) => {
                embedded.check()?;
                sqlx::query_as(LATEST).fetch_one(connection).await
            }
            Self::Postgres(connection) => sqlx::query_as(LATEST).fetch_one(connection).await,
        }
    }

    /// The connection, if nodes can register on it.
    pub(super) fn postgres(&mut self) -> sqlx::Result<&mut PgConnection> {
        match self {
            Self::Postgres(connection) => Ok(connection),
            Self::Sqlite(..) => Err(sqlx::Error::Protocol("only PostgreSQL has nodes".to_owned())),
        }
    }

    /// Up to [`PAGE`] of the keys changed after `after`, and whether `followed` is part of the history.
    pub async fn changes(&mut self, followed: Change, after: &Position) -> sqlx::Result<Changes> {
        let (number, secret_id) = after;
        macro_rules! fetch {
            ($executor:expr) => {
                sqlx::query_as(CHANGES)
                    .bind(number)
                    .bind(secret_id)
                    .bind(followed.number)
                    .bind(followed.mark)
                    .bind(i64::from(PAGE))
                    .fetch_all($executor)
                    .await?
            };
        }
        let rows: Vec<ChangesRow> = match self {
            Self::Sqlite(connection, _) => fetch!(&mut *connection),
            Self::Postgres(connection) => fetch!(&mut *connection),
        };
        let first = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        let latest = Change { number: first.number, mark: first.mark };
        let follow = first.followed > 0;
        Ok(Changes { latest, follow, keys: rows.into_iter().filter_map(ChangesRow::key).collect() })
    }
}
