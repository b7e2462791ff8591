//! Records of use: which key was used when, from where, for what, and what came of it.
//!
//! Recording never slows or blocks the check: calls are counted for their key, and records of them go into a bounded
//! buffer; a task of its own writes both out every second. A full buffer drops records and counts the drops, and of a key
//! that is called without end only some calls are listed; every call is counted all the same. A crash may lose the last
//! second of them.

mod key_use;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

pub use self::key_use::{HourCounts, KeyUse, Waiting};

use crate::db::refused_calls::NewRefusedCall;
use crate::db::usage::{self as db, DayCounts, LastUse, NewUse, UseCounts, UseRow};
use crate::db::{Db, Tx, refused_calls};
use crate::metrics::Metrics;
use crate::signature::diagnosis::{Cause, Diagnosis};
use crate::types::clock::Timestamp;
use crate::types::error::Error;
use crate::types::id::{RequestId, SecretId};

const BUFFER: usize = 8192;
/// Refused requests that are looked into between two flushes.
const DIAGNOSES: usize = 16;
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// The longest a page waits for the buffer before it shows what the database has.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);
/// The longest a stop waits for it.
const LAST_PATIENCE: Duration = Duration::from_secs(5);
/// The longest pause between two steps of work that is in no hurry.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
const KEEP_FOR: Duration = Duration::from_hours(90 * 24);
const KEEP_PER_KEY: i64 = 10_000;
const KEEP_DIAGNOSES: i64 = 100;

/// One checked request of a known key.
#[derive(Debug)]
pub struct Call<'a> {
    /// When it was checked.
    pub at: Timestamp,
    /// What it asked for.
    pub action: &'a str,
    /// Where it came from.
    pub address: IpAddr,
    /// Why it was refused, in full; none if it was accepted.
    pub refusal: Option<&'static str>,
    /// What the server made of a refused version 3 request; of some, not of a flood.
    pub diagnosed: Option<RefusedCall>,
}

/// A call that is listed.
#[derive(Debug)]
pub struct UseRecord {
    /// Its key.
    pub key: Arc<KeyUse>,
    /// When it was checked.
    pub at: Timestamp,
    /// What it asked for.
    pub action: String,
    /// Where it came from.
    pub address: IpAddr,
    /// Why it was refused, in full; none if it was accepted.
    pub refusal: Option<&'static str>,
    /// What the server made of it, if it was looked into.
    pub diagnosed: Option<Box<RefusedCall>>,
}

impl UseRecord {
    fn row(&self) -> NewUse<'_> {
        let Self { key, at, action, address, refusal, .. } = self;
        NewUse { secret_id: &key.secret_id, at: *at, action, address: *address, refusal: *refusal }
    }
}

/// A refused version 3 request, for its key's owner to look into.
#[derive(Clone, Debug)]
pub struct RefusedCall {
    /// The id its caller was told.
    pub request_id: RequestId,
    /// When it was signed, by its own timestamp.
    pub signed_at: Timestamp,
    /// What the server made of it.
    pub diagnosis: Diagnosis,
}

impl RefusedCall {
    fn row(&self) -> NewRefusedCall<'_> {
        let Diagnosis { canonical_request, string_to_sign, cause, .. } = &self.diagnosis;
        let cause = cause.map_or("", Cause::as_str);
        NewRefusedCall {
            request_id: self.request_id,
            signed_at: self.signed_at,
            canonical_request,
            string_to_sign,
            cause,
        }
    }
}

/// What waits to be written.
#[derive(Debug, Default)]
struct Batch {
    records: Vec<UseRecord>,
    /// The keys that have counted something.
    keys: Vec<Arc<KeyUse>>,
}

#[derive(Debug)]
struct Buffer {
    batch: Mutex<Batch>,
    /// How many diagnoses are among the records.
    diagnoses: AtomicUsize,
    metrics: Metrics,
}

impl Buffer {
    fn batch(&self) -> MutexGuard<'_, Batch> {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts and records calls, and writes them out in batches. Cloning shares the buffer.
#[derive(Clone, Debug)]
pub struct UsageRecorder {
    buffer: Arc<Buffer>,
    flushes: mpsc::Sender<oneshot::Sender<()>>,
}

impl UsageRecorder {
    /// Starts the writing task; it ends when the last clone is dropped.
    pub fn start(database: Db, metrics: Metrics) -> Self {
        let buffer = Arc::new(Buffer { batch: Mutex::default(), diagnoses: AtomicUsize::new(0), metrics });
        let (flushes, asked) = mpsc::channel(64);
        tokio::spawn(write_out(database, buffer.clone(), asked));
        Self { buffer, flushes }
    }

