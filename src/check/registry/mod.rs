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

mod shared_read;

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockWriteGuard};
use std::time::{Duration, Instant};

use secrecy::SecretString;
use tokio::sync::{mpsc, oneshot};

use self::shared_read::{Begun, NextRead};
use super::usage::KeyUse;
use crate::db::freshness::{Change, ChangedKey, Changes, PAGE, Position, Reader};
use crate::db::sealed::API_KEY_SECRET;
use crate::db::{Db, within};
use crate::metrics::Metrics;
use crate::secret::vault::Vault;
use crate::signature::v3::{self, Authorization, SignedRequest, SigningKey};
use crate::types::clock::Timestamp;
use crate::types::error::Error;
use crate::types::id::{AppId, SecretId, Uin};
use crate::types::key_state::KeyState;

/// Whoever waits longer than this is refused, at the latest after twice as long. On SQLite the read itself cannot be cut
/// short, but for the half second that it waits for whoever mends the log.
const PATIENCE: Duration = Duration::from_secs(1);
/// A database that takes longer than this to say what the latest change is does not answer.
const SILENT: Duration = Duration::from_secs(2);
/// How long a page of changed keys may take. Nobody waits for it longer than [`PATIENCE`], but it is not given up for that:
/// a distant database would never be caught up with.
const SLOW: Duration = Duration::from_secs(20);

/// No change, before which no key was made.
const BEGINNING: Change = Change { number: 0, mark: 0 };

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
        let barrier =
            Barrier { database, vault, metrics, keys: keys.clone(), next: next.clone(), reader: None, seen: None };
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
    /// Everything up to this change is in memory. None at the start.
    seen: Option<Change>,
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

    /// Reads for those that wait, who all arrived before. Those whose patience ends are refused, and the read goes on.
    async fn read(&mut self, read: Begun) {
        let (next, metrics) = (self.next.clone(), self.metrics.clone());
        let waiting = read.waiting();
        let begun = Instant::now();
        let mut read = Some(read);
        let caught_up = {
            let mut catching_up = pin!(self.catch_up());
            loop {
                if let Ok(ended) = tokio::time::timeout(PATIENCE, catching_up.as_mut()).await {
                    break ended;
                }
                let late = read.take().or_else(|| next.begin());
                let refused = late.as_ref().map_or(0, Begun::waiting);
                tracing::error!(refused, "the database does not answer in time");
                metrics.barrier_failures.inc();
            }
        };
        self.metrics.barrier_reads.observe(begun.elapsed().as_secs_f64());
        #[expect(clippy::cast_precision_loss, reason = "there are not 2^52 requests")]
        self.metrics.barrier_requests.observe(waiting as f64);
        match (caught_up, read) {
            (Ok(()), Some(read)) => {
                if !self.reader.as_ref().is_some_and(Reader::answers_at_once) {
                    self.next.expect(waiting);
                }
                read.succeeded();
            }
            (Ok(()), None) => tracing::warn!(took = ?begun.elapsed(), "the database has answered at last"),
            (Err(error), _) => {
                tracing::error!(%error, refused = waiting, "the latest change could not be read");
                self.metrics.barrier_failures.inc();
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

    /// Reads the latest change and takes in what has changed, on a new connection if the old one has failed.
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
        let latest = within(SILENT, reader.latest()).await?;
        match self.seen {
            Some(seen) if seen == latest => Ok(()),
            Some(seen) => {
                if !self.take_in_since(reader, seen).await? {
                    tracing::warn!(
                        number = seen.number,
                        "the database has gone back to before a change that was seen; all keys are taken in again"
                    );
                    self.take_in_all(reader).await?;
                }
                Ok(())
            }
            None => self.take_in_all(reader).await,
        }
    }

    /// Takes in what has changed since `seen`. False if that is not part of the history any more.
    async fn take_in_since(&mut self, reader: &mut Reader, seen: Change) -> sqlx::Result<bool> {
        let Some(latest) = self.take_in(reader, seen, None).await? else { return Ok(false) };
        self.seen = Some(latest);
        Ok(true)
    }

    /// Takes in all keys, beside those in memory, and then puts them in their place. The history may change meanwhile, but
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

    /// Puts all keys changed since `seen` in `aside`, or in use where there is no such place, page by page, and returns the
    /// latest change. None once a page is not of the history that the one before was of.
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
            // Before the first change there is no other history; whatever is remembered of it, all keys come after it.
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
        // One that does not open raises the alarm there.
        let secret_key = key.sealed_secret.and_then(|sealed| {
            self.vault.open_text(API_KEY_SECRET.place(key.secret_id.as_str(), Some(key.uin)), &sealed).ok()
        });
        let ChangedKey { secret_id, uin, app_id, state, state_changed_at, .. } = key;
        let uses = Arc::new(KeyUse::new(secret_id.clone(), state_changed_at));
        let signing_key = Mutex::default();
        (secret_id, Arc::new(RegisteredKey { uin, app_id, state, secret_key, uses, signing_key }))
    }
}

fn lock(keys: &Keys) -> RwLockWriteGuard<'_, KeyMap> {
    keys.write().unwrap_or_else(PoisonError::into_inner)
}
