//! What the registry reads: the latest change, and the keys stamped since. On connections of its own, so that no page
//! stands in its way.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection as _, FromRow, PgConnection, SqliteConnection};

use super::{Db, Embedded, within};
use crate::secret::vault::Sealed;
use crate::types::clock::Timestamp;
use crate::types::id::{AppId, SecretId, Uin};
use crate::types::key_state::KeyState;

/// A change to a key: the how manieth, and the mark that was drawn for it. Two databases that have seen the same change
/// have the same history up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromRow)]
pub struct Change {
    /// Rises by one with every change; 0 where there was none.
    pub number: i64,
    /// At random.
    pub mark: i64,
}

/// A key of whatever state, as the registry takes it in.
#[derive(Clone, Debug)]
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
    /// The sealed secret; none if the key is deleted.
    pub sealed_secret: Option<Sealed>,
    /// The number of its latest change.
    pub change_number: i64,
}

/// Some of the keys that have changed, as they were at one moment.
#[derive(Debug)]
pub struct Changes {
    /// The latest change at that moment.
    pub latest: Change,
    /// Was the change that was asked about part of the history at that moment?
    pub follow: bool,
    /// In the order of their changes.
    pub keys: Vec<ChangedKey>,
}

/// Where a page of changed keys begins: behind this change number, and of the keys of that number behind this one.
pub type Position = (i64, String);

/// How long a connection to PostgreSQL may take to be made: some exchanges, over whatever distance.
const CONNECT: Duration = Duration::from_secs(5);

/// Keys are taken in this many at a time.
pub const PAGE: u16 = 2000;

const LATEST: &str = "select number, mark from key_change where id = 1";
/// One statement, and so one moment, also where the database is put back while it is read.
const CHANGES: &str = "select key_change.number, key_change.mark,
        (select count(*) from key_history where number = $3 and mark = $4) as followed,
        api_key.secret_id, api_key.uin, account.app_id, api_key.state, api_key.state_changed_at, api_key.secret,
        api_key.secret_key_version, api_key.change_number
    from key_change left join (api_key join account on account.uin = api_key.uin)
        on (api_key.change_number, api_key.secret_id) > ($1, $2)
    where key_change.id = 1
    order by api_key.change_number, api_key.secret_id limit $5";

/// A row of it: the key's columns are null where no key has changed.
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

/// The registry's connection.
#[derive(Debug)]
pub enum Reader {
    /// To SQLite, as long as its file is the one that was opened.
    Sqlite(SqliteConnection, Arc<Embedded>),
    /// To PostgreSQL.
    Postgres(PgConnection),
}

impl Reader {
    /// Makes a connection of its own.
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
                // A replica may lag behind without end; it does not turn into one while a connection lasts.
                if within(CONNECT, asked).await? {
                    return Err(sqlx::Error::Io(std::io::Error::other("the database is a replica")));
                }
                Ok(Self::Postgres(connection))
            }
        }
    }

    /// Closes it, and waits until it is.
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
