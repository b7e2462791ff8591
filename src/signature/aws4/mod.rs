//! Signature Version 4, `AWS4-HMAC-SHA256`: an HMAC over the request, in the `Authorization` header or, for a presigned
//! URL, in the query. Libraries in every language, and tools such as curl, sign with it. Region and service of its scope
//! are free.
//!
//! May import what `signature` may.

pub mod authorization;
pub mod canonical;
mod diagnosis;
mod presigned;

use axum::http::header::{self, HeaderMap, HeaderName};
use secrecy::SecretString;

pub use self::authorization::{Authorization, Malformed};
pub use self::canonical::{SignedRequest, SigningKey, matches};
use self::presigned::Presigned;
pub use self::presigned::is_presigned;
use super::diagnosis::Diagnosis;
use super::scheme::{Payload, Scheme, SentBody, SentRequest, UNSIGNED_PAYLOAD};
use crate::http::headers::only;
use crate::types::clock::Timestamp;

/// The algorithm's name, which is the first word of the header.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TERMINATOR: &str = "aws4_request";
/// The beginning of the algorithm's name, which its variants share.
const FAMILY: &str = "AWS4-";
/// The beginning of the names of headers that instruct services.
const INSTRUCTIONS: &str = "x-amz-";

/// The header with the time at which the request was signed.
pub const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
/// The header with a temporary token.
pub const X_AMZ_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
/// The header in which the client states the payload's hash, or `UNSIGNED-PAYLOAD`.
pub const X_AMZ_CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");

/// The claim of a Signature Version 4 request.
#[derive(Debug)]
pub struct Aws4Claim<'r> {
    authorization: Authorization<'r>,
    request: SignedRequest<'r>,
    body: Option<&'r [u8]>,
    signed_at: Timestamp,
    /// Of a presigned URL, in seconds.
    lifetime: Option<u64>,
    has_token: bool,
}

