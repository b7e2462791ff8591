//! Recording calls: never slow, and never in the way of the check.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::buffer::Buffer;
use super::call::{CheckedCall, UseRecord};
use super::counter::UsageCounter;
use super::writer::write_out;
use crate::db::Db;
use crate::metrics::Metrics;

/// Records that may wait to be written.
const BUFFER: usize = 8192;
/// Refused requests that are looked into between two flushes.
const DIAGNOSES: usize = 16;
/// The longest a page waits for the buffer before it shows what the database has.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);
/// The longest a stop waits for it.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

/// Counts and records calls, and writes them out in batches. Cloning shares the buffer.
#[derive(Clone, Debug)]
pub struct UsageRecorder {
    buffer: Arc<Buffer>,
    flushes: mpsc::Sender<oneshot::Sender<()>>,
}

impl UsageRecorder {
    /// Starts the writing task; it ends when the last clone is dropped.
    pub fn start(database: Db, metrics: Metrics) -> Self {
        let buffer = Arc::new(Buffer::new(metrics));
        let (flushes, asked) = mpsc::channel(64);
        tokio::spawn(write_out(database, buffer.clone(), asked));
        Self { buffer, flushes }
    }

    /// Counts a call and lists it, or counts that it was not listed. Wakes nobody: the check goes on at once.
    pub fn record(&self, key: &Arc<UsageCounter>, call: CheckedCall<'_>) {
        let counted = key.count(call.at, call.action, call.address, call.refusal.is_none());
        if counted.first {
            self.buffer.batch().keys.push(key.clone());
        }
        // What was looked into is listed in any case; it is little.
        if counted.listed || call.diagnosed.is_some() {
            let CheckedCall { at, action, address, refusal, diagnosed } = call;
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
