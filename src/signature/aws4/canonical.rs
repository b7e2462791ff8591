//! The canonical request, the string to sign and the signing key of Signature Version 4:
//!
//! ```text
//! canonical request = METHOD \n path \n query \n name:value\n… \n signed names \n payload hash
//! string to sign    = AWS4-HMAC-SHA256 \n time \n date/region/service/aws4_request \n hex(sha256(canonical request))
//! signing key       = HMAC chain from "AWS4" + SecretKey over date, region, service, "aws4_request"
//! ```
//!
//! Signers disagree about how path and query are encoded, so several readings of each are tried. None of them changes
//! what is forwarded. In particular, a path is never folded: for `/a//b/../c`, a signer that folds signs `/a/c`, and
//! would then have signed another resource than the one that the back end is asked for.

use std::borrow::Cow;

use axum::http::{HeaderMap, header};
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::authorization::Authorization;
use super::presigned::{SIGNATURE, without_signature};
use super::{ALGORITHM, TERMINATOR};
use crate::signature::hosts;

/// The characters that are escaped in names and values of the query: all but the unreserved ones (RFC 3986, section 2.3).
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The characters that are escaped in a path.
const IN_PATH: AsciiSet = RESERVED.remove(b'/');

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
    /// The payload's SHA-256 in lower-case hexadecimal, or `UNSIGNED-PAYLOAD`.
    pub payload: &'a str,
    /// `X-Amz-Date` as sent, in the header or the query.
    pub time: &'a str,
}

/// The signing key for one scope.
pub struct SigningKey {
    scope: String,
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
        let Authorization { date, region, service, .. } = authorization;
        let secret = Zeroizing::new(format!("AWS4{}", secret_key.expose_secret()));
        let mut key = Zeroizing::new([0; 32]);
        key.copy_from_slice(&hmac(secret.as_bytes(), date.as_bytes()).finalize().into_bytes());
        for part in [region, service, TERMINATOR] {
            let next = hmac(key.as_slice(), part.as_bytes()).finalize().into_bytes();
            key.copy_from_slice(&next);
        }
        Self { scope: scope(authorization), key }
    }

    /// Returns `true` if the key is for the scope of `authorization`.
    pub fn is_for(&self, authorization: &Authorization<'_>) -> bool {
        let Authorization { date, region, service, .. } = authorization;
        let mut parts = self.scope.split('/');
        [date, region, service].into_iter().all(|part| parts.next() == Some(*part))
    }
}

fn scope(authorization: &Authorization<'_>) -> String {
    let Authorization { date, region, service, .. } = authorization;
    [date, "/", region, "/", service, "/", TERMINATOR].concat()
}

/// One way in which clients turn a request into its canonical form.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading<'a> {
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) host: &'a str,
}

/// Returns `true` if the signature is that of `request`, in one of the readings, under `key`, which must be for its
/// scope. Compares in constant time.
pub fn matches(authorization: &Authorization<'_>, request: &SignedRequest<'_>, key: &SigningKey) -> bool {
    let host = request.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let queries = if request.query.is_empty() { &QUERIES[..1] } else { &QUERIES };
    paths(request.path).any(|path| {
        queries.iter().any(|read| {
            let query = read(request.query);
            hosts(host).any(|host| {
                let reading = Reading { path: &path, query: &query, host };
                let Some(canonical) = canonical_request(authorization, request, reading) else { return false };
                let to_sign = string_to_sign(authorization, request, &canonical);
                hmac(key.key.as_slice(), to_sign.as_bytes()).verify_slice(&authorization.signature).is_ok()
            })
        })
    })
}

/// The scope of a signature.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The date in UTC, `20150830`.
    pub date: &'a str,
    /// The region.
    pub region: &'a str,
    /// The service.
    pub service: &'a str,
}

/// Creates the `Authorization` header of `request`, in which `signed_headers` are signed: names in lower case and in
/// order, separated by semicolons. Returns `None` if one of the headers is missing or not text.
pub fn authorize(
    request: &SignedRequest<'_>,
    secret_id: &str,
    secret_key: &SecretString,
    Scope { date, region, service }: Scope<'_>,
    signed_headers: &str,
) -> Option<String> {
    let unsigned =
        Authorization { secret_id, date, region, service, signed_headers, separator: ";", signature: [0; 32] };
    let (path, query) = (paths(request.path).next()?, escaped_anew(request.query));
    let host = request.headers.get(header::HOST)?.to_str().ok()?;
    let canonical = canonical_request(&unsigned, request, Reading { path: &path, query: &query, host })?;
    let to_sign = string_to_sign(&unsigned, request, &canonical);
    let key = SigningKey::derive(secret_key, &unsigned).key;
    let signature = data_encoding::HEXLOWER.encode(&hmac(key.as_slice(), to_sign.as_bytes()).finalize().into_bytes());
    Some(format!(
        "{ALGORITHM} Credential={secret_id}/{}, SignedHeaders={signed_headers}, Signature={signature}",
        scope(&unsigned)
    ))
}

