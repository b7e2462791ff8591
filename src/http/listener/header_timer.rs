//! How long a connection may wait for a request: three minutes between two requests, ten seconds from its first byte on.
//!
//! hyper asks for a deadline when it begins to wait for a request, and drops it when the headers have arrived. The
//! timer therefore also tells the phase of the connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

use super::phase::Phase;

/// The idle timeout between two requests. It is longer than that of the proxies that keep connections open, so that it
/// is they who close an idle connection, and the server never closes one on which a request is on its way.
const REST: Duration = Duration::from_mins(3);

/// The timer of one connection.
#[derive(Clone, Debug)]
pub(super) struct HeaderTimer {
    timeout: Duration,
    phase: Arc<Phase>,
}

impl HeaderTimer {
    /// A timer that allows `timeout` for the headers of a request, from the moment when they begin to arrive, or, for a
    /// connection's first request, from the moment when the server begins to wait for them.
    pub(super) fn new(timeout: Duration, phase: Arc<Phase>) -> Self {
        Self { timeout, phase }
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
        let sleep = Box::pin(tokio::time::sleep_until(if rests { since + REST } else { at }));
        Box::pin(Deadline { timer: self.clone(), sleep, rests })
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

/// Dropped when the headers are there.
#[derive(Debug)]
struct Deadline {
    timer: HeaderTimer,
    sleep: Pin<Box<tokio::time::Sleep>>,
    /// Has none of the request come yet, which is not the connection's first?
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
            let at = tokio::time::Instant::now() + self.timer.timeout;
            self.sleep.as_mut().reset(at);
        }
        self.sleep.as_mut().poll(cx)
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
