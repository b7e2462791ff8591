//! Key pairs: their life cycle, showing a secret, calls and recent use, advice, and rotation.
//!
//! Every change increments the change number in the same transaction as its audit record, so that no request is checked
//! against an outdated state. May import `account`, for proofs of identity, and the modules below it. Knows nothing of
//! HTTP.

pub mod advice;
pub mod calls;
pub mod change;
pub mod lifecycle;
pub mod recent_use;
pub mod reveal;
pub mod rotation;

use crate::db::sealed::API_KEY_SECRET;
use crate::secret::vault::Place;
use crate::types::id::{SecretId, Uin};

/// The place at which the secret of a key is sealed.
fn secret_place(uin: Uin, secret_id: &SecretId) -> Place<'_> {
    API_KEY_SECRET.place(secret_id.as_str(), Some(uin))
}
