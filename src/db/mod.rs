//! The database: every statement is one SQL text that runs on SQLite and PostgreSQL.
//!
//! Invariant: all SQL is in this module, and nothing here knows HTTP or a plain secret.
//!
//! Rules for the shared SQL:
//!
//! - Placeholders are written `$1`.
//! - `returning` and `on conflict` are allowed, but not `now()`, serial, JSON or `for update`.
//! - Points in time are [`Timestamp`](crate::types::clock::Timestamp)s.
//! - A change that must not be lost to a race is one compare-and-set statement whose affected rows are checked.
//! - Writes are in one transaction with their audit record.

pub mod accounts;
pub mod address;
pub mod api_keys;
pub mod audit;
pub mod backup;
pub mod calls;
mod embedded;
pub mod freshness;
mod hosts;
pub mod installation;
pub mod nodes;
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

use sqlx::postgres::PgPool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, SqliteConnection};

use self::address::{Address, AddressError};

pub use self::embedded::Embedded;
pub use self::outage::is_outage;
pub use self::transaction::{SqliteTx, Tx};

/// The time limit for a statement of a request, including the wait for a connection and for other writers. A client
/// whose request exceeds it is told to retry later.
pub const OF_A_REQUEST: Duration = Duration::from_millis(1800);
/// The same limit for a command, whose caller would rather wait.
pub const OF_A_COMMAND: Duration = Duration::from_secs(20);
/// The time limit for PostgreSQL to answer at the start.
const AT_START: Duration = Duration::from_secs(5);

/// An open database. Clones share the connections.
#[derive(Clone, Debug)]
pub enum Db {
    /// Embedded, for one machine.
    Sqlite(SqlitePool, Arc<Embedded>),
    /// PostgreSQL, shared by any number of processes.
    Postgres(PgPool),
}

/// Runs one body on whichever engine is open: `on!(db, executor => sqlx::query("…").execute(executor).await)`. Fails if
/// it takes too long, or if the embedded database's file is not in its place.
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

/// Performs work on the database. Fails with [`sqlx::Error::PoolTimedOut`] if it takes longer than `patience`.
pub async fn within<T>(patience: Duration, work: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    tokio::time::timeout(patience, work).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// The migrations, which create the schema step by step.
static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// The reason why the database could not be opened or brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address begins with neither `sqlite:` nor `postgres:`.
    #[error("a database is `sqlite:…` or `postgres:…`")]
    UnknownEngine,
    /// The schema has migrations that this program does not know.
    #[error("the database was written by a newer version of Latchkey; run that version, or restore a backup")]
    Newer,
    /// The schema lacks migrations of this program.
    #[error("its schema is older than this program; run `latchkey migrate` first")]
    Older,
    /// There is no table of migrations.
    #[error("it is not a database of Latchkey")]
    Foreign,
    /// PostgreSQL did not answer.
    #[error("{0} did not answer within {n} s; check that it is running and can be reached", n = AT_START.as_secs())]
    Silent(String),
    /// PostgreSQL's address is malformed.
    #[error("{0}")]
    Address(#[from] AddressError),
    /// None of PostgreSQL's hosts is suitable. Contains what each of them reported.
    #[error("none of its hosts will do: {0}")]
    NoHost(String),
    /// PostgreSQL rejects the password.
    #[error("{0}; check it, and that in the address it is percent-encoded: @ as %40, / as %2F, % as %25 and so on")]
    Password(sqlx::Error),
    /// A pooler in front of PostgreSQL loses prepared statements.
    #[error(
        "a pooler in front of it does not keep prepared statements ({0}); have it pool sessions (PgBouncer: \
         pool_mode = session), or connect without it"
    )]
    Pooler(sqlx::Error),
    /// A pooler in front of PostgreSQL refuses a startup parameter.
    #[error(
        "a pooler in front of it refuses a parameter ({0}); add that to its ignore_startup_parameters, and have it pool \
         sessions"
    )]
    PoolerParameter(sqlx::Error),
    /// Any other error, in the engine's own words.
    #[error("{0}")]
    Engine(sqlx::Error),
    /// A migration failed.
    #[error("its schema could not be brought up to date: {0}")]
    Migration(sqlx::migrate::MigrateError),
}

impl From<sqlx::Error> for OpenError {
    /// Goes by PostgreSQL's error codes, which poolers use as well.
    fn from(cause: sqlx::Error) -> Self {
        let code = cause.as_database_error().and_then(sqlx::error::DatabaseError::code);
        match code.as_deref() {
            Some("28P01") => Self::Password(cause),
            // There is no such prepared statement, or one of this name exists already.
            Some("26000" | "42P05") => Self::Pooler(cause),
            Some("08P01") if cause.to_string().contains("startup parameter") => Self::PoolerParameter(cause),
            _ => Self::Engine(cause),
        }
    }
}

impl Db {
    /// Opens `sqlite:…` (created if missing) or `postgres:…`, without touching its schema. `patience` is the time limit
    /// for a statement.
    pub async fn open(url: &str, patience: Duration) -> Result<Self, OpenError> {
        if url.starts_with("sqlite:") {
            let options = SqliteConnectOptions::from_str(url)?.create_if_missing(true);
            open_sqlite(options, patience).await
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Ok(Self::Postgres(Address::parse(url)?.pool(patience).await?))
        } else {
            Err(OpenError::UnknownEngine)
        }
    }

    /// The time limit for a statement.
    fn patience(&self) -> Duration {
        match self {
            Self::Sqlite(pool, _) => pool.options().get_acquire_timeout(),
            Self::Postgres(pool) => pool.options().get_acquire_timeout(),
        }
    }

    /// Brings the schema up to date.
    pub async fn migrate(&self) -> Result<(), OpenError> {
        // A single query if there is nothing to do: the migrator would run several, and stop others from starting.
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

    /// Closes the connections once they have been returned.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(pool, embedded) => {
                pool.close().await;
                embedded.clear_away();
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// Opens a file. From then on, no file that replaces it is opened.
async fn open_sqlite(options: SqliteConnectOptions, patience: Duration) -> Result<Db, OpenError> {
    let options = options
        .journal_mode(SqliteJournalMode::Wal)
        // Acknowledged changes survive a power failure, above all the disabling of a key.
        .synchronous(SqliteSynchronous::Full)
        // Shorter than the limit for a statement, so that the engine is the one to report what it waited for.
        .busy_timeout(patience.mul_f32(0.8))
        .foreign_keys(true)
        // A destroyed secret is overwritten in its page, not only unlinked.
        .pragma("secure_delete", "on");
    // The first connection may have to recover the file, and waits for the disk, so it may take longer than a request.
    let first = within(OF_A_COMMAND, SqliteConnection::connect_with(&options)).await?;
    // One connection is always open, and so the file is, too.
    let pool = SqlitePoolOptions::new().max_connections(5).min_connections(1).idle_timeout(None).max_lifetime(None);
    let pool = pool.acquire_timeout(patience).connect_with(options.clone()).await?;
    let embedded = Embedded::at(options.get_filename()).map_err(sqlx::Error::Io)?;
    pool.set_connect_options(options.create_if_missing(false));
    first.close().await?;
    Ok(Db::Sqlite(pool, Arc::new(embedded)))
}
