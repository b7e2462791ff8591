//! The one check behind every door: signature, key, state, clock, record.
//!
//! Invariant: a positive answer rests on a read of the change number that began after the request arrived (see
//! [`crate::check::registry`]). Where the key's state cannot be known, the request is refused.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header;
use secrecy::SecretString;

use super::registry::RegisteredKey;
use super::usage::{Call, RefusedCall};
use crate::app::App;
use crate::http::headers::only;
use crate::http::tracked::known_method;
use crate::metrics::Door;
use crate::signature::diagnosis::{self, Cause};
use crate::signature::v3::{Authorization, SignedRequest, X_TC_TIMESTAMP, X_TC_TOKEN};
use crate::signature::{v1, v3};
use crate::types::clock::Timestamp;
use crate::types::error::Error;
use crate::types::id::{AppId, RequestId, SecretId, Uin};
use crate::types::key_state::KeyState;

/// How far the client's clock may be from the server's, in seconds.
pub const MAX_SKEW_SECONDS: u64 = 300;

/// Whoever signed a request. Made here only.
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

/// Why a request is refused, in full. The caller is told less: see `api::envelope`.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The `Authorization` header is not one of version 3.
    #[error("{0}")]
    MalformedV3(#[from] v3::Malformed),
    /// The parameters are not those of version 1.
    #[error("{0}")]
    MalformedV1(#[from] v1::Malformed),
    /// Neither version's signature, or more than one.
    #[error("there must be exactly one Authorization header, or the parameters of signature version 1")]
    NoAuthorization,
    /// No usable timestamp.
    #[error("the timestamp must be given once, as seconds since 1970")]
    NoTimestamp,
    /// The id is not the shape of a SecretId.
    #[error("the SecretId is not the shape of one")]
    SecretIdShape,
    /// A temporary token, which this server does not issue.
    #[error("a token was sent, and this server issues none")]
    Token,
    /// There is no such key.
    #[error("unknown key")]
    UnknownKey,
    /// The key was deleted.
    #[error("deleted key")]
    Deleted,
    /// The key is disabled; whether the signature is right matters to its record only.
    #[error("disabled key")]
    Disabled {
        /// Is the signature that of this request? Unknown where the body was not worth reading.
        signed: Option<bool>,
    },
    /// The signature is not that of this request.
    #[error("wrong signature")]
    Signature,
    /// The timestamp is too far from the server's clock.
    #[error("timestamp too far from the server's clock")]
    Expired,
    /// The check itself failed.
    #[error("the key's state could not be known: {0}")]
    Fault(Error),
}

impl Refusal {
    /// In two words, for records and counters.
    fn kind(&self) -> &'static str {
        match self {
            Self::MalformedV3(_)
            | Self::MalformedV1(_)
            | Self::NoAuthorization
            | Self::NoTimestamp
            | Self::SecretIdShape => "malformed",
            Self::UnknownKey => "unknown key",
            Self::Deleted => "deleted",
            Self::Disabled { signed: Some(true) } => "disabled",
            Self::Disabled { signed: None } => "disabled unread",
            Self::Signature | Self::Disabled { signed: Some(false) } => "wrong signature",
            Self::Expired => "expired",
            Self::Token => "token",
            Self::Fault(_) => "fault",
        }
    }

    /// For the key's record of use, where there is a key to show it on and the outcome is its own.
    fn recorded(&self) -> Option<&'static str> {
        match self {
            Self::Deleted | Self::Disabled { .. } | Self::Signature | Self::Expired | Self::Token => Some(self.kind()),
            Self::MalformedV3(_)
            | Self::MalformedV1(_)
            | Self::NoAuthorization
            | Self::NoTimestamp
            | Self::SecretIdShape
            | Self::UnknownKey
            | Self::Fault(_) => None,
        }
    }

    /// Was the request signed with the key all the same? [`check_key`] looks at the signature before the clock and the token.
    fn is_of_a_right_signature(&self) -> bool {
        matches!(self, Self::Disabled { signed: Some(true) } | Self::Expired | Self::Token)
    }
}

/// What a request says of itself: whose it is, when it was signed, and that it was.
#[derive(Debug)]
pub enum Claim<'a> {
    /// By header.
    V3 {
        /// The parsed header.
        authorization: Authorization<'a>,
        /// What it signs.
        request: SignedRequest<'a>,
        /// Is a temporary token sent along?
        token: bool,
    },
    /// By parameters.
    V1 {
        /// The parameters.
        claim: &'a v1::Claim,
        /// In upper case.
        method: &'a str,
        /// As sent.
        host: &'a str,
    },
}

