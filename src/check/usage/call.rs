//! A checked request, as it is recorded for its key.

use std::net::IpAddr;
use std::sync::Arc;

use super::counter::UsageCounter;
use crate::db::refused_calls::NewRefusedCall;
use crate::db::usage::NewUse;
use crate::signature::diagnosis::{Cause, Diagnosis};
use crate::types::clock::Timestamp;
use crate::types::id::RequestId;
use crate::types::reason::Reason;

/// One checked request of a known key.
#[derive(Debug)]
pub struct CheckedCall<'a> {
    /// The time of the check.
    pub at: Timestamp,
    /// The ID that the caller was told.
    pub request_id: RequestId,
    /// The purpose of the request, as it is recorded.
    pub action: &'a str,
    /// The client's address.
    pub address: IpAddr,
    /// The reason for the refusal, in full; `None` if the call was accepted.
    pub refusal: Option<Reason>,
    /// The diagnosis of a refused request. In a flood, only some requests are diagnosed.
    pub diagnosed: Option<RefusedCall>,
}

/// A call that is listed individually.
#[derive(Debug)]
pub struct UseRecord {
    /// The counter of the call's key.
    pub key: Arc<UsageCounter>,
    /// The time of the check.
    pub at: Timestamp,
    /// The ID that the caller was told.
    pub request_id: RequestId,
    /// The purpose of the request, as it is recorded.
    pub action: String,
    /// The client's address.
    pub address: IpAddr,
    /// The reason for the refusal, in full; `None` if the call was accepted.
    pub refusal: Option<Reason>,
    /// The diagnosis, if there is one.
    pub diagnosed: Option<Box<RefusedCall>>,
}

impl UseRecord {
    pub(super) fn row(&self) -> NewUse<'_> {
        let Self { key, at, request_id, action, address, refusal, .. } = self;
        let (at, request_id, address, refusal) = (*at, *request_id, *address, *refusal);
        NewUse { secret_id: &key.secret_id, at, request_id, action, address, refusal }
    }
}

/// A diagnosed request, for the key's owner to look at.
#[derive(Clone, Debug)]
pub struct RefusedCall {
    /// The time at which it was signed, according to its own timestamp.
    pub signed_at: Timestamp,
    /// The diagnosis.
    pub diagnosis: Diagnosis,
}

impl RefusedCall {
    pub(super) fn row(&self) -> NewRefusedCall<'_> {
        let Diagnosis { canonical_request, string_to_sign, cause, .. } = &self.diagnosis;
        let cause = cause.map_or("", Cause::as_str);
        NewRefusedCall { signed_at: self.signed_at, canonical_request, string_to_sign, cause }
    }
}
