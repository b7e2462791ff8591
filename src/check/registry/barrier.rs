//! The task that reads the change number and loads the keys that have changed.

use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLockWriteGuard};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, oneshot};

use super::key::RegisteredKey;
use super::shared_read::{SharedRead, StartedRead};
use super::tenant::Tenant;
use super::{Ask, KeyMap, Keys};
use crate::check::usage::UsageCounter;
use crate::db::freshness::{Change, ChangedKey, Changes, PAGE, Position, Reader};
use crate::db::sealed::API_KEY_SECRET;
use crate::db::{Db, within};
use crate::metrics::Metrics;
use crate::secret::vault::Vault;
use crate::signature::SigningKeys;
use crate::types::id::SecretId;

/// The time after which waiting requests are refused, at the latest after twice as long.
const PATIENCE: Duration = Duration::from_secs(1);
/// The time limit for reading the latest change. A database that takes longer counts as unreachable.
const SILENT: Duration = Duration::from_secs(2);
/// The time limit for loading a page of changed keys. No request waits for it longer than [`PATIENCE`], but the load
/// goes on: otherwise, the server could never catch up with a distant database.
const SLOW: Duration = Duration::from_secs(20);

/// The state before the first change, in which there are no keys.
const BEGINNING: Change = Change { number: 0, mark: 0 };

/// The state of the task that reads.
pub(super) struct Barrier {
    database: Db,
    vault: Arc<Vault>,
    metrics: Metrics,
    keys: Keys,
    next: Arc<SharedRead>,
    reader: Option<Reader>,
    /// This process as a node, if it takes leases.
    tenant: Option<Tenant>,
    /// Woken when a key may have changed.
    changed: Arc<Notify>,
    /// The change up to which everything is in memory. `None` at the start.
    seen: Option<Change>,
}

impl Drop for Barrier {
    /// Refuses the requests that wait for a read that will never begin.
    fn drop(&mut self) {
        drop(self.next.begin());
    }
}

impl Barrier {
    /// Creates the state before the first read, which opens a connection.
    pub(super) fn new(database: Db, vault: Arc<Vault>, metrics: Metrics, keys: Keys, next: Arc<SharedRead>) -> Self {
        let (reader, tenant, changed, seen) = (None, None, Arc::default(), None);
        Self { database, vault, metrics, keys, next, reader, tenant, changed, seen }
    }

    /// Makes this process a node, which reads whenever `changed` is notified as well.
    pub(super) fn become_node(&mut self, tenant: Tenant, changed: Arc<Notify>) {
        self.tenant = Some(tenant);
        self.changed = changed;
    }

    /// Reads whenever it is asked to, until all senders have been dropped. A node also reads to renew its lease.
    pub(super) async fn run(mut self, mut asked: mpsc::UnboundedReceiver<Ask>) {
        loop {
            tokio::select! {
                ask = asked.recv() => match ask {
                    Some(Ask::Read) => {
                        SharedRead::until_due().await;
                        if let Some(read) = self.next.begin() {
                            self.read(Some(read)).await;
                        }
                    }
                    // No other connection is opened, so requests that arrive from now on are refused.
                    Some(Ask::Close(waiter)) => return self.close_reader(waiter).await,
                    None => return self.leave().await,
                },
                () = due(self.tenant.as_ref()) => self.renew().await,
                () = self.changed.notified() => self.renew().await,
            }
        }
    }

    /// Reads for the node's lease, and for the requests that happen to wait.
    async fn renew(&mut self) {
        let read = self.next.begin();
        self.read(read).await;
    }

    /// Reads for the waiting requests, all of which arrived before. Those that have waited too long are refused, and
    /// the read goes on.
    async fn read(&mut self, mut read: Option<StartedRead>) {
        let (next, metrics) = (self.next.clone(), self.metrics.clone());
        let (for_requests, waiting) = (read.is_some(), read.as_ref().map_or(0, StartedRead::waiting));
        let begun = Instant::now();
        let caught_up = {
            let mut catching_up = pin!(self.catch_up());
            loop {
                if let Ok(ended) = tokio::time::timeout(PATIENCE, catching_up.as_mut()).await {
                    break ended;
                }
                let late = read.take().or_else(|| next.begin());
                let refused = late.as_ref().map_or(0, StartedRead::waiting);
                tracing::error!(refused, "the database does not answer in time");
                metrics.barrier_failures.inc();
            }
        };
        self.metrics.barrier_reads.observe(begun.elapsed().as_secs_f64());
        if for_requests {
            #[expect(clippy::cast_precision_loss, reason = "there are not 2^52 requests")]
            self.metrics.barrier_requests.observe(waiting as f64);
        }
        match (caught_up, read) {
            (Ok(()), Some(read)) => {
                read.succeeded();
            }
            (Ok(()), None) if begun.elapsed() < PATIENCE => {}
            (Ok(()), None) => tracing::warn!(took = ?begun.elapsed(), "the database has answered at last"),
            (Err(error), _) => {
                tracing::error!(%error, refused = waiting, "the latest change could not be read");
                self.metrics.barrier_failures.inc();
            }
        }
    }

