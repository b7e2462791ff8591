//! The phase of a connection: idle, or answering a request. The connection's own task sets it. The loop that accepts
//! connections closes an idle one if another needs its place or the server stops.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use tokio::time::Instant;

use crate::http::tracked::CutWhen;

/// Answering a request.
const ANSWERING: u64 = u64::MAX;
/// Answering a request, after which the connection ends.
const ANSWERING_LAST: u64 = u64::MAX - 1;
/// The connection was idle and has been told to end.
const ENDED: u64 = u64::MAX - 2;

/// The phase of one connection.
#[derive(Debug)]
pub(super) struct Phase {
    /// When the connection's listener started.
    epoch: Instant,
    /// One of the constants above. Any other value means that the connection is idle; it is the time at which it became
    /// idle, in milliseconds since `epoch`.
    state: AtomicU64,
    task: AtomicWaker,
    /// `true` if anything has arrived since the connection became idle.
    heard: AtomicBool,
    /// The condition that cuts off the current response, if there is one.
    cut: Mutex<Option<CutWhen>>,
    may_be_cut: AtomicBool,
}

impl Phase {
    /// The phase of a new connection, which is idle.
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

    /// Marks the connection as idle since `since`: its request, if there was one, has been answered. Returns `false` if
    /// there was none yet.
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

    /// Called by the connection's stream when something has arrived.
    pub(super) fn hear(&self) {
        if !self.heard.load(Ordering::Relaxed) {
            self.heard.store(true, Ordering::Relaxed);
        }
    }

    /// Returns `true` if the next request has begun to arrive.
    pub(super) fn has_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    /// Marks the connection as answering a request. If it was told to end at that very moment, the request is answered
    /// all the same, as its last.
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

    /// The time at which the connection became idle, for comparison with others of the listener. `None` if it is not
    /// idle.
    pub(super) fn waits_since(&self) -> Option<u64> {
        Some(self.state.load(Ordering::Acquire)).filter(|state| is_waiting(*state))
    }

    /// Tells the connection to end if it has been idle since `since` without interruption. Returns `true` if it has.
    pub(super) fn end(&self, since: u64) -> bool {
        let ended = self.state.compare_exchange(since, ENDED, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if ended {
            self.task.wake();
        }
        ended
    }

    /// Returns `true` if the connection ends with the current response.
    pub(super) fn is_last(&self) -> bool {
        self.state.load(Ordering::Relaxed) == ANSWERING_LAST
    }

    /// Ends the current response, and the connection with it, as soon as `when` is ready.
    pub(super) fn cut_when(&self, when: CutWhen) {
        *self.cut.lock().unwrap_or_else(PoisonError::into_inner) = Some(when);
        self.may_be_cut.store(true, Ordering::Relaxed);
    }

    /// Polled by the connection's task. Ready once the current response is to be cut off.
    pub(super) fn poll_cut(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.may_be_cut.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        let mut cut = self.cut.lock().unwrap_or_else(PoisonError::into_inner);
        cut.as_mut().map_or(Poll::Pending, |when| when.poll(cx))
    }

    /// Awaited by the connection's task. Completes once the connection has been told to end. Only one task may poll it,
    /// because its waker is registered only once.
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

/// The whole milliseconds from `epoch` to `at`, which are always fewer than the constants above.
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
