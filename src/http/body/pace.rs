//! How fast a body has to arrive.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use http_body_util::BodyExt;
use hyper::body::Frame;
use tokio::time::{Instant, timeout_at};

use super::Unread;

/// A body has to make a step of this many bytes …
pub(super) const STEP: usize = 16 * 1024;
/// … in this time, …
pub(super) const PACE: Duration = Duration::from_secs(5);
/// … but for the beginning, for which it has longer …
pub(super) const GRACE: Duration = Duration::from_secs(10);
/// … and be there whole in this time.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// What a body has to keep to. Most bodies come with their headers; a clock is for the others.
#[derive(Debug, Default)]
pub(super) struct Pace {
    clock: Option<Clock>,
    /// Bytes since the last step.
    arrived: usize,
}

#[derive(Clone, Copy, Debug)]
struct Clock {
    /// When the next step must have been made.
    step_due: Instant,
    whole_due: Instant,
}

impl Clock {
    fn start() -> Self {
        let now = Instant::now();
        Self { step_due: now + GRACE, whole_due: now + PATIENCE }
    }
}

impl Pace {
    /// The body's next frame; none at its end. [`Unread::Incomplete`] if it is too slow, or the client is gone in the
    /// middle of it, when nobody will see the answer.
    pub(super) async fn frame<B>(&mut self, body: &mut B) -> Result<Option<Frame<Bytes>>, Unread>
    where
        B: HttpBody<Data = Bytes> + Unpin,
    {
        let mut next = body.frame();
        let frame = match poll_fn(|cx| Poll::Ready(Pin::new(&mut next).poll(cx))).await {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                let clock = *self.clock.get_or_insert_with(Clock::start);
                let due = clock.step_due.min(clock.whole_due);
                timeout_at(due, next).await.map_err(|_| Unread::Incomplete)?
            }
        };
        let frame = frame.transpose().map_err(|_| Unread::Incomplete)?;
        self.note(frame.as_ref().and_then(Frame::data_ref).map_or(0, Bytes::len));
        Ok(frame)
    }

    fn note(&mut self, bytes: usize) {
        let Some(clock) = &mut self.clock else { return };
        self.arrived = self.arrived.saturating_add(bytes);
        if self.arrived >= STEP {
            self.arrived = 0;
            clock.step_due = clock.step_due.max(Instant::now() + PACE);
        }
    }
}