impl<'a> Claim<'a> {
    /// Of a version 3 request. `payload_sha256` is as [`v3::payload_hash`] makes it.
    pub fn v3(
        method: &'a str,
        path: &'a str,
        query: &'a str,
        headers: &'a HeaderMap,
        payload_sha256: &'a str,
    ) -> Result<Self, Refusal> {
        let header = only(headers, header::AUTHORIZATION).ok_or(Refusal::NoAuthorization)?;
        let authorization = Authorization::parse(header)?;
        let timestamp = only(headers, X_TC_TIMESTAMP).ok_or(Refusal::NoTimestamp)?;
        let request = SignedRequest { method, path, query, headers, payload_sha256, timestamp };
        let token = headers.get_all(X_TC_TOKEN).iter().any(|token| !token.is_empty());
        Ok(Self::V3 { authorization, request, token })
    }

    /// The shape of one.
    fn secret_id(&self) -> Result<&str, Refusal> {
        let sent = match self {
            Self::V3 { authorization, .. } => authorization.secret_id,
            Self::V1 { claim, .. } => claim.get("SecretId").unwrap_or_default(),
        };
        if SecretId::is_one(sent) { Ok(sent) } else { Err(Refusal::SecretIdShape) }
    }

    fn seconds(&self) -> Result<i64, Refusal> {
        let sent = match self {
            Self::V3 { request, .. } => request.timestamp,
            Self::V1 { claim, .. } => claim.get("Timestamp").unwrap_or_default(),
        };
        sent.parse().map_err(|_| Refusal::NoTimestamp)
    }

    fn has_token(&self) -> bool {
        match self {
            Self::V3 { token, .. } => *token,
            Self::V1 { claim, .. } => claim.get("Token").is_some_and(|token| !token.is_empty()),
        }
    }

    /// What the server makes of a version 3 request, for its key's owner; of some, not of a flood.
    fn diagnose(&self, app: &App, seconds: i64, key: &RegisteredKey, request_id: RequestId) -> Option<RefusedCall> {
        let (Self::V3 { authorization, request, .. }, Some(secret_key)) = (self, &key.secret_key) else { return None };
        if !app.usage.takes_diagnosis() {
            return None;
        }
        let date = Timestamp(seconds.saturating_mul(1000)).utc_date();
        let diagnosis = diagnosis::diagnose(authorization, request, secret_key, &date);
        Some(RefusedCall { request_id, signed_at: Timestamp(seconds.saturating_mul(1000)), diagnosis })
    }

    fn matches(&self, seconds: i64, key: &RegisteredKey, secret_key: &SecretString) -> bool {
        match self {
            Self::V3 { authorization, request, .. } => {
                key.matches_v3(secret_key, authorization, request, Timestamp(seconds.saturating_mul(1000)))
            }
            Self::V1 { claim, method, host } => claim.matches(method, host, secret_key),
        }
    }
}

/// What a request wants. Only what is known to be harmless is recorded of it: anybody can name a key and say anything.
#[derive(Clone, Copy, Debug)]
pub enum Wants<'a> {
    /// One of the API's own actions, by its name.
    Action(&'static str),
    /// Something of a back end.
    Request {
        /// As sent.
        method: &'a str,
        /// As sent.
        path: &'a str,
    },
}

/// What of a request its key has signed, though perhaps something else of it differs.
#[derive(Clone, Copy, Debug, Default)]
struct Proved {
    method: bool,
    path: bool,
}

/// Longest `METHOD path` taken into a record.
const WANTS_LIMIT: usize = 128;

impl<'a> Wants<'a> {
    /// For the record: of a request to a back end, what its key has signed of it, and otherwise a method that HTTP has.
    fn recorded(self, proved: Proved) -> Cow<'a, str> {
        let (method, path) = match self {
            Self::Action(name) => return name.into(),
            Self::Request { method, path } => (if proved.method { method } else { known_method(method) }, path),
        };
        if !proved.path {
            return method[..method.floor_char_boundary(WANTS_LIMIT)].into();
        }
        format!("{method} {path}").chars().filter(|c| !c.is_control()).take(WANTS_LIMIT).collect()
    }
}

/// What a check is asked for: for records and counters.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// By which door.
    pub door: Door,
    /// What the request wants.
    pub wants: Wants<'a>,
    /// Where it comes from.
    pub address: IpAddr,
    /// The id its caller is told.
    pub request_id: RequestId,
}

