//! Keys in memory, and the freshness barrier that makes using them safe.
//!
//! Looking a key up in the database for every request costs most of the throughput; a cache with a lifetime accepts
//! disabled keys. The registry does neither. Every change to a key raises one number in the database, in its own
//! transaction, and stamps the key's row with it. A request may use the keys in memory only after that number has been
//! read, by a read that began after the request arrived; if it moved, the rows stamped since are taken in first. One read
//! serves all requests that wait at that moment, as a Raft leader's read index does, so the cost is one tiny query a
//! batch. Whoever makes the change, and in which process, does not matter.
//!
//! A number alone does not say which history it counts: a database that was put back to an earlier state counts on from
//! there, and may come to the same number by other changes. So every change has a mark drawn at random, and what is
//! remembered of the last read is number and mark. Where that change is not part of the database's history any more, all
//! keys are taken in again before anybody is answered.
//!
//! Numbers are committed in their order, because a change holds the number's row from its first statement to its commit:
//! whoever sees number N sees every row stamped up to N.
//!
//! May import `db`, `metrics`, `check::usage` for the counter that each key holds, `signature` for the keys derived from
//! its secret, the vault that opens the secret, and `types`.

mod barrier;
mod key;
mod shared_read;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{mpsc, oneshot};

use self::barrier::Barrier;
pub use self::key::RegisteredKey;
use self::shared_read::SharedRead;
use crate::db::Db;
use crate::metrics::Metrics;
use crate::secret::vault::Vault;
use crate::types::error::Error;
use crate::types::id::SecretId;

type KeyMap = HashMap<SecretId, Arc<RegisteredKey>>;
type Keys = Arc<RwLock<KeyMap>>;

/// What the task that reads is asked for.
#[derive(Debug)]
enum Ask {
    /// The next read.
    Read,
    /// To give its connection back.
    Close(oneshot::Sender<()>),
}

/// Holds the keys. Cloning shares them.
#[derive(Clone, Debug)]
pub struct Registry {
    keys: Keys,
    next: Arc<SharedRead>,
    asks: mpsc::UnboundedSender<Ask>,
}

/// Proof that the keys in memory are as fresh as this request needs them.
#[derive(Debug)]
pub struct Fresh(());

impl Registry {
    /// Starts the one task that reads; it ends when the last clone is dropped. The first request takes the keys in, so that
    /// commands that check none read none.
    pub fn start(database: Db, vault: Arc<Vault>, metrics: Metrics) -> Self {
        let (keys, next) = (Keys::default(), Arc::<SharedRead>::default());
        let (asks, asked) = mpsc::unbounded_channel();
        let barrier = Barrier::new(database, vault, metrics, keys.clone(), next.clone());
        tokio::spawn(barrier.run(asked));
        Self { keys, next, asks }
    }

    /// Waits for a read of the change number that begins after this call. A fault if it fails or takes too long.
    pub async fn fresh(&self) -> Result<Fresh, Error> {
        let (read, first) = self.next.join();
        if first && self.asks.send(Ask::Read).is_err() {
            // Nobody else will: whoever has joined meanwhile is told as well.
            drop(self.next.begin());
        }
        if *read.wait().await { Ok(Fresh(())) } else { Err(Error::internal("the latest change could not be read")) }
    }

    /// Closes the connection that is read on: as long as one is open, SQLite leaves what was written last in its log.
    pub async fn close(&self) {
        let (sender, closed) = oneshot::channel();
        if self.asks.send(Ask::Close(sender)).is_ok() {
            // Failing, it is closed with the task.
            let _ = closed.await;
        }
    }

    /// Returns once the task that reads has ended. Before the end of the process that is a defect: all are refused.
    pub async fn ended(&self) {
        self.asks.closed().await;
    }

    /// A key, as it was at or after the moment that `_fresh` was asked for. None if it never existed.
    pub fn get(&self, _fresh: &Fresh, secret_id: &str) -> Option<Arc<RegisteredKey>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(secret_id).cloned()
    }

    /// How many keys are in memory, deleted ones included.
    pub fn len(&self) -> usize {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
