//! Records of use: which key was used when, from where, for what, and what came of it.
//!
//! Recording never slows or blocks the check: records go into a bounded buffer that a task of its own writes out every
//! second. A full buffer drops records and counts them; a crash may lose the last second of them.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::clock::Timestamp;
use crate::db::usage::{self as db, DayCounts, UseCounts, UseRow};
use crate::db::{Db, api_keys, refused_calls};
use crate::error::Error;
use crate::id::{RequestId, SecretId};
use crate::metrics::Metrics;
use crate::signature::diagnosis::Diagnosis;

const BUFFER: usize = 8192;
/// Refused requests that are looked into between two flushes.
const DIAGNOSES: usize = 16;
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// The longest a page waits for the buffer before it shows what the database has.
const FLUSH_PATIENCE: Duration = Duration::from_millis(500);
const KEEP_FOR: Duration = Duration::from_hours(90 * 24);
const KEEP_PER_KEY: i64 = 10_000;
const KEEP_DIAGNOSES: i64 = 100;

/// One checked request of a known key.
#[derive(Clone, Debug)]
pub struct UseRecord {
    /// The key.
    pub secret_id: SecretId,
    /// When it was checked.
    pub at: Timestamp,
    /// What it asked for.
    pub action: String,
    /// Where it came from.
    pub address: IpAddr,
    /// Why it was refused, in full; none if it was accepted.
    pub refusal: Option<&'static str>,
    /// What the server made of a refused version 3 request; of some, not of a flood.
    pub diagnosed: Option<Box<RefusedCall>>,
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

/// What waits to be written.
#[derive(Debug)]
struct Buffer {
    records: Mutex<Vec<UseRecord>>,
    /// How many diagnoses are among the records.
    diagnoses: AtomicUsize,
    metrics: Metrics,
}

/// Takes records and writes them out in batches. Cloning shares the buffer.
#[derive(Clone, Debug)]
pub struct UsageRecorder {
    buffer: Arc<Buffer>,
    flushes: mpsc::Sender<oneshot::Sender<()>>,
}

impl UsageRecorder {
    /// Starts the writing task; it ends when the last clone is dropped.
    pub fn start(database: Db, metrics: Metrics) -> Self {
        let buffer = Arc::new(Buffer { records: Mutex::default(), diagnoses: AtomicUsize::new(0), metrics });
        let (flushes, asked) = mpsc::channel(64);
        tokio::spawn(write_out(database, buffer.clone(), asked));
        Self { buffer, flushes }
    }

    /// Takes a record, or drops and counts it where the buffer is full. Wakes nobody: the check goes on at once.
    pub fn record(&self, record: UseRecord) {
        let mut records = self.buffer.records.lock().unwrap_or_else(PoisonError::into_inner);
        if records.len() < BUFFER {
            records.push(record);
            return;
        }
        drop(records);
        let dropped = self.buffer.metrics.use_records_dropped.inc() + 1;
        if dropped.is_power_of_two() {
            tracing::warn!(dropped, "the buffer of use records is full; records are dropped");
        }
    }

    /// May another refused request be looked into? So many a second, since it costs more than a check; asking takes one.
    pub fn takes_diagnosis(&self) -> bool {
        self.buffer.diagnoses.fetch_add(1, Ordering::Relaxed) < DIAGNOSES
    }

    /// How many records wait to be written.
    pub fn waiting(&self) -> usize {
        self.buffer.records.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Waits, within bounds, until all that was recorded before is in the database.
    pub async fn flush(&self) {
        let (sender, done) = oneshot::channel();
        let flushed = async {
            if self.flushes.send(sender).await.is_ok() {
                let _ = done.await;
            }
        };
        if tokio::time::timeout(FLUSH_PATIENCE, flushed).await.is_err() {
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
        let batch = std::mem::take(&mut *buffer.records.lock().unwrap_or_else(PoisonError::into_inner));
        buffer.diagnoses.store(0, Ordering::Relaxed);
        write_batch(&database, &buffer.metrics, &batch).await;
        if let Some(done) = waiting {
            let _ = done.send(());
        }
        if last {
            return;
        }
    }
}

async fn write_batch(database: &Db, metrics: &Metrics, records: &[UseRecord]) {
    if records.is_empty() {
        return;
    }
    if let Err(error) = try_write(database, records).await {
        metrics.use_records_lost.inc_by(records.len() as u64);
        tracing::error!(%error, lost = records.len(), "use records could not be written");
    }
}

async fn try_write(database: &Db, records: &[UseRecord]) -> Result<(), Error> {
    let mut tx = database.begin().await?;
    db::insert(&mut tx, records).await?;
    for record in records {
        if let Some(call) = &record.diagnosed {
            refused_calls::insert(&mut tx, record, call, KEEP_DIAGNOSES).await?;
        }
    }
    // One update a key and batch is enough: the latest accepted call.
    let mut latest: std::collections::BTreeMap<&SecretId, &UseRecord> = std::collections::BTreeMap::new();
    for record in records.iter().filter(|record| record.refusal.is_none()) {
        let known = latest.entry(&record.secret_id).or_insert(record);
        if record.at >= known.at {
            *known = record;
        }
    }
    for (secret_id, record) in latest {
        api_keys::set_last_used(&mut tx, secret_id, record.at, &record.action, &record.address.to_string()).await?;
    }
    Ok(tx.commit().await?)
}

/// What a key has been used for.
#[derive(Debug)]
pub struct Report {
    /// The days that had calls.
    pub days: Vec<DayCounts>,
    /// All calls since the key was last enabled or disabled.
    pub since_change: UseCounts,
    /// The latest calls, the latest first.
    pub calls: Vec<UseRow>,
}

/// The use of a key: by day since `first_day`, in all since `changed`, and its latest `calls`.
pub async fn report(
    database: &Db,
    secret_id: &SecretId,
    first_day: Timestamp,
    changed: Timestamp,
    calls: i64,
) -> Result<Report, Error> {
    Ok(Report {
        days: db::per_day(database, secret_id, first_day).await?,
        since_change: db::counts(database, secret_id, changed).await?,
        calls: db::latest(database, secret_id, calls).await?,
    })
}

/// Drops records that are too old or too many.
pub async fn purge(database: &Db, now: Timestamp) -> Result<(), Error> {
    db::purge(database, now.minus(KEEP_FOR)).await?;
    refused_calls::purge(database, now.minus(KEEP_FOR)).await?;
    for secret_id in db::keys_with_records(database).await? {
        db::trim(database, &secret_id, KEEP_PER_KEY).await?;
    }
    Ok(())
}
