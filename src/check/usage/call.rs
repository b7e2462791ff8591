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
    /// When it was checked.
    pub at: Timestamp,
    /// What it asked for.
    pub action: &'a str,
    /// Where it came from.
    pub address: IpAddr,
    /// Why it was refused, in full; none if it was accepted.
    pub refusal: Option<Reason>,
    /// What the server made of a refused request; of some, not of a flood.
    pub diagnosed: Option<RefusedCall>,
}

/// A call that is listed.
#[derive(Debug)]
pub struct UseRecord {
    /// Its key.
    pub key: Arc<UsageCounter>,
    /// When it was checked.
    pub at: Timestamp,
    /// What it asked for.
    pub action: String,
    /// Where it came from.
    pub address: IpAddr,
    /// Why it was refused, in full; none if it was accepted.
    pub refusal: Option<Reason>,
    /// What the server made of it, if it was looked into.
    pub diagnosed: Option<Box<RefusedCall>>,
}

impl UseRecord {
    pub(super) fn row(&self) -> NewUse<'_> {
        let Self { key, at, action, address, refusal, .. } = self;
        NewUse { secret_id: &key.secret_id, at: *at, action, address: *address, refusal: *refusal }
    }
}

/// A refused request, for its key's owner to look into.
#[derive(Clone, Debug)]
pub struct RefusedCall {
    /// The id its caller was told.
    pub request_id: RequestId,
    /// When it was signed, by its own timestamp.
    pub signed_at: Timestamp,
    /// What the server made of it.
    pub diagnosis: Diagnosis,
}

impl RefusedCall {
    pub(super) fn row(&self) -> NewRefusedCall<'_> {
        let Diagnosis { canonical_request, string_to_sign, cause, .. } = &self.diagnosis;
        let cause = cause.map_or("", Cause::as_str);
        NewRefusedCall {
            request_id: self.request_id,
            signed_at: self.signed_at,
            canonical_request,
            string_to_sign,
            cause,
        }
    }
}
