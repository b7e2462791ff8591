//! Keys in memory, and the freshness barrier that makes using them safe.
//!
//! Looking a key up in the database for every request costs most of the throughput; a cache with a lifetime accepts
//! disabled keys. The registry does neither. Every change to a key raises one number in the database, in its own
//! transaction, and stamps the key's row with it. A request may use the keys in memory only after that number has been
//! read, by a read that began after the request arrived; if it moved, the rows stamped since are taken in first. One read
//! serves all requests that wait at that moment, as a Raft leader's read index does, so the cost is one tiny query a
//! batch. Whoever makes the change, and in which process, does not matter.
//!
//! Numbers are committed in their order, because a change holds the number's row from its first statement to its commit:
//! whoever sees number N sees every row stamped up to N.

mod next_read;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use secrecy::SecretString;
use tokio::sync::{mpsc, oneshot};

use self::next_read::{Begun, NextRead};
use crate::api_key::{self, KeyState};
use crate::clock::Timestamp;
use crate::db::Db;
use crate::db::freshness::{ChangedKey, Reader};
use crate::error::Error;
use crate::id::{AppId, SecretId, Uin};
use crate::metrics::Metrics;
use crate::secret::vault::Vault;
use crate::signature::v3::{self, Authorization, SignedRequest, SigningKey};
use crate::usage::KeyUse;

/// A read that takes longer than this fails, and all that wait for it are refused. A request waits for two reads at most:
/// the one that is going on when it arrives, and the one that begins after. On SQLite the read itself cannot be cut short, but
/// for the half second that it waits for whoever mends the log.
const PATIENCE: Duration = Duration::from_secs(1);

/// A key as it is held in memory.
#[derive(Debug)]
pub struct RegisteredKey {
    /// Its account.
    pub uin: Uin,
    /// The account's APPID.
    pub app_id: AppId,
    /// Enabled, disabled or deleted.
    pub state: KeyState,
    /// None if the key is deleted, or if its stored secret did not open.
    pub secret_key: Option<SecretString>,
    /// Counts its calls.
    pub uses: Arc<KeyUse>,
    /// The signing key of the latest scope that something was rightly signed for; most clients use one a day.
    signing_key: Mutex<Option<Arc<KeptSigningKey>>>,
}

/// A signing key and the day of its scope, since 1970 in UTC.
#[derive(Debug)]
struct KeptSigningKey {
    day: i64,
    key: SigningKey,
}

impl RegisteredKey {
    /// Its id.
    pub fn secret_id(&self) -> &SecretId {
        &self.uses.secret_id
    }

    /// Is the signature of `authorization` that of `request`, signed at `signed_at`, under this key's `secret_key`? The
    /// scope must be of that day.
    pub fn matches_v3(
        &self,
        secret_key: &SecretString,
        authorization: &Authorization<'_>,
        request: &SignedRequest<'_>,
        signed_at: Timestamp,
    ) -> bool {
        let day = signed_at.day();
        let kept = self.signing_key.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(kept) = kept.filter(|kept| kept.day == day && kept.key.is_for(authorization)) {
            return v3::matches(authorization, request, &kept.key);
        }
        if authorization.date != signed_at.utc_date() {
            return false;
        }
        let key = SigningKey::derive(secret_key, authorization);
        let matches = v3::matches(authorization, request, &key);
        if matches {
            let kept = Arc::new(KeptSigningKey { day, key });
            *self.signing_key.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        }
        matches
    }
}

type Keys = Arc<RwLock<HashMap<SecretId, Arc<RegisteredKey>>>>;

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
    next: Arc<NextRead>,
    asks: mpsc::UnboundedSender<Ask>,
}

/// Proof that the keys in memory are as fresh as this request needs them.
#[derive(Debug)]
pub struct Fresh(());

impl Registry {
    /// Starts the one task that reads; it ends when the last clone is dropped. The first request takes the keys in, so that
    /// commands that check none read none.
    pub fn start(database: Db, vault: Arc<Vault>, metrics: Metrics) -> Self {
        let (keys, next) = (Keys::default(), Arc::<NextRead>::default());
        let (asks, asked) = mpsc::unbounded_channel();
        let barrier = Barrier {
            database,
            vault,
            metrics,
            keys: keys.clone(),
            next: next.clone(),
            reader: None,
            seen: (-1, String::new()),
        };
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
        if *read.wait().await { Ok(Fresh(())) } else { Err(Error::internal("the change number could not be read")) }
    }