    /// Counts a call and lists it, or counts that it was not listed. Wakes nobody: the check goes on at once.
    pub fn record(&self, key: &Arc<KeyUse>, call: Call<'_>) {
        let counted = key.count(call.at, call.action, call.address, call.refusal.is_none());
        if counted.first {
            self.buffer.batch().keys.push(key.clone());
        }
        // What was looked into is listed in any case; it is little.
        if counted.listed || call.diagnosed.is_some() {
            let Call { at, action, address, refusal, diagnosed } = call;
            let (key, action, diagnosed) = (key.clone(), action.to_owned(), diagnosed.map(Box::new));
            let record = UseRecord { key, at, action, address, refusal, diagnosed };
            let mut batch = self.buffer.batch();
            if batch.records.len() < BUFFER || record.diagnosed.is_some() {
                batch.records.push(record);
                return;
            }
        }
        let dropped = self.buffer.metrics.use_records_dropped.inc() + 1;
        if dropped.is_power_of_two() {
            tracing::warn!(dropped, "more calls than are listed one by one; they are counted only");
        }
    }

    /// May another refused request be looked into? So many a second, since it costs more than a check; asking takes one.
    pub fn takes_diagnosis(&self) -> bool {
        self.buffer.diagnoses.fetch_add(1, Ordering::Relaxed) < DIAGNOSES
    }

    /// Returns once the task that writes has ended. Before the end of the process that is a defect.
    pub async fn ended(&self) {
        self.flushes.closed().await;
    }

    /// How many records wait to be written.
    pub fn waiting(&self) -> usize {
        self.buffer.batch().records.len()
    }

    /// Waits, within the bounds of a page, until all that was recorded before is in the database.
    pub async fn flush(&self) {
        self.flush_within(FLUSH_PATIENCE).await;
    }

    /// The same before the end, for as long as the database may take.
    pub async fn finish(&self) {
        self.flush_within(LAST_PATIENCE).await;
    }

