//! Reading a request's body: up to its limit, within its time, and within what all bodies together may take.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Of a body over its limit, this much is still read, and thrown away, so that its sender hears the answer: most clients
/// do not listen before they have sent all.
const HEARD_OUT: usize = 64 * 1024 * 1024;
/// A body up to this long is read without further ado.
const SHORT: usize = 64 * 1024;
/// How long a body may take to arrive, the wait for its share of the memory included.
const PATIENCE: Duration = Duration::from_secs(30);
/// What long bodies in all may take, in KiB.
const BUDGET_KIB: usize = 64 * 1024;

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// It is longer than its limit.
    #[error("the body is too long")]
    TooLong,
    /// It did not arrive in time.
    #[error("the body did not arrive in time")]
    Incomplete,
}

/// What long bodies may take of the memory.
#[derive(Debug)]
pub struct BodyBudget(Arc<Semaphore>);

impl Default for BodyBudget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(BUDGET_KIB)))
    }
}

/// A body that has been read, with its share of the memory until it is dropped.
#[derive(Debug)]
pub struct ReadBody {
    /// All of it.
    pub bytes: Bytes,
    _share: Option<OwnedSemaphorePermit>,
}

impl BodyBudget {
    /// The whole body, if it is no longer than `limit`.
    pub async fn read<B>(&self, body: B, limit: usize) -> Result<ReadBody, Unread>
    where
        B: HttpBody<Data = Bytes> + Unpin,
    {
        let within_budget = async {
            let share = if is_long(&body) {
                let kib = u32::try_from(limit.div_ceil(1024)).unwrap_or(u32::MAX);
                self.0.clone().acquire_many_owned(kib).await.ok()
            } else {
                None
            };
            let bytes = read_frames(body, limit).await?;
            Ok(ReadBody { bytes, _share: share })
        };
        // Most bodies come with their headers; a timer is for the others.
        let mut reading = pin!(within_budget);
        match poll_fn(|cx| Poll::Ready(reading.as_mut().poll(cx))).await {
            Poll::Ready(read) => read,
            Poll::Pending => tokio::time::timeout(PATIENCE, reading).await.unwrap_or(Err(Unread::Incomplete)),
        }
    }
}

/// Is it, or may it be, longer than what is read without further ado?
pub fn is_long(body: &impl HttpBody) -> bool {
    body.size_hint().exact().is_none_or(|length| length > SHORT as u64)
}

async fn read_frames(mut body: impl HttpBody<Data = Bytes> + Unpin, limit: usize) -> Result<Bytes, Unread> {
    let mut read = Vec::new();
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        // The client is gone in the middle of it; nobody will see this answer.
        let Ok(frame) = frame else { return Err(Unread::Incomplete) };
        let Some(data) = frame.data_ref() else { continue };
        length = length.saturating_add(data.len());
        if length <= limit {
            read.extend_from_slice(data);
        } else {
            read = Vec::new();
            if length > HEARD_OUT {
                break;
            }
        }
    }
    if length <= limit { Ok(read.into()) } else { Err(Unread::TooLong) }
}
