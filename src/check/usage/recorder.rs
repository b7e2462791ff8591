//! Recording calls without slowing the check.

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

/// The most records that may wait to be written.
const BUFFER: usize = 8192;
/// The most refused requests that are diagnosed between two flushes.
const DIAGNOSES: usize = 16;
/// The longest time that a page waits for a flush before it shows what is in the database.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);
/// The longest time that a shutdown waits for the last flush.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

/// Counts and records calls, and writes them in batches. Clones share the buffer.
#[derive(Clone, Debug)]
pub struct UsageRecorder {
    buffer: Arc<Buffer>,
    flushes: mpsc::Sender<oneshot::Sender<()>>,
}

impl UsageRecorder {
    /// Starts the writing task, which ends when the last clone is dropped.
    pub fn start(database: Db, metrics: Metrics) -> Self {
        let buffer = Arc::new(Buffer::new(metrics));
        let (flushes, asked) = mpsc::channel(64);
        tokio::spawn(write_out(database, buffer.clone(), asked));
        Self { buffer, flushes }
    }

    /// Counts a call and lists it, or counts that it was not listed. Wakes no other task, so the check continues at
    /// once.
    pub fn record(&self, key: &Arc<UsageCounter>, call: CheckedCall<'_>) {
        let counted = key.count(call.at, call.action, call.address, call.refusal.is_none());
        if counted.first {
            self.buffer.batch().keys.push(key.clone());
        }
        // Diagnosed calls are always listed, because there are only a few.
        if counted.listed || call.diagnosed.is_some() {
            let CheckedCall { at, request_id, action, address, refusal, diagnosed } = call;
            let (key, action, diagnosed) = (key.clone(), action.to_owned(), diagnosed.map(Box::new));
            let record = UseRecord { key, at, request_id, action, address, refusal, diagnosed };
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

    /// Returns `true` if another refused request may be diagnosed. The number between two flushes is limited, because a
    /// diagnosis costs more than a check; each call of this function counts as one.
    pub fn takes_diagnosis(&self) -> bool {
        self.buffer.diagnoses.fetch_add(1, Ordering::Relaxed) < DIAGNOSES
    }

    /// Completes once the writing task has ended. Before the end of the process, that is a defect.
    pub async fn ended(&self) {
        self.flushes.closed().await;
    }

    /// The number of records that wait to be written.
    pub fn waiting(&self) -> usize {
        self.buffer.batch().records.len()
    }

    /// Waits until all calls recorded before are in the database, for as long as a page may wait.
    pub async fn flush(&self) {
        self.flush_within(FLUSH_PATIENCE).await;
    }

    /// Like [`Self::flush`], but for as long as a shutdown may wait.
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
            tracing::warn!("use records could not be written in time");
        }
    }
}
