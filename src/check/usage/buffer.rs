//! What is recorded and not yet written.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::call::UseRecord;
use super::counter::UsageCounter;
use crate::metrics::Metrics;

/// What waits to be written.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) records: Vec<UseRecord>,
    /// The keys that have counted something.
    pub(super) keys: Vec<Arc<UsageCounter>>,
}

/// The batch that calls are added to, and how much of it is taken.
#[derive(Debug)]
pub(super) struct Buffer {
    batch: Mutex<Batch>,
    /// How many diagnoses are among the records.
    pub(super) diagnoses: AtomicUsize,
    pub(super) metrics: Metrics,
}

impl Buffer {
    /// Empty.
    pub(super) fn new(metrics: Metrics) -> Self {
        Self { batch: Mutex::default(), diagnoses: AtomicUsize::new(0), metrics }
    }

    pub(super) fn batch(&self) -> MutexGuard<'_, Batch> {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