    async fn flush_within(&self, patience: Duration) {
        let (sender, done) = oneshot::channel();
        let flushed = async {
            if self.flushes.send(sender).await.is_ok() {
                let _ = done.await;
            }
        };
        if tokio::time::timeout(patience, flushed).await.is_err() {
            tracing::warn!("use records are slow to be written");
        }
    }
}

async fn write_out(database: Db, buffer: Arc<Buffer>, mut asked: mpsc::Receiver<oneshot::Sender<()>>) {
    let mut tick = tokio::time::interval(FLUSH_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let (waiting, last) = tokio::select! {
            flush = asked.recv() => {
                let last = flush.is_none();
                (flush, last)
            }
            _ = tick.tick() => (None, false),
        };
        let batch = std::mem::take(&mut *buffer.batch());
        buffer.diagnoses.store(0, Ordering::Relaxed);
        write_batch(&database, &buffer, batch).await;
        if let Some(done) = waiting {
            let _ = done.send(());
        }
        if last {
            return;
        }
    }
}

async fn write_batch(database: &Db, buffer: &Buffer, Batch { records, keys }: Batch) {
    if keys.is_empty() && records.is_empty() {
        return;
    }
    let uses: Vec<_> = keys.into_iter().map(|key| (key.take(), key)).collect();
    let (first, rest) = records.split_at(records.len().min(db::ROWS));
    let lost = |records: &[UseRecord]| buffer.metrics.use_records_lost.inc_by(records.len() as u64);
    let mut begun = Instant::now();
    match write(database, &uses, first).await {
        // Of a commit that breaks off nobody knows whether it was done; nothing is counted twice.
        Ok(written) => {
            if let Err(error) = written.commit().await {
                lost(first);
                tracing::error!(%error, lost = first.len(), "use records and counts may not have been written");
            }
        }
        Err(error) => {
            lost(first);
            tracing::error!(%error, lost = first.len(), "use records could not be written; the counts are kept");
            put_back(buffer, uses);
        }
    }
    for some in rest.chunks(db::ROWS) {
        // Whoever changes something is let in between: records take half of the time at most.
        tokio::time::sleep(begun.elapsed().min(LONGEST_PAUSE)).await;
        begun = Instant::now();
        let written = async { Ok::<_, Error>(write(database, &[], some).await?.commit().await?) };
        if let Err(error) = written.await {
            lost(some);
            tracing::error!(%error, lost = some.len(), "use records could not be written");
        }
    }
    let full: BTreeSet<_> = records
        .iter()
        .filter(|record| record.key.is_full_after_another())
        .map(|record| &record.key.secret_id)
        .collect();
    for secret_id in full {
        if let Err(error) = trim(database, secret_id).await {
            tracing::error!(%error, "old use records could not be dropped; it is tried again later");
        }
    }
}

fn put_back(buffer: &Buffer, uses: Vec<(Waiting, Arc<KeyUse>)>) {
    for (unwritten, key) in uses {
        if key.put_back(unwritten) {
            buffer.batch().keys.push(key);
        }
    }
}

/// Writes counts, latest calls and some records, all but the commit.
async fn write(database: &Db, uses: &[(Waiting, Arc<KeyUse>)], records: &[UseRecord]) -> Result<Tx, Error> {
    let mut tx = database.begin().await?;
    // Of a key that was changed meanwhile there are several. In one order for all processes, so that none waits for
    // another that waits for it.
    let mut counts: BTreeMap<db::CountKey<'_>, (i64, i64)> = BTreeMap::new();
    let mut latest: BTreeMap<&SecretId, &LastUse> = BTreeMap::new();
    for (waiting, key) in uses {
        for hour in &waiting.hours {
            let (accepted, refused) = counts.entry((&key.secret_id, key.since, hour.hour)).or_default();
            *accepted += hour.accepted;
            *refused += hour.refused;
        }
        if let Some(last) = &waiting.last {
            let known = latest.entry(&key.secret_id).or_insert(last);
            if last.at >= known.at {
                *known = last;
            }
        }
    }
    db::add_counts(&mut tx, &counts.into_iter().collect::<Vec<_>>()).await?;
    db::note_last_uses(&mut tx, &latest.into_iter().collect::<Vec<_>>()).await?;
    db::insert(&mut tx, &records.iter().map(UseRecord::row).collect::<Vec<_>>()).await?;
    for record in records {
        if let Some(call) = &record.diagnosed {
            refused_calls::insert(&mut tx, record.row(), call.row(), KEEP_DIAGNOSES).await?;
        }
    }
    Ok(tx)
}

/// What a key has been used for.
#[derive(Debug)]
pub struct Report {
    /// The days that had calls.
    pub days: Vec<DayCounts>,
    /// All calls, as far as they are kept, since the key was made, or last enabled or disabled.
    pub in_state: UseCounts,
    /// The latest calls, the latest first.
    pub calls: Vec<UseRow>,
}

/// The use of a key: by day since `first_day`, in all in the state it has been in `since`, and its latest `calls`.
pub async fn report(
    database: &Db,
    secret_id: &SecretId,
    first_day: Timestamp,
    since: Timestamp,
    calls: i64,
) -> Result<Report, Error> {
    Ok(Report {
        days: db::per_day(database, secret_id, first_day).await?,
        in_state: db::in_state(database, secret_id, since).await?,
        calls: db::latest(database, secret_id, calls).await?,
    })
}

/// Drops records that are too old or too many, a few at a time.
pub async fn purge(database: &Db, now: Timestamp) -> Result<(), Error> {
    let before = now.minus(KEEP_FOR);
    let mut secret_id = String::new();
    while let Some(next) = db::next_key_with_records(database, &secret_id).await? {
        drop_until(database, &next, before).await?;
        trim(database, &next).await?;
        secret_id = next.to_string();
    }
    while paced(db::drop_older_counts(database, before)).await? {}
    Ok(refused_calls::purge(database, before).await?)
}

/// Drops a key's records beyond those that are kept.
async fn trim(database: &Db, secret_id: &SecretId) -> Result<(), Error> {
    match db::beyond(database, secret_id, KEEP_PER_KEY).await? {
        Some(last) => drop_until(database, secret_id, Timestamp(last.0 + 1)).await,
        None => Ok(()),
    }
}

async fn drop_until(database: &Db, secret_id: &SecretId, before: Timestamp) -> Result<(), Error> {
    while paced(db::drop_older(database, secret_id, before)).await? {}
    Ok(())
}

/// Some work on the database that is in no hurry, and then a pause as long as it took.
async fn paced<T>(work: impl Future<Output = sqlx::Result<T>>) -> Result<T, Error> {
    let begun = Instant::now();
    let done = work.await?;
    tokio::time::sleep(begun.elapsed().min(LONGEST_PAUSE)).await;
    Ok(done)
}
