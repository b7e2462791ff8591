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
mod embedded;
pub mod freshness;
pub mod installation;
mod outage;
pub mod passkeys;
pub mod pending_seeds;
pub mod records;
pub mod refused_calls;
pub mod refused_sign_ins;
pub mod sealed;
pub mod sessions;
pub mod throttle;
mod transaction;
pub mod usage;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, PgConnection, SqliteConnection};

pub use self::embedded::Embedded;
pub use self::outage::is_outage;
pub use self::transaction::{SqliteTx, Tx};

/// How long a request's statement may take, the wait for a connection and for other writers included: whoever waits longer
/// is told to come back later.
pub const OF_A_REQUEST: Duration = Duration::from_millis(1800);
/// The same for a command, whose caller would rather wait.
pub const OF_A_COMMAND: Duration = Duration::from_secs(20);
/// How long PostgreSQL may take to answer at the start.
const AT_START: Duration = Duration::from_secs(5);

/// An open database. Cloning shares the connections.
#[derive(Clone, Debug)]
pub enum Db {
    /// Embedded, one machine.
    Sqlite(SqlitePool, Arc<Embedded>),
    /// Shared by any number of processes.
    Postgres(PgPool),
}

/// Runs one body on whichever engine is open: `on!(db, executor => sqlx::query("…").execute(executor).await)`. An error if
/// it takes too long, or if the embedded database's file is not at its place.
macro_rules! on {
    ($db:expr, $executor:ident => $body:expr) => {{
        let db: &$crate::db::Db = $db;
        $crate::db::within(db.patience(), async {
            match db {
                $crate::db::Db::Sqlite($executor, embedded) => {
                    embedded.check()?;
                    $body
                }
                $crate::db::Db::Postgres($executor) => $body,
            }
        })
        .await
    }};
}
pub(crate) use on;

/// [`on!`] for a statement inside a transaction.
macro_rules! on_tx {
    ($tx:expr, $executor:ident => $body:expr) => {
        match $tx {
            $crate::db::Tx::Sqlite(tx) => {
                let $executor = tx.connection();
                $body
            }
            $crate::db::Tx::Postgres(tx, patience) => {
                $crate::db::within(*patience, async {
                    let $executor = &mut **tx;
                    $body
                })
                .await
            }
        }
    };
}
pub(crate) use on_tx;

/// What the database does, unless it takes longer than `patience`.
pub async fn within<T>(patience: Duration, work: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    tokio::time::timeout(patience, work).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

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
    #[error("{0} did not answer within {n} s; see whether it runs, and what is between", n = AT_START.as_secs())]
    Silent(String),
    /// The engine's own words.
    #[error("{0}")]
    Engine(#[from] sqlx::Error),
    /// A migration failed.
    #[error("its schema could not be brought up to date: {0}")]
    Migration(sqlx::migrate::MigrateError),
}

impl Db {
    /// Opens `sqlite:…` (made if missing) or `postgres:…`, without touching its schema. A statement may take as long as
    /// `patience`.
    pub async fn open(url: &str, patience: Duration) -> Result<Self, OpenError> {
        if url.starts_with("sqlite:") {
            let options = SqliteConnectOptions::from_str(url)?.create_if_missing(true);
            open_sqlite(options, patience).await
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            Ok(Self::Postgres(open_postgres(url, patience).await?))
        } else {
            Err(OpenError::UnknownEngine)
        }
    }

    /// How long a statement may take.
    fn patience(&self) -> Duration {
        match self {
            Self::Sqlite(pool, _) => pool.options().get_acquire_timeout(),
            Self::Postgres(pool) => pool.options().get_acquire_timeout(),
        }
    }

    /// Brings the schema up to date.
    pub async fn migrate(&self) -> Result<(), OpenError> {
        // One question where there is nothing to do: the migrator would ask several, and stop others from starting.
        if self.check_schema().await.is_ok() {
            return Ok(());
        }
        let migrated = match self {
            Self::Sqlite(pool, _) => MIGRATOR.run(pool).await,
            Self::Postgres(pool) => MIGRATOR.run(pool).await,
        };
        migrated.map_err(|error| match error {
            sqlx::migrate::MigrateError::VersionMissing(_) | sqlx::migrate::MigrateError::VersionTooNew(..) => {
                OpenError::Newer
            }
            other => OpenError::Migration(other),
        })
    }

    /// Closes the connections once they are given back.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(pool, _) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// Opens a file, and from then on no other that is put in its place.
async fn open_sqlite(options: SqliteConnectOptions, patience: Duration) -> Result<Db, OpenError> {
    let options = options
        .journal_mode(SqliteJournalMode::Wal)
        // What was acknowledged survives a power cut, a Disable above all.
        .synchronous(SqliteSynchronous::Full)
        // Less than a statement may take, so that it is the engine that says what it waited for.
        .busy_timeout(patience.mul_f32(0.8))
        .foreign_keys(true)
        // A destroyed secret is overwritten in its page, not only unlinked.
        .pragma("secure_delete", "on");
    // The first to open a file may have to mend it, and waits for the disk: it may take longer than a request.
    let first = within(OF_A_COMMAND, SqliteConnection::connect_with(&options)).await?;
    // One connection stays open whatever happens, and so the file does.
    let pool = SqlitePoolOptions::new().max_connections(5).min_connections(1).idle_timeout(None).max_lifetime(None);
    let pool = pool.acquire_timeout(patience).connect_with(options.clone()).await?;
    let embedded = Embedded::at(options.get_filename()).map_err(sqlx::Error::Io)?;
    pool.set_connect_options(options.create_if_missing(false));
    first.close().await?;
    Ok(Db::Sqlite(pool, Arc::new(embedded)))
}

async fn open_postgres(url: &str, patience: Duration) -> Result<PgPool, OpenError> {
    let mut options = PgConnectOptions::from_str(url)?.application_name("latchkey");
    // Over a network the server must prove who it is, unless the address says otherwise.
    if !url.contains("sslmode=") && !is_local(options.get_host()) {
        options = options.ssl_mode(PgSslMode::VerifyFull);
    }
    let pool = PgPoolOptions::new().max_connections(8).acquire_timeout(patience);
    // Whoever has patience enough needs no second pool for the start.
    let (first, later) = if patience < AT_START {
        // Two connections are kept, so that a database that is slow to let one in is slow only once.
        let later = pool.min_connections(2).connect_lazy_with(options.clone());
        (PgPoolOptions::new().max_connections(1).acquire_timeout(AT_START), Some(later))
    } else {
        (pool, None)
    };
    match (first.connect_with(options.clone()).await, later) {
        (Ok(first), None) => Ok(first),
        (Ok(first), Some(later)) => {
            first.close().await;
            Ok(later)
        }
        // The pool has tried all the while and does not say what came of it.
        (Err(sqlx::Error::PoolTimedOut), _) => Err(why_no_connection(&options).await),
        (Err(other), _) => Err(other.into()),
    }
}

async fn why_no_connection(options: &PgConnectOptions) -> OpenError {
    match tokio::time::timeout(AT_START, PgConnection::connect_with(options)).await {
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
