//! The keys in memory, and the freshness barrier that makes it safe to use them.
//!
//! Looking up the key in the database for every request costs most of the throughput. A cache whose entries expire
//! accepts disabled keys. The registry does neither. Every change to a key increments one number in the database, in
//! its own transaction, and stamps the key's row with it. A request may use the keys in memory only after that number
//! has been read, by a read that began after the request arrived. If the number has changed, the rows stamped since are
//! loaded first. One read serves all requests that are waiting at that moment, like the read index of a Raft leader, so
//! the cost is one tiny query per batch. It does not matter who makes a change, or in which process.
//!
//! A number alone does not identify the history that it counts. A database that was put back to an earlier state
//! continues from there, and may reach the same number by other changes. So every change has a random mark, and the
//! registry remembers the number and the mark of the last read. If that change is no longer part of the database's
//! history, all keys are loaded again before any request is answered.
//!
//! Numbers are committed in order, because a change locks the number's row from its first statement to its commit: a
//! reader that sees number N sees every row stamped up to N.
//!
//! # Leases
//!
//! On PostgreSQL, a server may be a node (`--lease`). Its read of the change number is then the renewal of a lease, and
//! while the lease lasts, requests use the keys in memory without a read. In return, whoever changes a key waits: the
//! change is acknowledged when every node has said that it has taken it in, or when every lease from before is over. The
//! rules that make this correct, each of which `tests/lease_model` breaks on purpose:
//!
//! - A lease runs from before its renewal was sent, by a clock that also counts while the machine is suspended, and
//!   counts only once everything that the renewal has seen is in memory. So a renewal that has not seen a change gives a
//!   lease that ends one lease after the commit at the latest.
//! - A node's registration is committed before its first renewal is sent. So a node that a list of the nodes lacks has
//!   seen every change that was committed before the list.
//! - The wait is a little longer than a lease, because clocks differ. It begins after the nodes were listed.
//! - A node that stays silent is struck off only if it has not renewed its lease since it was listed, and only in the
//!   same incarnation of the database. It registers anew before it has a lease again.
//! - A database that has gone back may have lost a registration. It is in another incarnation, in which nothing is
//!   acknowledged early until somebody has waited for one lease.
//!
//! May import `db`, `metrics`, `check::usage` for the counter that each key holds, `signature` for the keys derived
//! from its secret, the vault that opens the secret, and `types`.

mod acknowledgement;
mod barrier;
mod key;
mod lease;
mod listening;
mod shared_read;
mod tenant;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};

pub use self::acknowledgement::{Acknowledgements, Pending};
use self::barrier::Barrier;
pub use self::key::RegisteredKey;
use self::lease::Lease;
use self::listening::Listening;
use self::shared_read::SharedRead;
use self::tenant::Tenant;
use crate::db::Db;
use crate::db::nodes::Introduction;
use crate::metrics::Metrics;
use crate::secret::vault::Vault;
use crate::types::boot_clock::BootClock;
use crate::types::clock::Clock;
use crate::types::error::Error;
use crate::types::id::SecretId;

type KeyMap = HashMap<SecretId, Arc<RegisteredKey>>;
type Keys = Arc<RwLock<KeyMap>>;

/// A message to the task that reads.
#[derive(Debug)]
enum Ask {
    /// Perform the next read.
    Read,
    /// Close the connection.
    Close(oneshot::Sender<()>),
}

/// How this process takes leases.
#[derive(Clone, Debug, Default)]
pub struct Leasing {
    /// The length of a lease. Zero for none: then the database is asked for every batch of requests.
    pub length: Duration,
    /// The name of this process among the nodes.
    pub name: String,
    /// The clock that leases go by.
    pub boot_clock: BootClock,
    /// The clock of the lists.
    pub clock: Clock,
}

/// The keys in memory. Clones share them.
#[derive(Clone, Debug)]
pub struct Registry {
    keys: Keys,
    lease: Arc<Lease>,
    acknowledgements: Acknowledgements,
    next: Arc<SharedRead>,
    asks: mpsc::UnboundedSender<Ask>,
}

/// Proof that the keys in memory are as fresh as this request needs them.
#[derive(Debug)]
pub struct Fresh(());

impl Registry {
    /// Starts the task that reads, which ends when the last clone is dropped. The first request loads the keys, so that
    /// commands that check no request load none.
    pub fn start(database: Db, vault: Arc<Vault>, metrics: Metrics, leasing: Leasing) -> Self {
        let (keys, next) = (Keys::default(), Arc::<SharedRead>::default());
        let (asks, asked) = mpsc::unbounded_channel();
        let Leasing { length, name, boot_clock, clock } = leasing;
        let lease = Arc::new(Lease::by(boot_clock.clone()));
        let acknowledgements = Acknowledgements::new(database.clone(), boot_clock, length, metrics.clone());
        let mut barrier = Barrier::new(database.clone(), vault, metrics.clone(), keys.clone(), next.clone());
        if !length.is_zero() {
            let introduction = Introduction { name, lease: length };
            let (waits, changed) = (acknowledgements.clone(), Arc::<Notify>::default());
            let listening = Listening::new(database, changed.clone(), waits.clone());
            let tenant = Tenant::new(introduction, lease.clone(), waits, metrics, clock, listening);
            barrier.become_node(tenant, changed);
        }
        tokio::spawn(barrier.run(asked));
        Self { keys, lease, acknowledgements, next, asks }
    }

    /// The waits after a change.
    pub fn acknowledgements(&self) -> &Acknowledgements {
        &self.acknowledgements
    }

    /// Returns `true` while this process may use the keys in memory without asking.
    pub fn holds_lease(&self) -> bool {
        self.lease.holds()
    }

    /// Waits for a read of the change number that begins after this call, unless there is a lease. Returns an error if
    /// it fails or takes too long.
    pub async fn fresh(&self) -> Result<Fresh, Error> {
        if self.lease.holds() {
            return Ok(Fresh(()));
        }
        let (read, first) = self.next.join();
        if first && self.asks.send(Ask::Read).is_err() {
            // The task has ended, so nobody else ends this read: fail it for those that have joined in the meantime,
            // too.
            drop(self.next.begin());
        }
        if *read.wait().await { Ok(Fresh(())) } else { Err(Error::internal("the latest change could not be read")) }
    }

    /// Closes the connection of the task that reads. As long as a connection is open, SQLite keeps the latest changes
    /// in its write-ahead log.
    pub async fn close(&self) {
        let (sender, closed) = oneshot::channel();
        if self.asks.send(Ask::Close(sender)).is_ok() {
            // If this fails, the connection is closed together with the task.
            let _ = closed.await;
        }
    }

    /// Completes once the task that reads has ended. Before the end of the process, that is a defect: every request is
    /// refused.
    pub async fn ended(&self) {
        self.asks.closed().await;
    }

    /// Looks up a key, as it was when `_fresh` was asked for, or later. Returns `None` if it never existed.
    pub fn get(&self, _fresh: &Fresh, secret_id: &str) -> Option<Arc<RegisteredKey>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(secret_id).cloned()
    }

    /// The number of keys in memory, including deleted ones.
    pub fn len(&self) -> usize {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Returns `true` if there are no keys in memory.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
