//! The read of the change number that all waiting requests share.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::SetOnce;

/// The outcome of a read, once it is known: `true` if the read succeeded.
pub(super) type ReadOutcome = Arc<SetOnce<bool>>;

/// The next read, if any request waits for it.
#[derive(Debug, Default)]
pub(super) struct SharedRead(Mutex<Option<ReadOutcome>>);

impl SharedRead {
    /// Joins the next read. Also returns whether the caller is the first to wait for it.
    pub(super) fn join(&self) -> (ReadOutcome, bool) {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = pending.is_none();
        (pending.get_or_insert_default().clone(), first)
    }

    /// Completes once every task that can run now has run, because it may be a request about to join.
    pub(super) async fn until_due() {
        tokio::task::yield_now().await;
    }

    /// Starts the read: requests that join from now on wait for another one. Returns `None` if none waits.
    pub(super) fn begin(&self) -> Option<StartedRead> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().map(StartedRead)
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
    use super::*;

    #[test]
    fn all_who_wait_for_a_read_learn_its_outcome_and_who_comes_later_waits_for_another() {
        let next = SharedRead::default();
        assert!(next.begin().is_none(), "nobody waits");
        let waiting: Vec<_> = (0..8).map(|_| next.join()).collect();
        assert_eq!(waiting.iter().filter(|(_, first)| *first).count(), 1);
        let read = next.begin().unwrap();
        assert_eq!(read.waiting(), 8);
        let (later, first) = next.join();
        assert!(first, "who comes now waits for another");
        read.succeeded();
        assert!(waiting.iter().all(|(read, _)| read.get() == Some(&true)));
        assert_eq!(later.get(), None);
        drop(next.begin());
        assert_eq!(later.get(), Some(&false), "a read that was given up has failed");
    }
}