/// Checks a request and records the outcome for its key.
pub async fn check(app: &App, claim: &Claim<'_>, asked: Asked<'_>) -> Result<Signed, Refusal> {
    let signed = counted(app, asked.door, check_claim(app, claim, asked).await)?;
    app.metrics.accepted(asked.door);
    Ok(signed)
}

/// Counts a refusal, that of a claim which cannot be read among them.
pub fn counted<T>(app: &App, door: Door, outcome: Result<T, Refusal>) -> Result<T, Refusal> {
    outcome.inspect_err(|refusal| app.metrics.refused(door, refusal.kind()))
}

async fn check_claim(app: &App, claim: &Claim<'_>, asked: Asked<'_>) -> Result<Signed, Refusal> {
    let secret_id = claim.secret_id()?;
    let seconds = claim.seconds()?;
    let now = app.clock.now();
    let fresh = app.registry.fresh().await.map_err(Refusal::Fault)?;
    // A key that was never known has nobody to show a record to.
    let key = app.registry.get(&fresh, secret_id).ok_or(Refusal::UnknownKey)?;
    let outcome = check_key(claim, &key, seconds, now);
    let refused = outcome.as_ref().err();
    let refusal = refused.and_then(Refusal::recorded);
    if refused.is_none() || refusal.is_some() {
        let diagnosed = refusal.and_then(|_| claim.diagnose(app, seconds, &key, asked.request_id));
        let proved = match &diagnosed {
            _ if refused.is_none_or(Refusal::is_of_a_right_signature) => Proved { method: true, path: true },
            Some(RefusedCall { diagnosis, .. }) if diagnosis.variant_was_signed => {
                Proved { method: diagnosis.cause != Some(Cause::Method), path: diagnosis.cause != Some(Cause::Path) }
            }
            _ => Proved::default(),
        };
        let action = asked.wants.recorded(proved);
        app.usage.record(&key.uses, Call { at: now, action: &action, address: asked.address, refusal, diagnosed });
    }
    outcome.map(|()| Signed { key })
}

fn check_key(claim: &Claim<'_>, key: &RegisteredKey, seconds: i64, now: Timestamp) -> Result<(), Refusal> {
    let secret_key = match (&key.secret_key, key.state) {
        (Some(secret_key), _) => secret_key,
        (None, KeyState::Deleted) => return Err(Refusal::Deleted),
        (None, _) => return Err(Refusal::Fault(Error::internal("the key's stored secret does not open"))),
    };
    let signed = claim.matches(seconds, key, secret_key);
    match key.state {
        KeyState::Disabled => Err(Refusal::Disabled { signed: Some(signed) }),
        KeyState::Deleted => Err(Refusal::Deleted),
        KeyState::Enabled if !signed => Err(Refusal::Signature),
        KeyState::Enabled if now.seconds().abs_diff(seconds) > MAX_SKEW_SECONDS => Err(Refusal::Expired),
        KeyState::Enabled if claim.has_token() => Err(Refusal::Token),
        KeyState::Enabled => Ok(()),
    }
}

/// Is a request with these headers worth reading a long body for? A well-formed claim of an enabled key, made now; the
/// check itself follows when the body is there. A refusal is recorded for the key, if there is one.
pub async fn is_worth_reading(app: &App, headers: &HeaderMap, asked: Asked<'_>) -> Result<(), Refusal> {
    let worth = async {
        let claim = Claim::v3("", "", "", headers, "")?;
        let (secret_id, seconds) = (claim.secret_id()?, claim.seconds()?);
        let now = app.clock.now();
        let fresh = app.registry.fresh().await.map_err(Refusal::Fault)?;
        let key = app.registry.get(&fresh, secret_id).ok_or(Refusal::UnknownKey)?;
        let refusal = match key.state {
            KeyState::Enabled if now.seconds().abs_diff(seconds) > MAX_SKEW_SECONDS => Refusal::Expired,
            KeyState::Enabled => return Ok(()),
            KeyState::Disabled => Refusal::Disabled { signed: None },
            KeyState::Deleted => Refusal::Deleted,
        };
        record_unread(app, &key, now, &refusal, asked);
        Err(refusal)
    };
    counted(app, asked.door, worth.await)
}

/// Records a refusal of which nobody knows whether the signature is right: the body it is about was not read.
fn record_unread(app: &App, key: &RegisteredKey, at: Timestamp, refusal: &Refusal, asked: Asked<'_>) {
    let action = asked.wants.recorded(Proved::default());
    let call = Call { at, action: &action, address: asked.address, refusal: refusal.recorded(), diagnosed: None };
    app.usage.record(&key.uses, call);
}
