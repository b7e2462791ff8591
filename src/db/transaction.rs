//! Transactions for writing.

use std::time::Duration;

use super::embedded::Turn;
use super::{Db, within};
use sqlx::pool::PoolConnection;
use sqlx::{Postgres, Sqlite, SqliteConnection, Transaction};

/// An open transaction, rolled back when dropped.
#[derive(Debug)]
pub enum Tx {
    /// On `SQLite`: it holds the one write lock from its start.
    Sqlite(SqliteTx),
    /// On `PostgreSQL`, read committed; and how long a statement of it may take.
    Postgres(Transaction<'static, Postgres>, Duration),
}

/// A transaction on the embedded database. The driver's own counts how deep it is, and goes wrong when `SQLite` ends a
/// transaction by itself, as it does where the disk is full: the connection would be of no use ever after.
#[derive(Debug)]
pub struct SqliteTx {
    /// There until the transaction has ended.
    connection: Option<PoolConnection<Sqlite>>,
    turn: Option<Turn>,
}

impl SqliteTx {
    /// Where its statements run.
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        self.connection.as_mut().expect("there until the transaction has ended")
    }
}

impl Drop for SqliteTx {
    /// Whatever state the connection is in: rolled back, it goes back to the pool, and otherwise it is closed.
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
                    // Whatever happens from here on, also if nobody waits for it any more, ends the transaction.
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
    /// Makes the changes last. Only after this may anybody be told of them. After an error nobody knows whether they do.
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
