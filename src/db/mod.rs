//! The database: one text of every statement, run on SQLite or PostgreSQL.
//!
//! Invariant: all SQL is in this folder; nothing here knows HTTP or a plain secret.
//!
//! Rules of the one text: `$1` placeholders; `returning` and `on conflict` but no `now()`, serial, json or
//! `for update`; instants are [`Timestamp`](crate::types::clock::Timestamp); a change that must not be lost to a race is one
//! compare-and-set statement whose affected rows are looked at; writes stand in a transaction with their audit record.

pub mod accounts;
pub mod address;
pub mod api_keys;
pub mod audit;
pub mod backup;
mod embedded;
pub mod freshness;
mod hosts;
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

use sqlx::postgres::PgPool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, SqliteConnection};

use self::address::{Address, AddressError};

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
    /// PostgreSQL's address.
    #[error("{0}")]
    Address(#[from] AddressError),
    /// None of PostgreSQL's hosts will do; what each says.
    #[error("none of its hosts will do: {0}")]
    NoHost(String),
    /// PostgreSQL does not take the password.
    #[error("{0}; check it, and that in the address it is percent-encoded: @ as %40, / as %2F, % as %25 and so on")]
    Password(sqlx::Error),
    /// A pooler between here and PostgreSQL loses prepared statements.
    #[error(
        "a pooler before it does not keep prepared statements ({0}); have it pool sessions (PgBouncer: pool_mode = session), \
         or connect without it"
    )]
    Pooler(sqlx::Error),
    /// A pooler refuses to be told something at the start.
    #[error(
        "a pooler before it refuses a parameter ({0}); add that to its ignore_startup_parameters, and have it pool sessions"
    )]
    PoolerParameter(sqlx::Error),
    /// The engine's own words.
    #[error("{0}")]
    Engine(sqlx::Error),
    /// A migration failed.
    #[error("its schema could not be brought up to date: {0}")]
    Migration(sqlx::migrate::MigrateError),
}

impl From<sqlx::Error> for OpenError {
    /// By PostgreSQL's codes, which poolers use, too.
    fn from(cause: sqlx::Error) -> Self {
        let code = cause.as_database_error().and_then(sqlx::error::DatabaseError::code);
        match code.as_deref() {
            Some("28P01") => Self::Password(cause),
            // No such prepared statement, or one of this name already.
            Some("26000" | "42P05") => Self::Pooler(cause),
            Some("08P01") if cause.to_string().contains("startup parameter") => Self::PoolerParameter(cause),
            _ => Self::Engine(cause),
        }
    }
}

impl Db {
    /// Opens `sqlite:…` (made if missing) or `postgres:…`, without touching its schema. A statement may take as long as
    /// `patience`.
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
            Self::Sqlite(pool, embedded) => {
                pool.close().await;
                embedded.clear_away();
            }
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
