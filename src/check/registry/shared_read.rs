//! The read of the change number that all waiting requests share.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, SetOnce};

/// The outcome of a read, once it is known: `true` if the read succeeded.
pub(super) type ReadOutcome = Arc<SetOnce<bool>>;

/// The next read, if any request waits for it.
#[derive(Debug, Default)]
pub(super) struct SharedRead {
    pending: Mutex<Pending>,
    start_early: Notify,
}

#[derive(Debug, Default)]
struct Pending {
    read: Option<ReadOutcome>,
    /// The number of waiting requests at which the read starts early; 0 turns early starts off.
    early_start_at: usize,
}

impl SharedRead {
    /// Joins the next read. Also returns whether the caller is the first to wait for it.
    pub(super) fn join(&self) -> (ReadOutcome, bool) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let first = pending.read.is_none();
        let read = pending.read.get_or_insert_default().clone();
        if waiting_for(&read) == pending.early_start_at {
            self.start_early.notify_one();
        }
        (read, first)
    }

    /// Completes once every task that can run now has run, because it may be a request about to join, or once enough
    /// requests wait for an early start.
    pub(super) async fn until_due(&self) {
        tokio::select! {
            biased;
            () = self.start_early.notified() => {}
            () = tokio::task::yield_now() => {}
        }
    }

    /// Starts the read: requests that join from now on wait for another one. Returns `None` if none waits.
    pub(super) fn begin(&self) -> Option<StartedRead> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).read.take().map(StartedRead)
    }

    /// Plans when the next read starts, after one that was not immediate and that `shared` requests waited for. These
    /// and the requests that have joined in the meantime are all the requests in progress. Once seven eighths of that
    /// number wait, the next read starts; the rest are processed while the database answers.
    pub(super) fn plan_early_start(&self, shared: usize) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = pending.read.as_ref().map_or(0, waiting_for);
        let in_progress = shared + waiting;
        pending.early_start_at = in_progress - in_progress / 8;
        if waiting >= pending.early_start_at {
            self.start_early.notify_one();
        }
    }
}

/// A read that has started. It has failed unless [`Self::succeeded`] is called.
#[derive(Debug)]
pub(super) struct StartedRead(ReadOutcome);

impl StartedRead {
    /// The number of requests that wait for it.
    pub(super) fn waiting(&self) -> usize {
        waiting_for(&self.0)
    }

    /// Lets the waiting requests continue.
    pub(super) fn succeeded(self) {
        let _ = self.0.set(true);
    }
}

impl Drop for StartedRead {
    fn drop(&mut self) {
        let _ = self.0.set(false);
    }
}

/// The number of requests that wait for a read. One reference is not theirs, but belongs to the holder of the read.
fn waiting_for(read: &ReadOutcome) -> usize {
    Arc::strong_count(read) - 1
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_read_starts_early_once_most_of_the_requests_in_progress_wait_for_it() {
        let next = SharedRead::default();
        let eight: Vec<_> = (0..8).map(|_| next.join()).collect();
        assert!(next.until_due().now_or_never().is_none(), "nobody knows yet how many are in progress");
        let read = next.begin().unwrap();
        assert_eq!(read.waiting(), 8);
        assert_eq!(eight.iter().filter(|(_, first)| *first).count(), 1);
        let _early = next.join();
        next.plan_early_start(read.waiting());
        read.succeeded();
        assert!(eight.iter().all(|(read, _)| read.get() == Some(&true)));

        let mut waiting: Vec<_> = (0..6).map(|_| next.join()).collect();
        assert!(next.until_due().now_or_never().is_none(), "seven of the nine in progress");
        waiting.push(next.join());
        assert!(next.until_due().now_or_never().is_some(), "eight");
        let read = next.begin().unwrap();
        assert_eq!(read.waiting(), 8);
        assert!(next.join().1, "a request that arrives now waits for another read");
        next.plan_early_start(read.waiting());
        drop(read);
        assert!(waiting.iter().all(|(read, _)| read.get() == Some(&false)));
    }
}
