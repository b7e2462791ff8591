//! Reading a body: up to its limit, within its time, and within what all bodies together may take.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http_body_util::BodyExt;
use tokio::sync::Semaphore;

use super::envelope::ApiError;
use crate::state::App;

/// Of a body over its limit, this much is still read, and thrown away, so that its sender hears the answer: most clients
/// do not listen before they have sent all.
const HEARD_OUT: usize = 64 * 1024 * 1024;
/// A body up to this long is read without further ado.
const SHORT: usize = 64 * 1024;
/// How long a body may take to arrive, the wait for its share of the memory included.
const PATIENCE: Duration = Duration::from_secs(30);
/// What long bodies in all may take, in KiB.
const BUDGET_KIB: usize = 64 * 1024;

/// What long bodies may take of the memory.
#[derive(Debug)]
pub struct BodyBudget(Semaphore);

impl Default for BodyBudget {
    fn default() -> Self {
        Self(Semaphore::new(BUDGET_KIB))
    }
}

/// Is it, or may it be, longer than what is read without further ado?
pub(super) fn is_long(body: &Body) -> bool {
    body.size_hint().exact().is_none_or(|length| length > SHORT as u64)
}

/// The whole body, if it is no longer than `limit`.
pub(super) async fn read(app: &App, body: Body, limit: usize) -> Result<Bytes, ApiError> {
    let within_budget = async {
        let share = if is_long(&body) { u32::try_from(limit.div_ceil(1024)).unwrap_or(u32::MAX) } else { 0 };
        let _share = app.body_budget.0.acquire_many(share).await;
        read_frames(body, limit).await
    };
    tokio::time::timeout(PATIENCE, within_budget).await.unwrap_or(Err(ApiError::Incomplete))
}

async fn read_frames(mut body: Body, limit: usize) -> Result<Bytes, ApiError> {
    let mut read = Vec::new();
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        // The client is gone in the middle of it; nobody will see this answer.
        let Ok(frame) = frame else { return Err(ApiError::Incomplete) };
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
    if length <= limit { Ok(read.into()) } else { Err(ApiError::TooLarge) }
}