impl<'r> Scheme<'r> for Aws4Claim<'r> {
    const NAME: &'static str = ALGORITHM;
    const EXPLAINS: bool = true;
    type SigningKey = SigningKey;

    /// A signature in the query counts as well, so that it is refused in words, also beside another one.
    fn is_used_by(request: &SentRequest<'_>) -> bool {
        let mut values = request.headers.get_all(header::AUTHORIZATION).iter();
        values.any(|value| value.as_bytes().starts_with(FAMILY.as_bytes())) || is_presigned(request.query)
    }

    fn signed_headers(request: &SentRequest<'r>) -> Vec<&'r str> {
        let authorization = if is_presigned(request.query) {
            Presigned::parse(request.method, request.query).ok().map(|presigned| presigned.authorization)
        } else {
            only(request.headers, header::AUTHORIZATION).and_then(|header| Authorization::parse(header).ok())
        };
        authorization.map(|authorization| authorization.signed_headers().collect()).unwrap_or_default()
    }

    fn reads_header(name: &str) -> bool {
        name == "authorization" || name.starts_with(INSTRUCTIONS)
    }

    /// A body at hand is hashed, whatever hash the client states. A stated `UNSIGNED-PAYLOAD` is what was signed. A
    /// presigned URL comes without a body.
    fn payload(request: &SentRequest<'_>) -> Result<Payload, super::Malformed> {
        if is_presigned(request.query) {
            let empty = Payload::of(b"");
            return match request.body {
                SentBody::Unread => Ok(Payload::default()),
                SentBody::Whole(b"") | SentBody::Elsewhere => Ok(empty),
                SentBody::Hashed(said) if said == empty.sha256 => Ok(empty),
                _ => Err(Malformed::PresignedMethod.into()),
            };
        }
        let stated = stated(request.headers)?;
        Ok(match (request.body, stated) {
            (SentBody::Unread, _) => Payload::default(),
            (_, Some(stated)) if stated.says_unsigned => stated,
            (SentBody::Whole(body), _) => Payload::of(body),
            (SentBody::Hashed(said), _) => Payload::stated(said).ok_or(Malformed::PayloadHash)?,
            (SentBody::Elsewhere, stated) => stated.unwrap_or_else(|| Payload::of(b"")),
        })
    }

    fn read(request: &SentRequest<'r>, payload: &'r Payload) -> Result<Self, super::Malformed> {
        let SentRequest { method, path, query, headers, .. } = *request;
        let (authorization, time, lifetime, token_in_query) = if is_presigned(query) {
            if headers.contains_key(header::AUTHORIZATION) {
                return Err(Malformed::Query.into());
            }
            let Presigned { authorization, time, lifetime, has_token } = Presigned::parse(method, query)?;
            (authorization, time, Some(lifetime), has_token)
        } else {
            let header = only(headers, header::AUTHORIZATION).ok_or(super::Malformed::NoSignature)?;
            let authorization = Authorization::parse(header)?;
            (authorization, only(headers, X_AMZ_DATE).ok_or(Malformed::Date)?, None, false)
        };
        let signed_at = Timestamp::of_basic_format(time).ok_or(Malformed::Date)?;
        let is_signed = |name: &HeaderName| authorization.signed_headers().any(|signed| signed == name.as_str());
        let instructs = |name: &&HeaderName| name.as_str().starts_with(INSTRUCTIONS) && *name != X_AMZ_CONTENT_SHA256;
        if !headers.keys().filter(instructs).all(is_signed) {
            return Err(Malformed::Unsigned.into());
        }
        let has_token = token_in_query || headers.contains_key(X_AMZ_SECURITY_TOKEN);
        let payload = match lifetime {
            // The one service whose presigned URLs say nothing about the body.
            Some(_) if authorization.service == "s3" => UNSIGNED_PAYLOAD,
            _ => payload.shown(),
        };
        let signed = SignedRequest { method, path, query, headers, payload, time };
        let body = request.body.whole();
        Ok(Self { authorization, request: signed, body, signed_at, lifetime, has_token })
    }

    fn secret_id(&self) -> &str {
        self.authorization.secret_id
    }

    fn signed_at(&self) -> Option<Timestamp> {
        Some(self.signed_at)
    }

    fn lifetime(&self) -> Option<u64> {
        self.lifetime
    }

    fn has_token(&self) -> bool {
        self.has_token
    }

    fn scope(&self) -> Option<(&str, &str)> {
        Some((self.authorization.region, self.authorization.service))
    }

    /// Returns `None` if the scope's date is not that of `X-Amz-Date`.
    fn signing_key(&self, secret_key: &SecretString) -> Option<SigningKey> {
        self.is_of_its_day().then(|| SigningKey::derive(secret_key, &self.authorization))
    }

    fn is_under(&self, kept: &SigningKey) -> bool {
        self.is_of_its_day() && kept.is_for(&self.authorization)
    }

    fn matches(&self, _: &SecretString, signing_key: &SigningKey) -> bool {
        matches(&self.authorization, &self.request, signing_key)
    }

    fn diagnose(&self, secret_key: &SecretString) -> Option<Diagnosis> {
        Some(diagnosis::diagnose(&self.authorization, &self.request, self.body, secret_key, self.is_of_its_day()))
    }
}

impl Aws4Claim<'_> {
    fn is_of_its_day(&self) -> bool {
        self.request.time.get(..8) == Some(self.authorization.date)
    }
}

/// The payload as the client states it, if it does.
fn stated(headers: &HeaderMap) -> Result<Option<Payload>, Malformed> {
    if !headers.contains_key(X_AMZ_CONTENT_SHA256) {
        return Ok(None);
    }
    match only(headers, X_AMZ_CONTENT_SHA256) {
        Some(said) if said.starts_with("STREAMING-") => Err(Malformed::Streaming),
        Some(said) => Payload::stated(said).map(Some).ok_or(Malformed::PayloadHash),
        None => Err(Malformed::PayloadHash),
    }
}

#[cfg(test)]
mod tests;
