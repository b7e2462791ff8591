//! The check behind every entry point: signature, key, key state and timestamp. Its outcome is recorded.
//!
//! Invariant: a request is accepted only after a read of the change number that began after the request arrived (see
//! [`super::registry`]). If the key's state cannot be determined, the request is refused.

use std::sync::Arc;

use secrecy::SecretString;

use super::context::{CheckContext, Proved};
use super::refusal::Refusal;
use super::registry::{RegisteredKey, Registry};
use super::usage::{CheckedCall, RefusedCall, UsageRecorder};
use crate::metrics::Metrics;
use crate::signature::diagnosis::Cause;
use crate::signature::{Claim, Malformed};
use crate::types::clock::{Clock, Timestamp};
use crate::types::error::Error;
use crate::types::id::{AppId, SecretId, Uin};
use crate::types::key_state::KeyState;

/// The largest clock skew between client and server that is accepted, in seconds.
pub const MAX_SKEW_SECONDS: u64 = 300;

/// The signer of a request. Only [`Checker`] creates it.
#[derive(Clone, Debug)]
pub struct Signed {
    key: Arc<RegisteredKey>,
}

impl Signed {
    /// The key's account.
    pub fn uin(&self) -> Uin {
        self.key.uin
    }

    /// The account's APPID.
    pub fn app_id(&self) -> AppId {
        self.key.app_id
    }

    /// The key.
    pub fn secret_id(&self) -> &SecretId {
        self.key.secret_id()
    }
}

/// Checks signed requests, counts them, and records them for their keys. Clones share their state.
#[derive(Clone, Debug)]
pub struct Checker {
    registry: Registry,
    usage: UsageRecorder,
    metrics: Metrics,
    clock: Clock,
}

/// A claim whose key is known.
struct Found {
    key: Arc<RegisteredKey>,
    signed_at: Timestamp,
    now: Timestamp,
}

impl Checker {
    /// Creates a checker for the keys in `registry`, with the time of `clock`. Outcomes go to `usage` and `metrics`.
    pub fn new(registry: Registry, usage: UsageRecorder, metrics: Metrics, clock: Clock) -> Self {
        Self { registry, usage, metrics, clock }
    }

    /// Checks the claim of a complete request. The outcome is counted, and recorded for the key if there is one. A
    /// claim that could not be read is counted as well.
    pub async fn check(
        &self,
        claim: Result<Claim<'_>, Malformed>,
        context: CheckContext<'_>,
    ) -> Result<Signed, Refusal> {
        let checked = match claim {
            Ok(claim) => self.check_claim(&claim, context).await,
            Err(malformed) => Err(malformed.into()),
        };
        match &checked {
            Ok(_) => self.metrics.accepted(context.entry_point),
            Err(refusal) => self.metrics.refused(context.entry_point, refusal.reason()),
        }
        checked
    }

    /// Checks whether a request is worth reading a long body for: it needs a well-formed claim of an enabled key, with
    /// a current timestamp. [`Self::check`] follows once the body has arrived. A refusal is counted, and recorded for
    /// the key if there is one.
    pub async fn precheck(
        &self,
        claim: Result<Claim<'_>, Malformed>,
        context: CheckContext<'_>,
    ) -> Result<(), Refusal> {
        let checked = match claim {
            Ok(claim) => self.precheck_claim(&claim, context).await,
            Err(malformed) => Err(malformed.into()),
        };
        checked.inspect_err(|refusal| self.metrics.refused(context.entry_point, refusal.reason()))
    }

    /// Returns `true` if the key is still enabled, and `false` if its state cannot be determined.
    pub async fn is_still_enabled(&self, signed: &Signed) -> bool {
        let Ok(fresh) = self.registry.fresh().await else { return false };
        let key = self.registry.get(&fresh, signed.secret_id().as_str());
        key.is_some_and(|key| key.state == KeyState::Enabled)
    }

    async fn find(&self, claim: &Claim<'_>) -> Result<Found, Refusal> {
        let secret_id = claim.secret_id();
        if !SecretId::is_one(secret_id) {
            return Err(Refusal::SecretIdShape);
        }
        let signed_at = claim.signed_at().ok_or(Malformed::NoTimestamp)?;
        let now = self.clock.now();
        let fresh = self.registry.fresh().await.map_err(Refusal::Fault)?;
        // A key that never existed has no owner who could see a record.
        let key = self.registry.get(&fresh, secret_id).ok_or(Refusal::UnknownKey)?;
        Ok(Found { key, signed_at, now })
    }

