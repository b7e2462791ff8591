//! One timer for the headers of all requests of a connection. By itself, hyper creates and clears a timer for each
//! request.
//!
//! hyper asks for a deadline when it begins to wait for a request, and drops it when the headers have arrived. The
//! timer therefore also tells the phase of the connection.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

use super::phase::Phase;

/// The idle timeout between two requests. It is longer than that of the proxies that keep connections open, so that it
/// is they who close an idle connection, and the server never closes one on which a request is on its way.
const REST: Duration = Duration::from_mins(3);

/// The timer of one connection. It is set to a later deadline only after the earlier one has passed, so that most
/// deadlines cost nothing.
#[derive(Clone, Debug)]
pub(super) struct HeaderTimer {
    timeout: Duration,
    sleep: Arc<Mutex<Pin<Box<tokio::time::Sleep>>>>,
    phase: Arc<Phase>,
}

impl HeaderTimer {
    /// A timer that allows `timeout` for the headers of a request, from the moment when they begin to arrive, or, for a
    /// connection's first request, from the moment when the server begins to wait for them.
    pub(super) fn new(timeout: Duration, phase: Arc<Phase>) -> Self {
        Self { timeout, sleep: Arc::new(Mutex::new(Box::pin(tokio::time::sleep(timeout)))), phase }
    }
}

impl Timer for HeaderTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        let at = tokio::time::Instant::from(deadline);
        let since = at.checked_sub(self.timeout).unwrap_or(at);
        let rests = self.phase.wait(since);
        Box::pin(Deadline { timer: self.clone(), at: if rests { since + REST } else { at }, rests })
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

/// Elapses at `at`. hyper drops it when the headers have arrived.
#[derive(Debug)]
struct Deadline {
    timer: HeaderTimer,
    at: tokio::time::Instant,
    /// `true` while the connection is idle after an earlier request: nothing of the next one has arrived yet.
    rests: bool,
}

impl Sleep for Deadline {}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.timer.phase.answer();
    }
}

impl Future for Deadline {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.rests && self.timer.phase.has_heard() {
            self.rests = false;
            self.at = tokio::time::Instant::now() + self.timer.timeout;
        }
        let mut sleep = self.timer.sleep.lock().unwrap_or_else(PoisonError::into_inner);
        if sleep.deadline() > self.at {
            sleep.as_mut().reset(self.at);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= self.at {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(self.at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    /// Waits for `pause` seconds and then for a deadline of `timer`, and returns how long the latter took.
    async fn waited(timer: &HeaderTimer, pause: u64) -> Duration {
        tokio::time::sleep(Duration::from_secs(pause)).await;
        let asked = tokio::time::Instant::now();
        timer.sleep(TIMEOUT).await;
        asked.elapsed()
    }

    #[track_caller]
    fn is(took: Duration, due: Duration) {
        assert!(took >= due && took < due + Duration::from_millis(2), "{took:?} of {due:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn each_deadline_is_kept_to_the_millisecond() {
        let timer = HeaderTimer::new(TIMEOUT, Arc::new(Phase::new(tokio::time::Instant::now())));
        is(waited(&timer, 3).await, TIMEOUT);
        for pause in [0, 3, 11, 9, 25] {
            // Headers that arrive in time: hyper polls their deadline for a while and drops it.
            tokio::time::timeout(Duration::from_secs(1), timer.sleep(TIMEOUT)).await.unwrap_err();
            is(waited(&timer, pause).await, REST);
            // Headers of which only a part arrives.
            let mut begun = timer.sleep(TIMEOUT);
            tokio::time::timeout(Duration::from_secs(pause), &mut begun).await.unwrap_err();
            timer.phase.hear();
            let asked = tokio::time::Instant::now();
            begun.await;
            is(asked.elapsed(), TIMEOUT);
        }
    }
}
