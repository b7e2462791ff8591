//! Whether a connection waits for a request or answers one. Its own task says so; the loop that accepts connections ends one
//! that waits where another needs its place, or the server stops.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use tokio::time::Instant;

use crate::http::tracked::CutWhen;

/// A request is being answered.
const ANSWERING: u64 = u64::MAX;
/// So it is, and the connection ends with it.
const ANSWERING_LAST: u64 = u64::MAX - 1;
/// The connection waited, and has been told to end.
const ENDED: u64 = u64::MAX - 2;

/// Of one connection.
#[derive(Debug)]
pub(super) struct Phase {
    /// When its listener began.
    epoch: Instant,
    /// One of the above; otherwise the connection waits, and this is since when, in milliseconds from `epoch`.
    state: AtomicU64,
    task: AtomicWaker,
    /// Has something come since it began to wait?
    heard: AtomicBool,
    /// Cuts off the answer that is under way, if anything does.
    cut: Mutex<Option<CutWhen>>,
    may_be_cut: AtomicBool,
}

impl Phase {
    /// It waits.
    pub(super) fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            state: AtomicU64::new(millis(epoch, Instant::now())),
            task: AtomicWaker::new(),
            heard: AtomicBool::new(false),
            cut: Mutex::default(),
            may_be_cut: AtomicBool::new(false),
        }
    }

    /// Whatever was asked has been answered. False if nothing was asked yet.
    pub(super) fn wait(&self, since: Instant) -> bool {
        if self.may_be_cut.load(Ordering::Relaxed) {
            *self.cut.lock().unwrap_or_else(PoisonError::into_inner) = None;
            self.may_be_cut.store(false, Ordering::Relaxed);
        }
        self.heard.store(false, Ordering::Relaxed);
        let next = match self.state.load(Ordering::Acquire) {
            ANSWERING => millis(self.epoch, since),
            ANSWERING_LAST => ENDED,
            _ => return false,
        };
        self.state.store(next, Ordering::Release);
        true
    }

    /// For the connection's stream: something came.
    pub(super) fn hear(&self) {
        if !self.heard.load(Ordering::Relaxed) {
            self.heard.store(true, Ordering::Relaxed);
        }
    }

    /// Has the next request begun to come?
    pub(super) fn has_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    /// A request has come. If the connection was told to end at that very moment, this one is answered all the same.
    pub(super) fn answer(&self) {
        let state = self.state.load(Ordering::Acquire);
        if is_waiting(state)
            && self.state.compare_exchange(state, ANSWERING, Ordering::AcqRel, Ordering::Acquire).is_ok()
        {
            return;
        }
        if self.state.load(Ordering::Acquire) == ENDED {
            self.state.store(ANSWERING_LAST, Ordering::Release);
        }
    }

    /// Since when it waits, for comparison with others of the listener.
    pub(super) fn waits_since(&self) -> Option<u64> {
        Some(self.state.load(Ordering::Acquire)).filter(|state| is_waiting(*state))
    }

    /// Tells the connection to end, if it still waits `since` then.
    pub(super) fn end(&self, since: u64) -> bool {
        let ended = self.state.compare_exchange(since, ENDED, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if ended {
            self.task.wake();
        }
        ended
    }

    /// Does the connection end with what it answers now?
    pub(super) fn is_last(&self) -> bool {
        self.state.load(Ordering::Relaxed) == ANSWERING_LAST
    }

    /// The answer that is under way, and the connection with it, lasts until then at most.
    pub(super) fn cut_when(&self, when: CutWhen) {
        *self.cut.lock().unwrap_or_else(PoisonError::into_inner) = Some(when);
        self.may_be_cut.store(true, Ordering::Relaxed);
    }

    /// For the connection's task: has its answer been cut off?
    pub(super) fn poll_cut(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.may_be_cut.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        let mut cut = self.cut.lock().unwrap_or_else(PoisonError::into_inner);
        cut.as_mut().map_or(Poll::Pending, |when| when.poll(cx))
    }

    /// For the connection's task, which stays the same: done once it has been told to end.
    pub(super) fn ended(&self) -> impl Future<Output = ()> {
        let mut is_known = false;
        std::future::poll_fn(move |cx| {
            if !is_known {
                self.task.register(cx.waker());
                is_known = true;
            }
            if self.state.load(Ordering::Acquire) == ENDED { Poll::Ready(()) } else { Poll::Pending }
        })
    }
}

fn is_waiting(state: u64) -> bool {
    state < ENDED
}

/// Whole milliseconds, of which there are fewer than the states begin at.
pub(super) fn millis(epoch: Instant, at: Instant) -> u64 {
    u64::try_from(at.saturating_duration_since(epoch).as_millis()).unwrap_or(ENDED - 1)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_request_that_comes_while_the_connection_is_told_to_end_is_its_last() {
        let phase = Phase::new(Instant::now());
        let since = phase.waits_since().unwrap();
        phase.answer();
        assert!(!phase.end(since), "it no longer waits");
        phase.wait(Instant::now());
        let since = phase.waits_since().unwrap();
        assert!(phase.end(since) && phase.ended().now_or_never().is_some());
        phase.answer();
        assert!(phase.is_last() && phase.ended().now_or_never().is_none(), "it is answered");
        phase.wait(Instant::now());
        assert!(phase.ended().now_or_never().is_some() && phase.waits_since().is_none());
    }
}
