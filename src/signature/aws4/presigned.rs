//! A presigned URL: a Signature Version 4 signature in the query, which whoever has the URL may use until it expires:
//!
//! ```text
//! ?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=id/date/region/service/aws4_request&X-Amz-Date=…&X-Amz-Expires=600
//!  &X-Amz-SignedHeaders=host&X-Amz-Signature=hex
//! ```

use std::borrow::Cow;

use super::ALGORITHM;
use super::authorization::{Authorization, Malformed, SignedHeaders};

/// The parameter that is not part of the query as it is signed.
pub(super) const SIGNATURE: &str = "X-Amz-Signature";
/// The parameters of which any makes a URL a presigned one.
const OF_A_SIGNATURE: [&str; 3] = ["X-Amz-Algorithm", "X-Amz-Credential", SIGNATURE];
/// The parameter with a temporary token.
const TOKEN: &str = "X-Amz-Security-Token";
/// The methods that a URL alone may ask for, because they change nothing.
const METHODS: [&str; 2] = ["GET", "HEAD"];

/// The signature of a presigned URL.
#[derive(Debug)]
pub(super) struct Presigned<'a> {
    pub(super) authorization: Authorization<'a>,
    /// `X-Amz-Date` as sent.
    pub(super) time: &'a str,
    /// How long the URL is valid after that time, in seconds.
    pub(super) lifetime: u64,
    pub(super) has_token: bool,
}

/// Returns `true` if the query has a parameter of a signature.
pub fn is_presigned(query: &str) -> bool {
    query.contains("X-Amz-") && query.split('&').any(|part| OF_A_SIGNATURE.contains(&name_of(part)))
}

fn name_of(part: &str) -> &str {
    part.split('=').next().unwrap_or_default()
}

impl<'a> Presigned<'a> {
    /// Reads the parameters of a signature. Each must appear exactly once.
    pub(super) fn parse(method: &str, query: &'a str) -> Result<Self, Malformed> {
        if !METHODS.contains(&method) {
            return Err(Malformed::PresignedMethod);
        }
        let value = |wanted: &str| {
            let mut values =
                query.split('&').filter_map(|part| part.split_once('=')).filter(|(name, _)| *name == wanted);
            match (values.next(), values.next()) {
                (Some((_, value)), None) => Ok(value),
                _ => Err(Malformed::Parameters),
            }
        };
        if value("X-Amz-Algorithm")? != ALGORITHM {
            return Err(Malformed::Parameters);
        }
        let (credential, signed_headers) = (value("X-Amz-Credential")?, value("X-Amz-SignedHeaders")?);
        let credential = credential.split(separator(credential, ["/", "%2F", "%2f"]));
        let separator = separator(signed_headers, [";", "%3B", "%3b"]);
        let names = SignedHeaders { names: signed_headers, separator, mandatory: &["host"] };
        let authorization = Authorization::new(credential, &names, value(SIGNATURE)?)?;
        let lifetime = value("X-Amz-Expires")?.parse().map_err(|_| Malformed::Parameters)?;
        let has_token = query.split('&').any(|part| name_of(part) == TOKEN);
        Ok(Self { authorization, time: value("X-Amz-Date")?, lifetime, has_token })
    }
}

/// The separator that `list` uses, plain or escaped; the first one, if it has a single item.
fn separator(list: &str, spellings: [&'static str; 3]) -> &'static str {
    spellings.into_iter().find(|spelling| list.contains(spelling)).unwrap_or(spellings[0])
}

/// The query as it is signed: without the signature.
pub(super) fn without_signature(query: &str) -> Cow<'_, str> {
    if !query.contains(SIGNATURE) {
        return query.into();
    }
    query.split('&').filter(|part| name_of(part) != SIGNATURE).collect::<Vec<_>>().join("&").into()
}
