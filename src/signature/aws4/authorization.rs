//! The `Authorization` header of Signature Version 4:
//!
//! ```text
//! AWS4-HMAC-SHA256 Credential=id/date/region/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=hex
//! ```

use super::{ALGORITHM, TERMINATOR};

/// The most signed headers. Some clients sign every header that they send.
const MOST_SIGNED_HEADERS: usize = 64;

/// The reason why the claim of a Signature Version 4 request is malformed, in words for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The header is not `Credential=…, SignedHeaders=…, Signature=…`, or has another algorithm.
    #[error("the Authorization header is not `{ALGORITHM} Credential=…, SignedHeaders=…, Signature=…`")]
    Parts,
    /// The credential is not `id/date/region/service/aws4_request`.
    #[error("the Credential is not `SecretId/date/region/service/{TERMINATOR}`")]
    Credential,
    /// `host` or `x-amz-date` is not signed, a name is not in lower case or appears twice, or there are too many names.
    #[error("SignedHeaders must name host and x-amz-date (in a presigned URL: host), each name once, in lower case")]
    SignedHeaders,
    /// A header that instructs services is not signed, so that anybody on the way could have added it.
    #[error("every X-Amz-… header of the request must be signed")]
    Unsigned,
    /// The signature is not 64 lower-case hexadecimal digits.
    #[error("the Signature is not 64 lower-case hexadecimal digits")]
    Signature,
    /// The time is missing, appears more than once, or has another form.
    #[error("X-Amz-Date must be given once, such as 20150830T123600Z")]
    Date,
    /// The payload's hash appears more than once, or has another form.
    #[error("X-Amz-Content-SHA256 must be given once, as 64 lower-case hexadecimal digits or UNSIGNED-PAYLOAD")]
    PayloadHash,
    /// The body is signed in chunks.
    #[error("a body that is signed in chunks (STREAMING-…) is not accepted; sign it as a whole")]
    Streaming,
    /// The query holds a signature, where this server does not accept one, or beside another one.
    #[error("a signature in the query is not accepted; send it in the Authorization header, and nothing in the query")]
    Query,
    /// A presigned URL lacks a parameter of its signature, has one twice, or has one in another form.
    #[error(
        "a presigned URL must have each of X-Amz-Algorithm={ALGORITHM}, X-Amz-Credential, X-Amz-Date, X-Amz-Expires, \
         X-Amz-SignedHeaders and X-Amz-Signature once"
    )]
    Parameters,
    /// A presigned URL asks for more than to be read.
    #[error("a presigned URL is accepted for GET and HEAD only, without a body")]
    PresignedMethod,
    /// A presigned URL is valid for longer than this server accepts.
    #[error("X-Amz-Expires is longer than this server accepts")]
    Lifetime,
    /// The scope is not the one that this server is set to.
    #[error("the region or service in the Credential is not the one that this server accepts")]
    Scope,
}

/// A parsed `Authorization` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization<'a> {
    /// The key's ID, as sent. Its shape has not been checked.
    pub secret_id: &'a str,
    /// The scope's date.
    pub date: &'a str,
    /// The scope's region.
    pub region: &'a str,
    /// The scope's service.
    pub service: &'a str,
    pub(super) signed_headers: &'a str,
    /// What separates their names: a semicolon, which may be escaped in a query.
    pub(super) separator: &'static str,
    pub(super) signature: [u8; 32],
}

/// A list of names, as a header or a query carries it.
pub(super) struct SignedHeaders<'a> {
    pub(super) names: &'a str,
    pub(super) separator: &'static str,
    /// The names that must be in the list.
    pub(super) mandatory: &'static [&'static str],
}

impl<'a> Authorization<'a> {
    /// Parses the header's value.
    pub fn parse(header: &'a str) -> Result<Self, Malformed> {
        let parts = header.strip_prefix(ALGORITHM).and_then(|rest| rest.strip_prefix(' ')).ok_or(Malformed::Parts)?;
        let [mut credential, mut signed_headers, mut signature] = [None; 3];
        for part in parts.split(',') {
            let (name, value) = part.trim_ascii().split_once('=').ok_or(Malformed::Parts)?;
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
        let names = SignedHeaders { names: signed_headers, separator: ";", mandatory: &["host", "x-amz-date"] };
        Self::new(credential.split('/'), &names, signature)
    }

    /// Checks the parts of a signature, wherever they were.
    pub(super) fn new(
        credential: impl Iterator<Item = &'a str>,
        signed_headers: &SignedHeaders<'a>,
        signature: &str,
    ) -> Result<Self, Malformed> {
        let parts: Vec<&str> = credential.collect();
        let [secret_id, date, region, service, TERMINATOR] = parts[..] else { return Err(Malformed::Credential) };
        if [secret_id, date, region, service].iter().any(|part| part.is_empty() || part.contains('%')) {
            return Err(Malformed::Credential);
        }
        signed_headers.check()?;
        let signature = data_encoding::HEXLOWER.decode(signature.as_bytes()).ok().and_then(|raw| raw.try_into().ok());
        let signature = signature.ok_or(Malformed::Signature)?;
        let SignedHeaders { names: signed_headers, separator, .. } = *signed_headers;
        Ok(Self { secret_id, date, region, service, signed_headers, separator, signature })
    }

    /// The names of the signed headers, in lower case.
    pub fn signed_headers(&self) -> impl Iterator<Item = &'a str> {
        self.signed_headers.split(self.separator)
    }
}

impl SignedHeaders<'_> {
    fn check(&self) -> Result<(), Malformed> {
        let all = || self.names.split(self.separator);
        if all().nth(MOST_SIGNED_HEADERS).is_some() {
            return Err(Malformed::SignedHeaders);
        }
        let lower = all().all(|name| !name.is_empty() && !name.bytes().any(|b| b.is_ascii_uppercase() || b == b'%'));
        let once = all().enumerate().all(|(at, name)| all().take(at).all(|earlier| earlier != name));
        let mandatory = self.mandatory.iter().all(|wanted| all().any(|name| name == *wanted));
        if lower && once && mandatory { Ok(()) } else { Err(Malformed::SignedHeaders) }
    }
}
