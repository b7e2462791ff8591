//! One timer for the headers of all requests of a connection, where hyper would make and clear one for each.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

/// Of one connection, whose deadlines come in their order. The runtime is told of the first; of a later one only once it
/// has waited for those before.
#[derive(Clone, Debug)]
pub(super) struct HeaderTimer(Arc<Mutex<Pin<Box<tokio::time::Sleep>>>>);

impl HeaderTimer {
    /// For deadlines no sooner than `timeout` from now.
    pub(super) fn new(timeout: Duration) -> Self {
        Self(Arc::new(Mutex::new(Box::pin(tokio::time::sleep(timeout)))))
    }
}

impl Timer for HeaderTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Deadline { timer: self.clone(), at: deadline.into() })
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

/// Over once it is `at`.
#[derive(Debug)]
struct Deadline {
    timer: HeaderTimer,
    at: tokio::time::Instant,
}

impl Sleep for Deadline {}

impl Future for Deadline {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut sleep = self.timer.0.lock().unwrap_or_else(PoisonError::into_inner);
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

    #[tokio::test(start_paused = true)]
    async fn each_deadline_is_kept_to_the_millisecond() {
        let timer = HeaderTimer::new(TIMEOUT);
        for pause in [0, 3, 11, 9, 25] {
            tokio::time::sleep(Duration::from_secs(pause)).await;
            // Headers that come in time: their deadline is waited for a while, and forgotten.
            tokio::time::timeout(Duration::from_secs(1), timer.sleep(TIMEOUT)).await.unwrap_err();
            let asked = tokio::time::Instant::now();
            timer.sleep(TIMEOUT).await;
            let took = asked.elapsed();
            assert!(took >= TIMEOUT && took < TIMEOUT + Duration::from_millis(2), "{took:?} of {TIMEOUT:?}");
        }
    }
}
