//! Signature version 3, `TC3-HMAC-SHA256`: an HMAC over the request, in the `Authorization` header, or in a header of its
//! own, which leaves `Authorization` to the application behind a guard.
//!
//! Clients differ in what they sign: the host with or without its port, header values in lower case or as sent. All of
//! them must work unchanged. Each reading is tried as it is; nothing is normalised beforehand.
//!
//! May import what `signature` may.

pub mod authorization;
pub mod canonical;
pub mod diagnosis;

use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;

pub use self::authorization::{Authorization, Malformed};
pub use self::canonical::{SignedRequest, SigningKey, authorize, matches, payload_hash};
use super::diagnosis::Diagnosis;
use super::scheme::{Payload, Scheme, SentBody, SentRequest, UNSIGNED_PAYLOAD};
use crate::http::headers::only;
use crate::types::clock::Timestamp;

/// The algorithm's name, which is the first word of the header.
pub const ALGORITHM: &str = "TC3-HMAC-SHA256";
const TERMINATOR: &str = "tc3_request";

/// The header that may hold the signature in place of `Authorization`.
pub const X_TC_AUTHORIZATION: HeaderName = HeaderName::from_static("x-tc-authorization");
/// The header with the requested action.
pub const X_TC_ACTION: HeaderName = HeaderName::from_static("x-tc-action");
/// The header with the version of the requested action.
pub const X_TC_VERSION: HeaderName = HeaderName::from_static("x-tc-version");
/// The header with the time at which the request was signed, in seconds since 1970.
pub const X_TC_TIMESTAMP: HeaderName = HeaderName::from_static("x-tc-timestamp");
/// The header with a temporary token.
pub const X_TC_TOKEN: HeaderName = HeaderName::from_static("x-tc-token");
/// The header in which the client states the payload's hash, or [`UNSIGNED_PAYLOAD`].
pub const X_TC_CONTENT_SHA256: HeaderName = HeaderName::from_static("x-tc-content-sha256");

/// The claim of a version 3 request.
#[derive(Debug)]
pub struct Tc3Claim<'r> {
    authorization: Authorization<'r>,
    request: SignedRequest<'r>,
    body: Option<&'r [u8]>,
    signed_at: Option<Timestamp>,
    has_token: bool,
}

/// A signing key and the day of its scope, in whole days since 1970 in UTC.
#[derive(Debug)]
pub struct ScopedKey {
    day: i64,
    key: SigningKey,
}

impl<'r> Scheme<'r> for Tc3Claim<'r> {
    const NAME: &'static str = ALGORITHM;
    const EXPLAINS: bool = true;
    type SigningKey = ScopedKey;

    /// Any `Authorization` header counts as a claim of this scheme, so that a malformed one is explained.
    fn is_used_by(request: &SentRequest<'_>) -> bool {
        request.headers.contains_key(header::AUTHORIZATION) || request.headers.contains_key(X_TC_AUTHORIZATION)
    }

    fn signed_headers(request: &SentRequest<'r>) -> Vec<&'r str> {
        let authorization = signature(request.headers).and_then(|header| Authorization::parse(header).ok());
        authorization.map(|authorization| authorization.signed_headers().collect()).unwrap_or_default()
    }

    fn reads_header(name: &str) -> bool {
        name == "authorization" || name.starts_with("x-tc-")
    }

    /// If the body is at hand, it is hashed. A hash in the header is then ignored, but [`UNSIGNED_PAYLOAD`] is not.
    fn payload(request: &SentRequest<'_>) -> Result<Payload, super::Malformed> {
        match request.body {
            SentBody::Whole(body) => {
                let says_unsigned = only(request.headers, X_TC_CONTENT_SHA256) == Some(UNSIGNED_PAYLOAD);
                Ok(Payload { sha256: payload_hash(says_unsigned, body), says_unsigned })
            }
            SentBody::Hashed(said) => Ok(Payload::stated(said).ok_or(Malformed::PayloadHash)?),
            SentBody::Elsewhere => match only(request.headers, X_TC_CONTENT_SHA256) {
                Some(said) => Ok(Payload::stated(said).ok_or(Malformed::PayloadHash)?),
                None if request.headers.contains_key(X_TC_CONTENT_SHA256) => Err(Malformed::PayloadHashNotOnce.into()),
                None => Ok(Payload::of(b"")),
            },
            SentBody::Unread => Ok(Payload::default()),
        }
    }

    fn read(request: &SentRequest<'r>, payload: &'r Payload) -> Result<Self, super::Malformed> {
        let SentRequest { method, path, query, headers, .. } = *request;
        let header = signature(headers).ok_or(super::Malformed::NoSignature)?;
        let authorization = Authorization::parse(header)?;
        let timestamp = only(headers, X_TC_TIMESTAMP).ok_or(super::Malformed::NoTimestamp)?;
        let signed_at = timestamp.parse().ok().map(Timestamp::of_seconds);
        let has_token = headers.get_all(X_TC_TOKEN).iter().any(|token| !token.is_empty());
        let signed = SignedRequest { method, path, query, headers, payload_sha256: &payload.sha256, timestamp };
        Ok(Self { authorization, request: signed, body: request.body.whole(), signed_at, has_token })
    }

    fn secret_id(&self) -> &str {
        self.authorization.secret_id
    }

    fn signed_at(&self) -> Option<Timestamp> {
        self.signed_at
    }

    fn has_token(&self) -> bool {
        self.has_token
    }

    /// Returns `None` if the scope's date is not the day of the timestamp.
    fn signing_key(&self, secret_key: &SecretString) -> Option<ScopedKey> {
        let signed_at = self.signed_at.filter(|signed_at| self.authorization.date == signed_at.utc_date())?;
        Some(ScopedKey { day: signed_at.day(), key: SigningKey::derive(secret_key, &self.authorization) })
    }

    fn is_under(&self, kept: &ScopedKey) -> bool {
        self.signed_at.is_some_and(|at| at.day() == kept.day) && kept.key.is_for(&self.authorization)
    }

    fn matches(&self, _: &SecretString, signing_key: &ScopedKey) -> bool {
        matches(&self.authorization, &self.request, &signing_key.key)
    }

    fn diagnose(&self, secret_key: &SecretString) -> Option<Diagnosis> {
        let date = self.signed_at?.utc_date();
        Some(diagnosis::diagnose(&self.authorization, &self.request, self.body, secret_key, &date))
    }
}

/// The header with the signature, if there is one signature. `Authorization` may hold something else beside the header of
/// its own.
fn signature(headers: &HeaderMap) -> Option<&str> {
    if !headers.contains_key(X_TC_AUTHORIZATION) {
        return only(headers, header::AUTHORIZATION);
    }
    let is_signature = |value: &HeaderValue| value.as_bytes().starts_with(ALGORITHM.as_bytes());
    let both = headers.get_all(header::AUTHORIZATION).iter().any(is_signature);
    only(headers, X_TC_AUTHORIZATION).filter(|_| !both)
}

#[cfg(test)]
mod tests;
