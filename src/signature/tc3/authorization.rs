//! The `Authorization` header of version 3:
//!
//! ```text
//! TC3-HMAC-SHA256 Credential=SecretId/date/service/tc3_request, SignedHeaders=content-type;host, Signature=hex
//! ```

use super::{ALGORITHM, TERMINATOR};

/// The most signed headers. More are never needed, and each name is compared with all others.
const MOST_SIGNED_HEADERS: usize = 32;
const MANDATORY_HEADERS: [&str; 2] = ["content-type", "host"];

/// The reason why the claim of a version 3 request is malformed, in words for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The algorithm is another one, `SKIP`, or missing.
    #[error("the Authorization header does not begin with {ALGORITHM}")]
    Algorithm,
    /// The header is not `Credential=…, SignedHeaders=…, Signature=…`.
    #[error("the Authorization header is not `{ALGORITHM} Credential=…, SignedHeaders=…, Signature=…`")]
    Parts,
    /// The credential is not `id/date/service/tc3_request`.
    #[error("the Credential is not `SecretId/date/service/tc3_request`")]
    Credential,
    /// `content-type` or `host` is not signed, a name is not in lower case or appears twice, or there are too many
    /// names.
    #[error("SignedHeaders must name content-type and host, each name once, in lower case")]
    SignedHeaders,
    /// The signature is not 64 lower-case hexadecimal digits.
    #[error("the Signature is not 64 lower-case hexadecimal digits")]
    Signature,
    /// The header with the payload's hash appears more than once, or is not text.
    #[error("X-TC-Content-SHA256 must be given once")]
    PayloadHashNotOnce,
    /// The payload's hash is neither a hash nor `UNSIGNED-PAYLOAD`.
    #[error("the payload hash is neither 64 lower-case hexadecimal digits nor UNSIGNED-PAYLOAD")]
    PayloadHash,
}

/// A parsed `Authorization` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization<'a> {
    /// The key's ID, as sent. Its shape has not been checked.
    pub secret_id: &'a str,
    /// The scope's date.
    pub date: &'a str,
    /// The scope's service. Clients put the first label of their endpoint here, so it says nothing about the product.
    pub service: &'a str,
    pub(super) signed_headers: &'a str,
    pub(super) signature: [u8; 32],
}

impl<'a> Authorization<'a> {
    /// Parses the header's value.
    pub fn parse(header: &'a str) -> Result<Self, Malformed> {
        let parts = header.strip_prefix(ALGORITHM).ok_or(Malformed::Algorithm)?;
        let parts = parts.strip_prefix(' ').ok_or(Malformed::Algorithm)?;
        let [mut credential, mut signed_headers, mut signature] = [None; 3];
        for part in parts.split(',') {
            let part = part.trim_ascii();
            let (name, value) = part.split_once('=').ok_or(Malformed::Parts)?;
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
        self.signed_headers.split(';')
    }
}

/// Splits the credential. Clients derive the service from their endpoint, so it may contain anything but a slash.
fn parse_credential(credential: &str) -> Result<(&str, &str, &str), Malformed> {
    let mut parts = credential.split('/');
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
    let all = || names.split(';');
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