    /// Gives the lease back, if this process is a node.
    async fn leave(&mut self) {
        if let Some(tenant) = &mut self.tenant {
            tenant.leave(self.reader.as_mut()).await;
        }
    }

    async fn close_reader(&mut self, waiter: oneshot::Sender<()>) {
        self.leave().await;
        if let Some(reader) = self.reader.take()
            && let Err(error) = reader.close().await
        {
            tracing::warn!(%error, "the registry's connection did not close cleanly");
        }
        waiter.send(()).unwrap_or_default();
    }

    /// Reads the latest change and loads what has changed, on a new connection if the old one has failed.
    async fn catch_up(&mut self) -> sqlx::Result<()> {
        if let Some(mut reader) = self.reader.take()
            && self.catch_up_on(&mut reader).await.is_ok()
        {
            self.reader = Some(reader);
            return Ok(());
        }
        let mut reader = Reader::open(&self.database).await?;
        self.catch_up_on(&mut reader).await?;
        self.reader = Some(reader);
        Ok(())
    }

    /// On a node, the read is the renewal of its lease, which counts once everything is taken in.
    async fn catch_up_on(&mut self, reader: &mut Reader) -> sqlx::Result<()> {
        let (latest, offer) = match &mut self.tenant {
            Some(tenant) => tenant.latest(reader, self.seen).await?,
            None => (within(SILENT, reader.latest()).await?, None),
        };
        match self.seen {
            Some(seen) if seen == latest => {}
            Some(seen) => {
                if !self.take_in_since(reader, seen).await? {
                    tracing::warn!(
                        number = seen.number,
                        "the database has gone back to before a change that was seen; all keys are loaded again"
                    );
                    self.take_in_all(reader).await?;
                }
            }
            None => self.take_in_all(reader).await?,
        }
        if let (Some(tenant), Some(offer), Some(seen)) = (&mut self.tenant, offer, self.seen) {
            tenant.accept(reader, offer, seen).await?;
        }
        Ok(())
    }

    /// Loads what has changed since `seen`. Returns `false` if `seen` is no longer part of the history.
    async fn take_in_since(&mut self, reader: &mut Reader, seen: Change) -> sqlx::Result<bool> {
        let Some(latest) = self.take_in(reader, seen, None).await? else { return Ok(false) };
        self.seen = Some(latest);
        Ok(true)
    }

    /// Loads all keys into a new map, which then replaces the one in use. The history may change during the load, but
    /// hardly again and again.
    async fn take_in_all(&mut self, reader: &mut Reader) -> sqlx::Result<()> {
        for _ in 0..3 {
            let mut all = KeyMap::new();
            if let Some(latest) = self.take_in(reader, BEGINNING, Some(&mut all)).await? {
                *lock(&self.keys) = all;
                self.seen = Some(latest);
                return Ok(());
            }
        }
        Err(sqlx::Error::Protocol("the latest change is not part of the history of changes".to_owned()))
    }

    /// Loads all keys changed since `seen`, page by page, into `aside`, or into the keys in use if there is none.
    /// Returns the latest change, or `None` if a page is not of the same history as the one before.
    async fn take_in(
        &mut self,
        reader: &mut Reader,
        seen: Change,
        mut aside: Option<&mut KeyMap>,
    ) -> sqlx::Result<Option<Change>> {
        let mut followed = seen;
        let mut position: Position = (seen.number + 1, String::new());
        loop {
            let Changes { latest, follow, keys } = within(SLOW, reader.changes(followed, &position)).await?;
            // The beginning is part of every history, even if `key_history` no longer contains it: all keys come after
            // it.
            if !follow && followed != BEGINNING {
                return Ok(None);
            }
            let is_last = keys.len() < usize::from(PAGE);
            if let Some(last) = keys.last() {
                position = (last.change_number, last.secret_id.to_string());
            }
            let opened: Vec<_> = keys.into_iter().map(|key| self.open(key)).collect();
            match &mut aside {
                Some(aside) => aside.extend(opened),
                None => lock(&self.keys).extend(opened),
            }
            followed = latest;
            if is_last {
                return Ok(Some(latest));
            }
        }
    }

    fn open(&self, key: ChangedKey) -> (SecretId, Arc<RegisteredKey>) {
        // The vault raises the alarm if a secret does not open.
        let secret_key = key.sealed_secret.and_then(|sealed| {
            self.vault.open_text(API_KEY_SECRET.place(key.secret_id.as_str(), Some(key.uin)), &sealed).ok()
        });
        let ChangedKey { secret_id, uin, app_id, state, state_changed_at, .. } = key;
        let usage = Arc::new(UsageCounter::new(secret_id.clone(), state_changed_at));
        let signing_keys = SigningKeys::default();
        (secret_id, Arc::new(RegisteredKey { uin, app_id, state, secret_key, usage, signing_keys }))
    }
}

/// Completes when a node's lease is to be renewed.
async fn due(tenant: Option<&Tenant>) {
    match tenant {
        Some(tenant) => tenant.due().await,
        None => std::future::pending().await,
    }
}

fn lock(keys: &Keys) -> RwLockWriteGuard<'_, KeyMap> {
    keys.write().unwrap_or_else(PoisonError::into_inner)
}