    async fn check_claim(&self, claim: &Claim<'_>, context: CheckContext<'_>) -> Result<Signed, Refusal> {
        let found = self.find(claim).await?;
        let outcome = check_key(claim, &found);
        let refused = outcome.as_ref().err();
        let refusal = refused.and_then(Refusal::recorded);
        if refused.is_none() || refusal.is_some() {
            let diagnosed = refusal.and_then(|_| self.diagnose(claim, &found));
            let proved = match &diagnosed {
                _ if refused.is_none_or(Refusal::is_of_a_right_signature) => Proved { method: true, path: true },
                Some(RefusedCall { diagnosis, .. }) if diagnosis.variant_was_signed => Proved {
                    method: diagnosis.cause != Some(Cause::Method),
                    path: diagnosis.cause != Some(Cause::Path),
                },
                _ => Proved::default(),
            };
            let action = context.requested.recorded(proved, claim.scope());
            let CheckContext { request_id, address, .. } = context;
            let call = CheckedCall { at: found.now, request_id, action: &action, address, refusal, diagnosed };
            self.usage.record(&found.key.usage, call);
        }
        outcome.map(|()| Signed { key: found.key })
    }

    async fn precheck_claim(&self, claim: &Claim<'_>, context: CheckContext<'_>) -> Result<(), Refusal> {
        let Found { key, signed_at, now } = self.find(claim).await?;
        let refusal = match key.state {
            KeyState::Enabled if is_expired(claim, signed_at, now) => Refusal::Expired,
            KeyState::Enabled => return Ok(()),
            KeyState::Disabled => Refusal::Disabled { signed: None },
            KeyState::Deleted => Refusal::Deleted,
        };
        // The signature cannot be checked, because the body that it covers was not read.
        let action = context.requested.recorded(Proved::default(), None);
        let CheckContext { request_id, address, .. } = context;
        let (at, refused) = (now, refusal.recorded());
        let call = CheckedCall { at, request_id, action: &action, address, refusal: refused, diagnosed: None };
        self.usage.record(&key.usage, call);
        Err(refusal)
    }

    /// Diagnoses a refused request, for its key's owner. In a flood, only some requests are diagnosed.
    fn diagnose(&self, claim: &Claim<'_>, found: &Found) -> Option<RefusedCall> {
        let secret_key = found.key.secret_key.as_ref()?;
        if !claim.can_be_diagnosed() || !self.usage.takes_diagnosis() {
            return None;
        }
        let diagnosis = claim.diagnose(secret_key)?;
        Some(RefusedCall { signed_at: found.signed_at, diagnosis })
    }
}

fn check_key(claim: &Claim<'_>, found: &Found) -> Result<(), Refusal> {
    let Found { key, signed_at, now } = found;
    let secret_key: &SecretString = match (&key.secret_key, key.state) {
        (Some(secret_key), _) => secret_key,
        (None, KeyState::Deleted) => return Err(Refusal::Deleted),
        (None, _) => return Err(Refusal::Fault(Error::internal("the key's stored secret does not open"))),
    };
    let signed = claim.matches(secret_key, &key.signing_keys);
    match key.state {
        KeyState::Disabled => Err(Refusal::Disabled { signed: Some(signed) }),
        KeyState::Deleted => Err(Refusal::Deleted),
        KeyState::Enabled if !signed => Err(Refusal::Signature),
        KeyState::Enabled if is_expired(claim, *signed_at, *now) => Err(Refusal::Expired),
        KeyState::Enabled if claim.has_token() => Err(Refusal::Token),
        KeyState::Enabled => Ok(()),
    }
}

fn is_expired(claim: &Claim<'_>, signed_at: Timestamp, now: Timestamp) -> bool {
    let (signed_at, now) = (signed_at.seconds(), now.seconds());
    match claim.lifetime() {
        Some(lifetime) if now >= signed_at => now.abs_diff(signed_at) > lifetime,
        _ => now.abs_diff(signed_at) > MAX_SKEW_SECONDS,
    }
}
