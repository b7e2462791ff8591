//! Copying the embedded database, and inspecting a copy without changing its schema.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};

use super::{Db, MIGRATOR, OF_A_COMMAND, OpenError, on, open_sqlite};

/// The file of a `sqlite:` address. `None` for PostgreSQL.
pub fn file_of(url: &str) -> Result<Option<PathBuf>, OpenError> {
    if !url.starts_with("sqlite:") {
        return Ok(None);
    }
    Ok(Some(SqliteConnectOptions::from_str(url)?.get_filename().to_owned()))
}

impl Db {
    /// Opens a database that exists already, and leaves its schema as it is.
    pub async fn open_existing(url: &str) -> Result<Self, OpenError> {
        match file_of(url)? {
            Some(file) => Self::open_file(&file).await,
            None => Self::open(url, OF_A_COMMAND).await,
        }
    }

    /// Like [`Db::open_existing`], for a file of SQLite.
    pub async fn open_file(file: &Path) -> Result<Self, OpenError> {
        open_sqlite(SqliteConnectOptions::new().filename(file).create_if_missing(false), OF_A_COMMAND).await
    }

    /// Checks that the schema is exactly the one that this program works with.
    pub async fn check_schema(&self) -> Result<(), OpenError> {
        let statement = "select version, checksum from _sqlx_migrations where success order by version";
        let applied: Result<Vec<(i64, Vec<u8>)>, _> =
            on!(self, pool => sqlx::query_as(statement).fetch_all(pool).await);
        let applied = applied.map_err(|error| match error {
            sqlx::Error::Database(_) => OpenError::Foreign,
            other => OpenError::Engine(other),
        })?;
        for (version, checksum) in &applied {
            let known = MIGRATOR.iter().find(|known| known.version == *version).ok_or(OpenError::Newer)?;
            if known.checksum.as_ref() != checksum.as_slice() {
                return Err(OpenError::Migration(sqlx::migrate::MigrateError::VersionMismatch(*version)));
            }
        }
        if applied.len() < MIGRATOR.iter().count() { Err(OpenError::Older) } else { Ok(()) }
    }
}

/// Writes all committed data into `file`, which must be empty, while others read and write.
pub async fn copy_into(pool: &SqlitePool, file: &str) -> sqlx::Result<()> {
    sqlx::query("vacuum into $1").bind(file).execute(pool).await.map(drop)
}

/// The first fault that SQLite finds in the file. `None` if the file is intact.
pub async fn damage(pool: &SqlitePool) -> sqlx::Result<Option<String>> {
    let found: String = sqlx::query_scalar("pragma integrity_check(1)").fetch_one(pool).await?;
    if found != "ok" {
        return Ok(Some(found));
    }
    let reference = "select \"table\" || ' refers to what is not in ' || parent from pragma_foreign_key_check limit 1";
    sqlx::query_scalar(reference).fetch_optional(pool).await
}

/// An object of the schema that is not as this program creates it: a table, index, trigger or view that is altered,
/// missing or additional.
pub async fn foreign_object(pool: &SqlitePool) -> Result<Option<String>, OpenError> {
    let model = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await?;
    MIGRATOR.run(&model).await.map_err(OpenError::Migration)?;
    let (ours, theirs) = (objects(&model).await?, objects(pool).await?);
    Ok(ours.symmetric_difference(&theirs).next().map(|(name, _)| name.clone()))
}

/// The names and definitions of all objects, except those that SQLite and the migrator keep for themselves.
async fn objects(pool: &SqlitePool) -> sqlx::Result<BTreeSet<(String, Option<String>)>> {
    let statement = "select name, sql from sqlite_schema where name not like 'sqlite~_%' escape '~'
        and name <> '_sqlx_migrations'";
    Ok(sqlx::query_as(statement).fetch_all(pool).await?.into_iter().collect())
}
