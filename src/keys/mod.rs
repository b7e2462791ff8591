//! Key pairs: the life of a pair, showing its secret, what it has been used for lately, advice, and rotation.
//!
//! Every change raises the change number and stands in one transaction with its audit record, so that no request is checked
//! against a state that is over. Imports `account` for proofs of who asks, and what is below; knows no HTTP.

pub mod advice;
pub mod lifecycle;
pub mod recent_use;
pub mod reveal;
pub mod rotation;

use crate::db::sealed::API_KEY_SECRET;
use crate::secret::vault::Place;
use crate::types::id::{SecretId, Uin};

/// Where the secret of a key is sealed.
fn secret_place(uin: Uin, secret_id: &SecretId) -> Place<'_> {
    API_KEY_SECRET.place(secret_id.as_str(), Some(uin))
}
