//! Transactions for writing.

use std::time::Duration;

use super::embedded::Turn;
use super::{Db, within};
use sqlx::pool::PoolConnection;
use sqlx::{Postgres, Sqlite, SqliteConnection, Transaction};

/// An open transaction, rolled back when dropped.
#[derive(Debug)]
pub enum Tx {
    /// On SQLite. It holds the one write lock from its start.
    Sqlite(SqliteTx),
    /// On PostgreSQL, at the isolation level read committed, with the time limit for each of its statements.
    Postgres(Transaction<'static, Postgres>, Duration),
}

/// A transaction on the embedded database. The driver's own transaction counts its depth, and miscounts when SQLite
/// ends a transaction by itself, as it does when the disk is full. The connection would never be usable again.
#[derive(Debug)]
pub struct SqliteTx {
    /// `Some` until the transaction has ended.
    connection: Option<PoolConnection<Sqlite>>,
    turn: Option<Turn>,
}

impl SqliteTx {
    /// The connection that its statements run on.
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        self.connection.as_mut().expect("the transaction has not ended")
    }
}

impl Drop for SqliteTx {
    /// Rolls back, whatever state the connection is in. If that succeeds, the connection goes back to the pool, and
    /// otherwise it is closed.
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let turn = self.turn.take();
        tokio::spawn(async move {
            if sqlx::query("rollback").execute(&mut *connection).await.is_err() {
                connection.close_on_drop();
            }
            drop((connection, turn));
        });
    }
}

impl Db {
    /// Begins a transaction for writing.
    pub async fn begin(&self) -> sqlx::Result<Tx> {
        match self {
            Self::Sqlite(pool, embedded) => {
                embedded.check()?;
                let begun = async {
                    let turn = embedded.turn().await.map_err(sqlx::Error::Io)?;
                    // From here on, the transaction ends whatever happens, even if the caller stops waiting.
                    let mut tx = SqliteTx { connection: Some(pool.acquire().await?), turn: Some(turn) };
                    sqlx::query("begin immediate").execute(tx.connection()).await?;
                    Ok(Tx::Sqlite(tx))
                };
                within(self.patience(), begun).await
            }
            Self::Postgres(pool) => {
                within(self.patience(), async { Ok(Tx::Postgres(pool.begin().await?, self.patience())) }).await
            }
        }
    }
}

impl Tx {
    /// Commits the changes. Nobody may be told of them before this has succeeded. After an error, it is unknown whether
    /// they were committed.
    pub async fn commit(self) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(mut tx) => {
                sqlx::query("commit").execute(tx.connection()).await?;
                tx.connection = None;
                Ok(())
            }
            Self::Postgres(tx, patience) => within(patience, tx.commit()).await,
        }
    }
}
