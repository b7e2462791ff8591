//! The calls that have been recorded but not yet written.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::call::UseRecord;
use super::counter::UsageCounter;
use crate::metrics::Metrics;

/// The records and counts that wait to be written.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) records: Vec<UseRecord>,
    /// The counters of the keys that have been called.
    pub(super) keys: Vec<Arc<UsageCounter>>,
}

/// The batch that new calls are added to.
#[derive(Debug)]
pub(super) struct Buffer {
    batch: Mutex<Batch>,
    /// The number of diagnoses that have been asked for since the last flush.
    pub(super) diagnoses: AtomicUsize,
    pub(super) metrics: Metrics,
}

impl Buffer {
    /// Creates an empty buffer.
    pub(super) fn new(metrics: Metrics) -> Self {
        Self { batch: Mutex::default(), diagnoses: AtomicUsize::new(0), metrics }
    }

    pub(super) fn batch(&self) -> MutexGuard<'_, Batch> {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
