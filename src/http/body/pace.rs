//! The minimum pace at which a body has to arrive.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use http_body_util::BodyExt;
use hyper::body::Frame;
use tokio::time::{Instant, timeout_at};

use super::Unread;

/// The number of bytes by which a body has to advance in each step.
pub(super) const STEP: usize = 16 * 1024;
/// The time limit for each step after the first.
pub(super) const PACE: Duration = Duration::from_secs(5);
/// The time limit for the first step.
pub(super) const GRACE: Duration = Duration::from_secs(10);
/// The time limit for the whole body.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Checks that a body keeps the pace. The clock starts only if the body has to be waited for, because most bodies
/// arrive with their headers.
#[derive(Debug, Default)]
pub(super) struct Pace {
    clock: Option<Clock>,
    /// The bytes that have arrived since the last step.
    arrived: usize,
}

#[derive(Clone, Copy, Debug)]
struct Clock {
    /// The deadline for the next step.
    step_due: Instant,
    /// The deadline for the whole body.
    whole_due: Instant,
}

impl Clock {
    fn start() -> Self {
        let now = Instant::now();
        Self { step_due: now + GRACE, whole_due: now + PATIENCE }
    }
}

impl Pace {
    /// Returns the body's next frame, or `None` at its end. Returns [`Unread::Incomplete`] if the body is too slow, or
    /// if the client has disconnected, in which case nobody will see the response.
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
