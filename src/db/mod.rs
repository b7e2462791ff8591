//! The database: one text of every statement, run on SQLite or PostgreSQL.
//!
//! Invariant: all SQL is in this folder; nothing here knows HTTP or a plain secret.
//!
//! Rules of the one text: `$1` placeholders; `returning` and `on conflict` but no `now()`, serial, json or
//! `for update`; instants are [`Timestamp`](crate::clock::Timestamp); a change that must not be lost to a race is one
//! compare-and-set statement whose affected rows are looked at; writes stand in a transaction with their audit record.

pub mod accounts;
pub mod api_keys;
pub mod audit;
pub mod backup;
pub mod freshness;
pub mod installation;
pub mod passkeys;
pub mod records;
pub mod refused_calls;
pub mod sealed;
pub mod sessions;
pub mod throttle;
pub mod usage;

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, PgConnection, Postgres, Sqlite, Transaction};

/// How long a statement waits for a connection, or for another writer.
const PATIENCE: Duration = Duration::from_secs(5);

/// An open database. Cloning shares the connections.
#[derive(Clone, Debug)]
pub enum Db {
    /// Embedded, one machine.
    Sqlite(SqlitePool),
    /// Shared by any number of processes.
    Postgres(PgPool),
}

/// An open transaction, rolled back when dropped.
#[derive(Debug)]
pub enum Tx {
    /// On SQLite, begun `immediate`: it holds the one write lock from its start.
    Sqlite(Transaction<'static, Sqlite>),
    /// On PostgreSQL, read committed.
    Postgres(Transaction<'static, Postgres>),
}

/// Runs one body on whichever engine is open: `on!(db, executor => sqlx::query("…").execute(executor).await)`.
macro_rules! on {
    ($db:expr, $executor:ident => $body:expr) => {
        match $db {
            $crate::db::Db::Sqlite($executor) => $body,
            $crate::db::Db::Postgres($executor) => $body,
        }
    };
}
pub(crate) use on;

/// [`on!`] for a statement inside a transaction.
macro_rules! on_tx {
    ($tx:expr, $executor:ident => $body:expr) => {
        match $tx {
            $crate::db::Tx::Sqlite(tx) => {
                let $executor = &mut **tx;
                $body
            }
            $crate::db::Tx::Postgres(tx) => {
                let $executor = &mut **tx;
                $body
            }
        }
    };
}
pub(crate) use on_tx;

/// The schema, step by step.
static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// Why the database could not be opened or brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Neither `sqlite:` nor `postgres:`.
    #[error("a database is `sqlite:…` or `postgres:…`")]
    UnknownEngine,
    /// Its schema has migrations this program does not know.
    #[error("the database was written by a newer version of Latchkey; run that version, or restore a backup")]
    Newer,
    /// Its schema has not all migrations of this program.
    #[error("its schema is older than this program; run `latchkey migrate` first")]
    Older,
    /// No table of migrations.
    #[error("it is not a database of Latchkey")]
    Foreign,
    /// PostgreSQL gave no answer.
    #[error("{0} did not answer within {n} s; see whether it runs, and what is between", n = PATIENCE.as_secs())]
    Silent(String),
    /// The engine's own words.
    #[error("{0}")]
    Engine(#[from] sqlx::Error),
    /// A migration failed.
    #[error("its schema could not be brought up to date: {0}")]
    Migration(sqlx::migrate::MigrateError),
}

impl Db {
    /// Opens `sqlite:…` (made if missing) or `postgres:…`, without touching its schema.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        if url.starts_with("sqlite:") {
            Ok(Self::Sqlite(open_sqlite(url).await?))
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            Ok(Self::Postgres(open_postgres(url).await?))
        } else {
            Err(OpenError::UnknownEngine)
        }
    }

    /// Brings the schema up to date.
    pub async fn migrate(&self) -> Result<(), OpenError> {
        on!(self, pool => MIGRATOR.run(pool).await).map_err(|error| match error {
            sqlx::migrate::MigrateError::VersionMissing(_) | sqlx::migrate::MigrateError::VersionTooNew(..) => {
                OpenError::Newer
            }
            other => OpenError::Migration(other),
        })
    }

    /// Begins a transaction for writing.
    pub async fn begin(&self) -> sqlx::Result<Tx> {
        Ok(match self {
            Self::Sqlite(pool) => Tx::Sqlite(pool.begin_with("begin immediate").await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin().await?),
        })
    }

    /// Closes the connections once they are given back.
    pub async fn close(&self) {
        on!(self, pool => pool.close().await);
    }
}

impl Tx {
    /// Makes the changes last. Only after this may anybody be told of them.
    pub async fn commit(self) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        }
    }
}

async fn open_sqlite(url: &str) -> sqlx::Result<SqlitePool> {
    sqlite_pool(sqlite_options(SqliteConnectOptions::from_str(url)?).create_if_missing(true)).await
}

fn sqlite_options(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options
        .journal_mode(SqliteJournalMode::Wal)
        // What was acknowledged survives a power cut, a Disable above all.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(PATIENCE)
        .foreign_keys(true)
        // A destroyed secret is overwritten in its page, not only unlinked.
        .pragma("secure_delete", "on")
}

async fn sqlite_pool(options: SqliteConnectOptions) -> sqlx::Result<SqlitePool> {
    SqlitePoolOptions::new().max_connections(5).acquire_timeout(PATIENCE).connect_with(options).await
}

async fn open_postgres(url: &str) -> Result<PgPool, OpenError> {
    let mut options = PgConnectOptions::from_str(url)?.application_name("latchkey");
    // Over a network the server must prove who it is, unless the address says otherwise.
    if !url.contains("sslmode=") && !is_local(options.get_host()) {
        options = options.ssl_mode(PgSslMode::VerifyFull);
    }
    let pool = PgPoolOptions::new().max_connections(8).acquire_timeout(PATIENCE);
    match pool.connect_with(options.clone()).await {
        Ok(pool) => Ok(pool),
        // The pool has tried all the while and does not say what came of it.
        Err(sqlx::Error::PoolTimedOut) => Err(why_no_connection(&options).await),
        Err(other) => Err(other.into()),
    }
}

async fn why_no_connection(options: &PgConnectOptions) -> OpenError {
    match tokio::time::timeout(PATIENCE, PgConnection::connect_with(options)).await {
        Ok(Ok(_)) => OpenError::Engine(sqlx::Error::PoolTimedOut),
        Ok(Err(cause)) => OpenError::Engine(cause),
        Err(_) => OpenError::Silent(format!("{}:{}", options.get_host(), options.get_port())),
    }
}

/// A socket's folder, or a name of loopback.
fn is_local(host: &str) -> bool {
    host.starts_with('/')
        || host == "localhost"
        || host.trim_matches(['[', ']']).parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}