    /// Closes the connection that is read on: as long as one is open, SQLite leaves what was written last in its log.
    pub async fn close(&self) {
        let (sender, closed) = oneshot::channel();
        if self.asks.send(Ask::Close(sender)).is_ok() {
            // Failing, it is closed with the task.
            let _ = closed.await;
        }
    }

    /// A key, as it was at or after the moment that `_fresh` was asked for. None if it never existed.
    pub fn get(&self, _fresh: &Fresh, secret_id: &str) -> Option<Arc<RegisteredKey>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(secret_id).cloned()
    }
}

impl Registry {
    /// How many keys are in memory, deleted ones included.
    pub fn len(&self) -> usize {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

struct Barrier {
    database: Db,
    vault: Arc<Vault>,
    metrics: Metrics,
    keys: Keys,
    next: Arc<NextRead>,
    reader: Option<Reader>,
    /// Everything up to this change, and of the same number up to this key, is in memory.
    seen: (i64, String),
}

impl Drop for Barrier {
    /// Whoever waits for a read that nobody will begin is refused.
    fn drop(&mut self) {
        drop(self.next.begin());
    }
}

impl Barrier {
    async fn run(mut self, mut asked: mpsc::UnboundedReceiver<Ask>) {
        while let Some(ask) = asked.recv().await {
            match ask {
                Ask::Read => {
                    self.next.gather().await;
                    if let Some(read) = self.next.begin() {
                        self.read(read).await;
                    }
                }
                // And no other is opened: whoever asks from now on is refused.
                Ask::Close(waiter) => return self.close_reader(waiter).await,
            }
        }
    }

    /// Reads for those that wait, who all arrived before.
    async fn read(&mut self, read: Begun) {
        let waiting = read.waiting();
        let begun = Instant::now();
        let caught_up = tokio::time::timeout(PATIENCE, self.catch_up()).await;
        self.metrics.barrier_reads.observe(begun.elapsed().as_secs_f64());
        #[expect(clippy::cast_precision_loss, reason = "there are not 2^52 requests")]
        self.metrics.barrier_requests.observe(waiting as f64);
        match caught_up {
            Ok(Ok(())) => {
                if !self.reader.as_ref().is_some_and(Reader::answers_at_once) {
                    self.next.expect(waiting);
                }
                read.succeeded();
            }
            Ok(Err(error)) => {
                tracing::error!(%error, refused = waiting, "the change number could not be read");
                self.metrics.barrier_failures.inc();
            }
            Err(_) => {
                tracing::error!(refused = waiting, "the database did not answer in time");
                self.metrics.barrier_failures.inc();
                // In the middle of an exchange: not to be used again.
                self.reader = None;
            }
        }
    }

    async fn close_reader(&mut self, waiter: oneshot::Sender<()>) {
        if let Some(reader) = self.reader.take()
            && let Err(error) = reader.close().await
        {
            tracing::warn!(%error, "the registry's connection did not close cleanly");
        }
        waiter.send(()).unwrap_or_default();
    }

    /// Reads the number and takes in what has changed, on a new connection if the old one has failed.
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

    async fn catch_up_on(&mut self, reader: &mut Reader) -> sqlx::Result<()> {
        if reader.change_number().await? == self.seen.0 {
            return Ok(());
        }
        loop {
            let changed = reader.changed_keys(&self.seen).await?;
            let Some(last) = changed.last() else { return Ok(()) };
            let seen = (last.change_number, last.secret_id.to_string());
            let opened: Vec<_> = changed.into_iter().map(|key| self.open(key)).collect();
            self.keys.write().unwrap_or_else(PoisonError::into_inner).extend(opened);
            self.seen = seen;
        }
    }

    fn open(&self, key: ChangedKey) -> (SecretId, Arc<RegisteredKey>) {
        let secret_key = key.sealed_secret().and_then(|sealed| {
            api_key::open_secret(&self.vault, &key.secret_id, &sealed)
                .inspect_err(|error| {
                    tracing::error!(%error, secret_id = %key.secret_id, "ALARM: a stored secret does not open");
                })
                .ok()
        });
        let ChangedKey { secret_id, uin, app_id, state, state_changed_at, .. } = key;
        let uses = Arc::new(KeyUse::new(secret_id.clone(), state_changed_at));
        let signing_key = Mutex::default();
        (secret_id, Arc::new(RegisteredKey { uin, app_id, state, secret_key, uses, signing_key }))
    }
}
