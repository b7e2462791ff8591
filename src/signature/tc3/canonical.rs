//! The canonical request, the string to sign and the signing key of version 3:
//!
//! ```text
//! canonical request = METHOD \n path \n query \n name:value\n… \n signed names \n hex(sha256(payload))
//! string to sign    = TC3-HMAC-SHA256 \n timestamp \n date/service/tc3_request \n hex(sha256(canonical request))
//! signing key       = HMAC chain from "TC3" + SecretKey over date, service, "tc3_request"
//! ```

use axum::http::HeaderMap;
use axum::http::header;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::authorization::Authorization;
use super::{ALGORITHM, TERMINATOR};
use crate::signature::hosts;
use crate::signature::scheme::UNSIGNED_PAYLOAD;

/// The signed parts of a request.
#[derive(Clone, Copy, Debug)]
pub struct SignedRequest<'a> {
    /// The method in upper case, as sent.
    pub method: &'a str,
    /// The path, as sent and not decoded.
    pub path: &'a str,
    /// The query, as sent and without the question mark; empty if there is none.
    pub query: &'a str,
    /// The headers, as sent.
    pub headers: &'a HeaderMap,
    /// The SHA-256 of the payload on the wire, in lower-case hexadecimal; see [`payload_hash`].
    pub payload_sha256: &'a str,
    /// `X-TC-Timestamp` as sent.
    pub timestamp: &'a str,
}

/// The payload hash that a client signs: that of the payload, or that of [`UNSIGNED_PAYLOAD`] if the client does not
/// sign it.
pub fn payload_hash(unsigned: bool, payload: &[u8]) -> String {
    sha256_hex(if unsigned { UNSIGNED_PAYLOAD.as_bytes() } else { payload })
}

/// The signing key for one date and service. Deriving it takes half the time of a check, so it is worth caching.
pub struct SigningKey {
    date: String,
    service: String,
    key: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey")
    }
}

impl SigningKey {
    /// Derives the signing key from `secret_key` for the scope of `authorization`.
    pub fn derive(secret_key: &SecretString, authorization: &Authorization<'_>) -> Self {
        let (date, service) = (authorization.date.to_owned(), authorization.service.to_owned());
        let secret = Zeroizing::new(format!("TC3{}", secret_key.expose_secret()));
        let mut key = Zeroizing::new([0; 32]);
        key.copy_from_slice(&hmac(secret.as_bytes(), date.as_bytes()).finalize().into_bytes());
        for part in [&service, TERMINATOR] {
            let next = hmac(key.as_slice(), part.as_bytes()).finalize().into_bytes();
            key.copy_from_slice(&next);
        }
        Self { date, service, key }
    }

    /// Returns `true` if the key is for the scope of `authorization`.
    pub fn is_for(&self, authorization: &Authorization<'_>) -> bool {
        self.date == authorization.date && self.service == authorization.service
    }

    fn sign(&self, text: &str) -> Hmac<Sha256> {
        hmac(self.key.as_slice(), text.as_bytes())
    }
}

/// Returns `true` if the signature is that of `request` under `key`, which must be for its scope. Compares in constant
/// time.
pub fn matches(authorization: &Authorization<'_>, request: &SignedRequest<'_>, key: &SigningKey) -> bool {
    readings(request.headers).any(|reading| {
        let Some(canonical) = canonical_request(authorization, request, reading) else { return false };
        let to_sign = string_to_sign(authorization, request, &canonical);
        key.sign(&to_sign).verify_slice(&authorization.signature).is_ok()
    })
}

/// Creates the `Authorization` header of `request`, in which the content type and the host from its headers are signed.
/// Returns `None` if one of them is missing or not text.
pub fn authorize(
    request: &SignedRequest<'_>,
    secret_id: &str,
    secret_key: &SecretString,
    date: &str,
    service: &str,
) -> Option<String> {
    let signed_headers = "content-type;host";
    let unsigned = Authorization { secret_id, date, service, signed_headers, signature: [0; 32] };
    let canonical = canonical_request(&unsigned, request, readings(request.headers).next()?)?;
    let to_sign = string_to_sign(&unsigned, request, &canonical);
    let signature = SigningKey::derive(secret_key, &unsigned).sign(&to_sign).finalize();
    let signature = data_encoding::HEXLOWER.encode(&signature.into_bytes());
    Some(format!(
        "{ALGORITHM} Credential={secret_id}/{date}/{service}/{TERMINATOR}, SignedHeaders={signed_headers}, \
         Signature={signature}"
    ))
}

/// One way in which clients turn headers into signed lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading<'a> {
    pub(super) host: &'a str,
    pub(super) raw_values: bool,
}

/// The readings to try. Lower-case values come first, because most clients sign those.
pub(super) fn readings(headers: &HeaderMap) -> impl Iterator<Item = Reading<'_>> {
    let sent = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    hosts(sent).flat_map(|host| [false, true].map(|raw_values| Reading { host, raw_values }))
}

/// Builds the canonical request. Returns `None` if a signed header is missing, has different values, or is not text.
/// Some clients send a header more than once with the same value, which counts as one; only the host must appear
/// exactly once.
pub(super) fn canonical_request(
    authorization: &Authorization<'_>,
    request: &SignedRequest<'_>,
    reading: Reading<'_>,
) -> Option<String> {
    let mut canonical = String::with_capacity(256);
    for part in [request.method, request.path, request.query] {
        canonical.push_str(part);
        canonical.push('\n');
    }
    for name in authorization.signed_headers() {
        let mut values = match name {
            "host" => request.headers.get_all(header::HOST),
            "content-type" => request.headers.get_all(header::CONTENT_TYPE),
            other => request.headers.get_all(other),
        }
        .iter();
        let first = values.next()?;
        if values.any(|other| name == "host" || other != first) {
            return None;
        }
        let value = if name == "host" { reading.host } else { first.to_str().ok()?.trim() };
        canonical.push_str(name);
        canonical.push(':');
        let value_begins = canonical.len();
        canonical.push_str(value);
        if !reading.raw_values {
            canonical[value_begins..].make_ascii_lowercase();
        }
        canonical.push('\n');
    }
    canonical.push('\n');
    canonical.push_str(authorization.signed_headers);
    canonical.push('\n');
    canonical.push_str(request.payload_sha256);
    Some(canonical)
}

pub(super) fn string_to_sign(
    authorization: &Authorization<'_>,
    request: &SignedRequest<'_>,
    canonical: &str,
) -> String {
    let Authorization { date, service, .. } = authorization;
    let hash = sha256_hex(canonical.as_bytes());
    [ALGORITHM, "\n", request.timestamp, "\n", date, "/", service, "/", TERMINATOR, "\n", &hash].concat()
}

fn hmac(key: &[u8], message: &[u8]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length").chain_update(message)
}

pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes))
}
