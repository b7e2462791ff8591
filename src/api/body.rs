//! Reading a body up to its limit.

use axum::body::{Body, Bytes, HttpBody};
use http_body_util::BodyExt;

use super::envelope::ApiError;

/// Of a body over its limit, this much is still read, and thrown away, so that its sender hears the answer: most clients
/// do not listen before they have sent all.
const HEARD_OUT: usize = 64 * 1024 * 1024;

/// The whole body, if it is no longer than `limit`.
pub(super) async fn read(mut body: Body, limit: usize) -> Result<Bytes, ApiError> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut read = Vec::with_capacity(if announced <= limit { announced } else { 0 });
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        // The client is gone in the middle of it; nobody will see this answer.
        let Ok(frame) = frame else { return Err(ApiError::TooLarge) };
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
