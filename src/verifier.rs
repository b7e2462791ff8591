//! The one check behind every door: signature, key, state, clock, record.
//!
//! Invariant: a positive answer rests on a read of the key that began after the request arrived. Where the key's state
//! cannot be known, the request is refused.

use axum::http::HeaderMap;

use crate::api_key::{self, KeyState};
use crate::clock::Timestamp;
use crate::db::api_keys as db;
use crate::error::Error;
use crate::id::{AppId, SecretId, Uin};
use crate::signature::v3::{self, Authorization, Malformed, SignedRequest};
use crate::state::App;
use crate::usage::UseRecord;

/// How far the client's clock may be from the server's, in seconds.
pub const MAX_SKEW_SECONDS: i64 = 300;

/// Whoever signed a request. Made here only.
#[derive(Clone, Debug)]
pub struct Signed {
    uin: Uin,
    app_id: AppId,
    secret_id: SecretId,
}

impl Signed {
    /// The key's account.
    pub fn uin(&self) -> Uin {
        self.uin
    }

    /// The account's APPID.
    pub fn app_id(&self) -> AppId {
        self.app_id
    }

    /// The key.
    pub fn secret_id(&self) -> &SecretId {
        &self.secret_id
    }
}

/// Why a request is refused, in full. The caller is told less: see `api::envelope`.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// No `Authorization` header, or not one of version 3.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// No `Authorization` header, or more than one.
    #[error("there must be exactly one Authorization header")]
    NoAuthorization,
    /// No usable `X-TC-Timestamp`.
    #[error("X-TC-Timestamp must be given once, as seconds since 1970")]
    NoTimestamp,
    /// The id is not the shape of a SecretId.
    #[error("the SecretId in the Credential is not the shape of one")]
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
    /// The key is disabled.
    #[error("disabled key")]
    Disabled,
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
    /// For the key's record of use, where the key is known.
    fn recorded(&self) -> Option<&'static str> {
        match self {
            Self::Deleted => Some("deleted"),
            Self::Disabled => Some("disabled"),
            Self::Signature => Some("wrong signature"),
            Self::Expired => Some("expired"),
            Self::Token => Some("token"),
            _ => None,
        }
    }
}

/// A request as it arrived, and what to record of it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Method, upper case.
    pub method: &'a str,
    /// Path as sent.
    pub path: &'a str,
    /// Query as sent, empty for none.
    pub query: &'a str,
    /// All headers.
    pub headers: &'a HeaderMap,
    /// SHA-256 of the payload, hexadecimal, as [`v3::payload_hash`] makes it.
    pub payload_sha256: &'a str,
    /// For the record: what it asks for.
    pub action: &'a str,
    /// For the record: where it comes from.
    pub address: &'a str,
}

/// Checks a request and records the outcome for its key.
pub async fn check(app: &App, request: Request<'_>) -> Result<Signed, Refusal> {
    let header = only(request.headers, "authorization").ok_or(Refusal::NoAuthorization)?;
    let authorization = Authorization::parse(header)?;
    let secret_id: SecretId = authorization.secret_id.parse().map_err(|_| Refusal::SecretIdShape)?;
    let timestamp = only(request.headers, "x-tc-timestamp").ok_or(Refusal::NoTimestamp)?;
    let seconds: i64 = timestamp.parse().map_err(|_| Refusal::NoTimestamp)?;
    let now = app.clock.now();

    let outcome = check_key(app, &authorization, &secret_id, request, timestamp, seconds, now).await;
    let refusal = outcome.as_ref().err();
    // A key that was never known has nobody to show the record to.
    if refusal.is_none_or(|refusal| refusal.recorded().is_some()) {
        app.usage.record(UseRecord {
            secret_id,
            at: now,
            action: request.action.to_owned(),
            address: request.address.to_owned(),
            refusal: refusal.and_then(Refusal::recorded),
        });
    }
    outcome
}

async fn check_key(
    app: &App,
    authorization: &Authorization<'_>,
    secret_id: &SecretId,
    request: Request<'_>,
    timestamp: &str,
    seconds: i64,
    now: Timestamp,
) -> Result<Signed, Refusal> {
    let fault = |error: Error| Refusal::Fault(error);
    let key = db::for_verifier(&app.db, secret_id).await.map_err(|error| fault(error.into()))?;
    let key = key.ok_or(Refusal::UnknownKey)?;
    let sealed = key.sealed_secret().ok_or(Refusal::Deleted)?;
    let secret_key = api_key::open_secret(app, secret_id, &sealed).map_err(fault)?;

    let Request { method, path, query, headers, payload_sha256, .. } = request;
    let signed = SignedRequest { method, path, query, headers, payload_sha256, timestamp };
    let right = authorization.date == Timestamp(seconds.saturating_mul(1000)).utc_date()
        && v3::matches(authorization, &signed, &secret_key);
    match key.state {
        KeyState::Enabled if !right => Err(Refusal::Signature),
        KeyState::Enabled if now.seconds().abs_diff(seconds) > MAX_SKEW_SECONDS.unsigned_abs() => Err(Refusal::Expired),
        KeyState::Enabled if headers.contains_key("x-tc-token") => Err(Refusal::Token),
        KeyState::Enabled => Ok(Signed { uin: key.uin, app_id: key.app_id, secret_id: secret_id.clone() }),
        KeyState::Disabled => Err(Refusal::Disabled),
        KeyState::Deleted => Err(Refusal::Deleted),
    }
}

/// The value of a header that must stand exactly once.
pub(crate) fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}
