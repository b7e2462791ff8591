//! The check of signatures: pure functions of the request and the secret. A scheme is one file here and one line in the
//! list below. May import `types`, and `http::headers` to read headers that must appear once.
//!
//! Invariant: no I/O, no clock, no randomness.

pub mod aws4;
pub mod diagnosis;
mod json_forms;
pub mod scheme;
pub mod tc3;
pub mod v1;

use secrecy::SecretString;

use self::diagnosis::Diagnosis;
use self::scheme::{Kept, Payload, Scheme, SentRequest, schemes};
use crate::types::clock::Timestamp;

schemes! {
    /// Signature Version 4 of AWS, in the `Authorization` header.
    Aws4 = aws4::Aws4Claim,
    /// Signature version 3, in the `Authorization` header.
    Tc3 = tc3::Tc3Claim,
    /// Signature version 1, among the parameters.
    V1 = v1::V1Claim,
}

impl SchemeName {
    /// Returns the scheme among `accepted` under which the request claims to be signed. If it claims none of them,
    /// returns the first, because reading its claim then says what is missing. `accepted` must not be empty.
    pub fn of(request: &SentRequest<'_>, accepted: &[Self]) -> Self {
        accepted.iter().copied().find(|scheme| scheme.is_used_by(request)).unwrap_or(accepted[0])
    }
}

/// The forms of the host that may have been signed: as sent, and without its port.
///
/// Clients differ, and put unusual values into the header, such as a URL with its scheme. Nothing is normalised before
/// it is tried.
fn hosts(sent: &str) -> impl Iterator<Item = &str> {
    let bare = without_port(sent);
    std::iter::once(sent).chain((bare != sent).then_some(bare))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};

    use super::scheme::{SentBody, UNSIGNED_PAYLOAD};
    use super::*;

    const SIGNED_AT: &str = "1551113065";
    const BOTH: [SchemeName; 2] = [SchemeName::Tc3, SchemeName::V1];

    /// The headers of a request signed for `service`, whose body is empty.
    fn signed(secret: &SecretString, service: &str) -> HeaderMap {
        let pairs = [("host", "h"), ("content-type", "text/plain"), ("x-tc-timestamp", SIGNED_AT)];
        let mut headers: HeaderMap =
            pairs.into_iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect();
        let payload_sha256 = tc3::payload_hash(false, b"");
        let request = tc3::SignedRequest {
            method: "GET",
            path: "/",
            query: "",
            headers: &headers,
            payload_sha256: &payload_sha256,
            timestamp: SIGNED_AT,
        };
        let authorization = tc3::authorize(&request, "AKIDx", secret, "2019-02-25", service).unwrap();
        headers.insert("authorization", authorization.parse().unwrap());
        headers
    }

    fn sent<'r>(headers: &'r HeaderMap, body: SentBody<'r>) -> SentRequest<'r> {
        SentRequest { method: "GET", path: "/", query: "", headers, body, parameters: &[] }
    }

    #[test]
    fn a_signing_key_is_kept_once_it_has_matched() {
        let (right, wrong): (SecretString, SecretString) = ("right".to_owned().into(), "wrong".to_owned().into());
        let kept = SigningKeys::default();
        let matches = |headers: &HeaderMap| {
            let request = sent(headers, SentBody::Whole(b""));
            let scheme = SchemeName::of(&request, &BOTH);
            assert_eq!(scheme, SchemeName::Tc3);
            let payload = scheme.payload(&request).unwrap();
            scheme.read(&request, &payload).unwrap().matches(&right, &kept)
        };
        assert!(!matches(&signed(&wrong, "cam")));
        assert!(kept.tc3.get().is_none());
        assert!(matches(&signed(&right, "cam")));
        let first = kept.tc3.get().unwrap();
        assert!(
            !matches(&signed(&wrong, "cam")) && !matches(&signed(&wrong, "sts")) && matches(&signed(&right, "cam"))
        );
        assert!(std::sync::Arc::ptr_eq(&first, &kept.tc3.get().unwrap()), "it has not been replaced");
        assert!(matches(&signed(&right, "sts")), "another scope needs another signing key");
    }

    #[test]
    fn a_payload_is_unsigned_whether_said_so_or_hashed_as_such() {
        let unsigned_hash = tc3::payload_hash(true, b"");
        let mut says_unsigned = HeaderMap::new();
        says_unsigned.insert("x-tc-content-sha256", HeaderValue::from_static(UNSIGNED_PAYLOAD));
        let silent = HeaderMap::new();
        let payload = |headers: &HeaderMap, body: SentBody<'_>| SchemeName::Tc3.payload(&sent(headers, body)).unwrap();
        for unsigned in [
            payload(&says_unsigned, SentBody::Whole(b"anything")),
            payload(&silent, SentBody::Whole(UNSIGNED_PAYLOAD.as_bytes())),
            payload(&silent, SentBody::Hashed(UNSIGNED_PAYLOAD)),
            payload(&silent, SentBody::Hashed(&unsigned_hash)),
            payload(&says_unsigned, SentBody::Elsewhere),
        ] {
            assert!(unsigned.is_unsigned() && unsigned.sha256 == unsigned_hash, "{unsigned:?}");
        }
        assert_eq!(payload(&says_unsigned, SentBody::Elsewhere).shown(), UNSIGNED_PAYLOAD);
        for signed in [payload(&silent, SentBody::Whole(b"x")), payload(&silent, SentBody::Elsewhere)] {
            assert!(!signed.is_unsigned() && signed.shown() == signed.sha256, "{signed:?}");
        }
    }

    #[test]
    fn where_no_scheme_is_used_the_first_says_what_is_missing() {
        let nothing = HeaderMap::new();
        let request = sent(&nothing, SentBody::Unread);
        let payload = Payload::default();
        let read = SchemeName::of(&request, &BOTH).read(&request, &payload);
        assert_eq!(read.unwrap_err(), Malformed::NoSignature);
        let parameters = [("Signature".to_owned(), String::new())];
        let request = SentRequest { parameters: &parameters, ..request };
        assert_eq!(SchemeName::of(&request, &BOTH), SchemeName::V1);
        assert_eq!(SchemeName::of(&request, &BOTH[..1]), SchemeName::Tc3, "version 1 is not accepted there");
    }

    #[test]
    fn the_port_is_the_part_after_the_last_colon_if_it_is_digits() {
        assert_eq!(without_port("127.0.0.1:8081"), "127.0.0.1");
        assert_eq!(without_port("http://127.0.0.1:8081"), "http://127.0.0.1");
        assert_eq!(without_port("http://localhost"), "http://localhost");
        assert_eq!(without_port("[::1]:80"), "[::1]");
        assert_eq!(without_port("[::1]"), "[::1]");
        assert_eq!(hosts("a:1").collect::<Vec<_>>(), ["a:1", "a"]);
        assert_eq!(hosts("a").collect::<Vec<_>>(), ["a"]);
    }
}
