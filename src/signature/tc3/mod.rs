//! Signature version 3, `TC3-HMAC-SHA256`.
//!
//! ```text
//! canonical request = METHOD \n path \n query \n name:value\n… \n signed names \n hex(sha256(payload))
//! string to sign    = TC3-HMAC-SHA256 \n timestamp \n date/service/tc3_request \n hex(sha256(canonical request))
//! signing key       = HMAC chain from "TC3" + SecretKey over date, service, "tc3_request"
//! ```
//!
//! Clients differ in what they sign, and all of them must pass unchanged: the host with or without its port, header
//! values in lower case or as sent. Each reading is tried as it stands; nothing is normalised before.

use axum::http::HeaderMap;
use axum::http::header::{self, HeaderName};
use hmac::{Hmac, KeyInit, Mac};
use memchr::memchr;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The algorithm's name, first word of the header.
pub const ALGORITHM: &str = "TC3-HMAC-SHA256";
/// In place of the payload's hash, where the client does not sign it.
pub const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// The action that is asked for.
pub const X_TC_ACTION: HeaderName = HeaderName::from_static("x-tc-action");
/// Its version.
pub const X_TC_VERSION: HeaderName = HeaderName::from_static("x-tc-version");
/// When the request was signed.
pub const X_TC_TIMESTAMP: HeaderName = HeaderName::from_static("x-tc-timestamp");
/// A temporary token.
pub const X_TC_TOKEN: HeaderName = HeaderName::from_static("x-tc-token");
/// The payload's hash, or [`UNSIGNED_PAYLOAD`], as the client says it.
pub const X_TC_CONTENT_SHA256: HeaderName = HeaderName::from_static("x-tc-content-sha256");

const TERMINATOR: &str = "tc3_request";
/// More are never needed, and each is looked for among the others.
const MOST_SIGNED_HEADERS: usize = 32;
const MANDATORY_HEADERS: [&str; 2] = ["content-type", "host"];

/// The header is not a TC3 authorization; what is wrong with it, for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Another algorithm, `SKIP`, or none.
    #[error("the Authorization header does not begin with {ALGORITHM}")]
    Algorithm,
    /// Not `Credential=…, SignedHeaders=…, Signature=…`.
    #[error("the Authorization header is not `{ALGORITHM} Credential=…, SignedHeaders=…, Signature=…`")]
    Parts,
    /// Not `id/date/service/tc3_request`.
    #[error("the Credential is not `SecretId/date/service/tc3_request`")]
    Credential,
    /// `content-type` or `host` is not signed, or a name stands twice.
    #[error("SignedHeaders must name content-type and host, each name once, in lower case")]
    SignedHeaders,
    /// Not 64 lower-case hexadecimal digits.
    #[error("the Signature is not 64 lower-case hexadecimal digits")]
    Signature,
}

/// A parsed `Authorization` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization<'a> {
    /// The key's id as sent; its shape is not yet checked.
    pub secret_id: &'a str,
    /// The scope's date.
    pub date: &'a str,
    /// The scope's service. Clients put the first label of their endpoint here, so it says nothing about the product.
    pub service: &'a str,
    signed_headers: &'a str,
    signature: [u8; 32],
}

impl<'a> Authorization<'a> {
    /// Parses the header's value.
    pub fn parse(header: &'a str) -> Result<Self, Malformed> {
        let parts = header.strip_prefix(ALGORITHM).ok_or(Malformed::Algorithm)?;
        let parts = parts.strip_prefix(' ').ok_or(Malformed::Algorithm)?;
        let [mut credential, mut signed_headers, mut signature] = [None; 3];
        for part in pieces(parts, b',') {
            let part = part.trim_ascii();
            let (name, value) =
                memchr(b'=', part.as_bytes()).map(|at| (&part[..at], &part[at + 1..])).ok_or(Malformed::Parts)?;
            let place = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => return Err(Malformed::Parts),
            };
            if place.replace(value).is_some() {
                return Err(Malformed::Parts);
            }
        }
        let (Some(credential), Some(signed_headers), Some(signature)) = (credential, signed_headers, signature) else {
            return Err(Malformed::Parts);
        };
        let (secret_id, date, service) = parse_credential(credential)?;
        check_signed_headers(signed_headers)?;
        let signature = parse_signature(signature).ok_or(Malformed::Signature)?;
        Ok(Self { secret_id, date, service, signed_headers, signature })
    }

    /// The names of the signed headers, in lower case.
    pub fn signed_headers(&self) -> impl Iterator<Item = &'a str> {
        pieces(self.signed_headers, b';')
    }
}