/// The path as most clients sign it, escaped once more, and as it was sent.
pub(super) fn paths(sent: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let escaped: Cow<'_, str> = percent_encode(sent.as_bytes(), &IN_PATH).into();
    let differs = escaped != sent;
    std::iter::once(escaped).chain(differs.then_some(Cow::Borrowed(sent)))
}

/// The ways in which clients read a query, the most common first.
type ReadQuery = for<'q> fn(&'q str) -> Cow<'q, str>;
const QUERIES: [ReadQuery; 3] = [sorted, escaped_anew, as_sent];

fn as_sent(sent: &str) -> Cow<'_, str> {
    without_signature(sent)
}

/// The query with its parameters in order, and with `=` after each name.
pub(super) fn sorted(sent: &str) -> Cow<'_, str> {
    let pairs = parameters(sent).map(|(name, value)| (name.to_owned(), value.to_owned()));
    joined(pairs.collect()).into()
}

/// The query with its parameters decoded, `+` as a space, and escaped in the one way that the scheme defines. Bytes that
/// are no UTF-8 stay as they are, because two different queries must not have the same reading.
fn escaped_anew(sent: &str) -> Cow<'_, str> {
    let anew = |part: &str| {
        let spaced = part.replace('+', " ");
        let decoded: Vec<u8> = percent_decode_str(&spaced).collect();
        percent_encode(&decoded, &RESERVED).to_string()
    };
    joined(parameters(sent).map(|(name, value)| (anew(name), anew(value))).collect()).into()
}

fn parameters(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = query.split('&').filter(|part| !part.is_empty()).map(|part| part.split_once('=').unwrap_or((part, "")));
    pairs.filter(|(name, _)| *name != SIGNATURE)
}

fn joined(mut pairs: Vec<(String, String)>) -> String {
    pairs.sort_unstable();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Builds the canonical request. Returns `None` if a signed header is missing or is no UTF-8, or if there is not one
/// host. The values of a header that appears more than once are joined with commas.
pub(super) fn canonical_request(
    authorization: &Authorization<'_>,
    request: &SignedRequest<'_>,
    reading: Reading<'_>,
) -> Option<String> {
    let mut canonical = String::with_capacity(512);
    for part in [request.method, reading.path, reading.query] {
        canonical.push_str(part);
        canonical.push('\n');
    }
    for name in authorization.signed_headers() {
        canonical.push_str(name);
        let mut values = request.headers.get_all(name).iter();
        let first = values.next()?;
        if name == "host" {
            canonical.push(':');
            canonical.push_str(reading.host);
            if values.next().is_some() {
                return None;
            }
        }
        let mut before = ':';
        for value in std::iter::once(first).chain(values).filter(|_| name != "host") {
            canonical.push(before);
            before = ',';
            push_trimmed(&mut canonical, str::from_utf8(value.as_bytes()).ok()?);
        }
        canonical.push('\n');
    }
    canonical.push('\n');
    for (place, name) in authorization.signed_headers().enumerate() {
        if place > 0 {
            canonical.push(';');
        }
        canonical.push_str(name);
    }
    canonical.push('\n');
    canonical.push_str(request.payload);
    Some(canonical)
}

/// Appends a value without blanks around it, and with one for several inside.
fn push_trimmed(canonical: &mut String, value: &str) {
    for (place, word) in value.split(' ').filter(|word| !word.is_empty()).enumerate() {
        if place > 0 {
            canonical.push(' ');
        }
        canonical.push_str(word);
    }
}

pub(super) fn string_to_sign(
    authorization: &Authorization<'_>,
    request: &SignedRequest<'_>,
    canonical: &str,
) -> String {
    let hash = sha256_hex(canonical.as_bytes());
    [ALGORITHM, "\n", request.time, "\n", &scope(authorization), "\n", &hash].concat()
}

fn hmac(key: &[u8], message: &[u8]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length").chain_update(message)
}

pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes))
}