/// As `str::split` makes them; on texts as short as these in a third of the time. The separator is an ASCII character.
fn pieces(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(at) = memchr(separator, text.as_bytes()) else { return rest.take() };
        rest = Some(&text[at + 1..]);
        Some(&text[..at])
    })
}

/// The service is what clients make of their endpoint, and may hold anything but a slash.
fn parse_credential(credential: &str) -> Result<(&str, &str, &str), Malformed> {
    let mut parts = pieces(credential, b'/');
    match (parts.next(), parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(id), Some(date), Some(service), Some(TERMINATOR), None)
            if !id.is_empty() && !date.is_empty() && !service.is_empty() =>
        {
            Ok((id, date, service))
        }
        _ => Err(Malformed::Credential),
    }
}

fn check_signed_headers(names: &str) -> Result<(), Malformed> {
    let all = || pieces(names, b';');
    if all().nth(MOST_SIGNED_HEADERS).is_some() {
        return Err(Malformed::SignedHeaders);
    }
    let lower = all().all(|name| !name.is_empty() && !name.bytes().any(|b| b.is_ascii_uppercase()));
    let once = all().enumerate().all(|(at, name)| all().take(at).all(|earlier| earlier != name));
    let mandatory = MANDATORY_HEADERS.iter().all(|wanted| all().any(|name| name == *wanted));
    if lower && once && mandatory { Ok(()) } else { Err(Malformed::SignedHeaders) }
}

fn parse_signature(hex: &str) -> Option<[u8; 32]> {
    data_encoding::HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok()
}

/// What of a request is signed.
#[derive(Clone, Copy, Debug)]
pub struct SignedRequest<'a> {
    /// In upper case, as sent.
    pub method: &'a str,
    /// As sent, undecoded.
    pub path: &'a str,
    /// As sent, without the question mark; empty for none.
    pub query: &'a str,
    /// As sent.
    pub headers: &'a HeaderMap,
    /// SHA-256 of the payload on the wire, in lower-case hexadecimal; see [`payload_hash`].
    pub payload_sha256: &'a str,
    /// `X-TC-Timestamp` as sent.
    pub timestamp: &'a str,
}

/// The payload hash a client signs: of the payload's bytes, or of the literal that says it did not sign them.
pub fn payload_hash(unsigned: bool, payload: &[u8]) -> String {
    sha256_hex(if unsigned { UNSIGNED_PAYLOAD.as_bytes() } else { payload })
}

/// The key that signs, for one date and service. Deriving it takes half the time of a check, so it is worth keeping.
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
    /// Of `secret_key`, for the scope of `authorization`.
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

    /// Is it for the scope of `authorization`?
    pub fn is_for(&self, authorization: &Authorization<'_>) -> bool {
        self.date == authorization.date && self.service == authorization.service
    }

    fn sign(&self, text: &str) -> Hmac<Sha256> {
        hmac(self.key.as_slice(), text.as_bytes())
    }
}

/// Is the signature that of `request` under `key`, which must be for its scope? Compared in constant time.
pub fn matches(authorization: &Authorization<'_>, request: &SignedRequest<'_>, key: &SigningKey) -> bool {
    readings(request.headers).any(|reading| {
        let Some(canonical) = canonical_request(authorization, request, reading) else { return false };
        let to_sign = string_to_sign(authorization, request, &canonical);
        key.sign(&to_sign).verify_slice(&authorization.signature).is_ok()
    })
}

/// The `Authorization` header of `request`, with content type and host signed as they stand in its headers. `None` if one
/// of them is missing or not text.
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
    host: &'a str,
    raw_values: bool,
}

/// Values in lower case first, as most clients sign them.
pub(super) fn readings(headers: &HeaderMap) -> impl Iterator<Item = Reading<'_>> {
    let sent = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    super::hosts(sent).flat_map(|host| [false, true].map(|raw_values| Reading { host, raw_values }))
}

/// `None` if a signed header is missing, stands with different values, or is not text. A header that stands more than once
/// with one and the same value, as some clients send it, says nothing but that value; only the host must stand once.
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

fn sha256_hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests;
