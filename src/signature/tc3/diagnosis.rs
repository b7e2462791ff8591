//! Why a version 3 signature does not match, for the key's owner, who needs to know what their client did differently.
//!
//! The server knows the secret, so it need not guess: it varies one part of the request at a time, in the ways in which
//! clients are known to go wrong, and checks which variant was signed. What it shows is built from the request alone.
//! If the key signed the request or one of the variants, everything is shown. Any other request may come from anybody
//! and contain anything, so parts of it that are not known to be harmless are replaced by their length and the
//! beginning of their hash. The owner can compare these with what their client signed.

use std::borrow::Cow;

use axum::http::header::{self, HeaderMap, HeaderValue};
use secrecy::SecretString;

use super::X_TC_CONTENT_SHA256;
use super::authorization::Authorization;
use super::canonical::{SignedRequest, SigningKey, canonical_request, matches, payload_hash, readings, string_to_sign};
use crate::signature::diagnosis::{
    CONTENT_TYPES, Cause, Diagnosis, METHODS, masked, other_bodies, other_hosts, without_repetition,
};
use crate::signature::scheme::UNSIGNED_PAYLOAD;

/// Diagnoses a refused request. `body` is its body, if it is at hand, and `utc_date` the date of its timestamp.
pub fn diagnose(
    authorization: &Authorization<'_>,
    request: &SignedRequest<'_>,
    body: Option<&[u8]>,
    secret_key: &SecretString,
    utc_date: &str,
) -> Diagnosis {
    let reading = readings(request.headers).next();
    let mut canonical_request =
        reading.and_then(|reading| canonical_request(authorization, request, reading)).unwrap_or_default();
    let mut to_sign = string_to_sign(authorization, request, &canonical_request);
    let key = SigningKey::derive(secret_key, authorization);
    let was_signed = |variant: &SignedRequest<'_>| matches(authorization, variant, &key);
    // The signature may be right, and the request refused for another reason.
    let right = was_signed(request);
    let differs = if right { None } else { signed_variant(request, body, authorization, was_signed) };
    if !right && differs.is_none() {
        to_sign = masked_string_to_sign(authorization, request, &canonical_request, utc_date);
        if !canonical_request.is_empty() {
            canonical_request = masked_canonical_request(authorization, request);
        }
    }
    let of_that_date = authorization.date == utc_date;
    let cause = if of_that_date { differs } else { Some(Cause::Date) };
    let variant_was_signed = right || differs.is_some() && of_that_date;
    Diagnosis { canonical_request, string_to_sign: to_sign, variant_was_signed, cause }
}

const SIGNED_HEADERS: [&str; 8] = [
    "content-type",
    "host",
    "x-tc-action",
    "x-tc-version",
    "x-tc-timestamp",
    "x-tc-region",
    "x-tc-language",
    "x-tc-content-sha256",
];
const SERVICES: [&str; 2] = ["sts", "cam"];

fn masked_canonical_request(authorization: &Authorization<'_>, request: &SignedRequest<'_>) -> String {
    let name = |name| masked(name, &SIGNED_HEADERS);
    let headers = authorization.signed_headers().map(|signed| {
        let value = request.headers.get(signed).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let value = value.trim().to_ascii_lowercase();
        format!("{}:{}\n", name(signed), masked(&value, &CONTENT_TYPES))
    });
    let names: Vec<Cow<'_, str>> = authorization.signed_headers().map(name).collect();
    let [method, path, query] =
        [masked(request.method, &METHODS), masked(request.path, &["/"]), masked(request.query, &[""])];
    let (headers, names) = (headers.collect::<String>(), names.join(";"));
    format!("{method}\n{path}\n{query}\n{headers}\n{names}\n{}", request.payload_sha256)
}

fn masked_string_to_sign(
    authorization: &Authorization<'_>,
    request: &SignedRequest<'_>,
    canonical: &str,
    utc_date: &str,
) -> String {
    let date = masked(authorization.date, &[utc_date]);
    let service = masked(authorization.service, &SERVICES);
    let mut shown = authorization.clone();
    (shown.date, shown.service) = (&date, &service);
    string_to_sign(&shown, request, canonical)
}

fn signed_variant(
    request: &SignedRequest<'_>,
    body: Option<&[u8]>,
    authorization: &Authorization<'_>,
    was_signed: impl Fn(&SignedRequest<'_>) -> bool,
) -> Option<Cause> {
    let with_header = |name: header::HeaderName, value: String| {
        let mut headers = request.headers.clone();
        HeaderValue::from_str(&value).is_ok_and(|value| {
            headers.insert(name, value);
            was_signed(&SignedRequest { headers: &headers, ..*request })
        })
    };
    let with_query = |query: String| was_signed(&SignedRequest { query: &query, ..*request });
    let said = request.headers.get(X_TC_CONTENT_SHA256).and_then(|said| said.to_str().ok());
    let bodies = [payload_hash(true, b""), UNSIGNED_PAYLOAD.to_owned()];
    let mut bodies = bodies.iter().map(String::as_str).chain(said);
    let with_body = |other: &[u8]| {
        let hash = payload_hash(false, other);
        was_signed(&SignedRequest { payload_sha256: &hash, ..*request })
    };
    let mut single = without_repetition(request.headers, authorization.signed_headers());

    if let Some((cause, _)) = other_bodies(body).into_iter().find(|(_, other)| with_body(other)) {
        Some(cause)
    } else if bodies.any(|payload_sha256| was_signed(&SignedRequest { payload_sha256, ..*request })) {
        Some(Cause::Body)
    } else if single.any(|headers| was_signed(&SignedRequest { headers: &headers, ..*request })) {
        Some(Cause::RepeatedHeader)
    } else if hosts(request.headers, authorization.service).any(|host| with_header(header::HOST, host)) {
        Some(Cause::Host)
    } else if CONTENT_TYPES.iter().any(|kind| with_header(header::CONTENT_TYPE, (*kind).to_owned())) {
        Some(Cause::ContentType)
    } else if queries(request.query).any(with_query) {
        Some(Cause::Query)
    } else if ["GET", "POST"].iter().any(|method| was_signed(&SignedRequest { method, ..*request })) {
        Some(Cause::Method)
    } else if was_signed(&SignedRequest { path: "/", ..*request }) {
        Some(Cause::Path)
    } else {
        None
    }
}

/// Hosts that may have been signed instead of the one that arrived, among them those of the public cloud.
fn hosts(headers: &HeaderMap, service: &str) -> impl Iterator<Item = String> {
    let public = [format!("{service}.tencentcloudapi.com"), "tencentcloudapi.com".to_owned()];
    other_hosts(headers).chain(public)
}

/// The query as clients may have signed it: empty, sorted, or with other escapes.
fn queries(query: &str) -> impl Iterator<Item = String> {
    let mut pairs: Vec<&str> = query.split('&').collect();
    pairs.sort_unstable();
    let decoded: String = url::form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join("&");
    let encoded = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(url::form_urlencoded::parse(query.as_bytes()))
        .finish();
    let spaces = encoded.replace('+', "%20");
    [String::new(), pairs.join("&"), decoded, encoded, spaces].into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::tc3::authorize;

    const SECRET: &str = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE";
    const DATE: &str = "2019-02-25";

    fn headers(host: &str, kind: &str) -> HeaderMap {
        let pairs = [("host", host), ("content-type", kind)];
        pairs.into_iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap())).collect()
    }

    fn request<'a>(headers: &'a HeaderMap, query: &'a str, payload_sha256: &'a str) -> SignedRequest<'a> {
        SignedRequest { method: "POST", path: "/", query, headers, payload_sha256, timestamp: "1551113065" }
    }

    /// The cause that is found if `signed` was signed and `sent` was sent.
    fn cause(signed: &SignedRequest<'_>, sent: &SignedRequest<'_>, secret: &str) -> Option<Cause> {
        let secret = secret.to_owned().into();
        let header = authorize(signed, "AKIDx", &secret, DATE, "cam").unwrap();
        diagnose(&Authorization::parse(&header).unwrap(), sent, None, &SECRET.to_owned().into(), DATE).cause
    }

    #[test]
    fn the_part_that_differs_is_found() {
        let (json, body) = (headers("127.0.0.1:8081", "application/json"), payload_hash(false, b"{}"));
        let sent = request(&json, "a=1", &body);
        let signed = |signed: SignedRequest<'_>| cause(&signed, &sent, SECRET);
        let host = headers("cam.tencentcloudapi.com", "application/json");
        assert_eq!(signed(request(&host, "a=1", &body)), Some(Cause::Host));
        let local = headers("localhost:8081", "application/json");
        assert_eq!(signed(request(&local, "a=1", &body)), Some(Cause::Host));
        let kind = headers("127.0.0.1:8081", "application/json; charset=utf-8");
        assert_eq!(signed(request(&kind, "a=1", &body)), Some(Cause::ContentType));
        assert_eq!(signed(request(&json, "", &body)), Some(Cause::Query));
        assert_eq!(signed(request(&json, "a=1", &payload_hash(false, b""))), Some(Cause::EmptyBody));
        assert_eq!(signed(request(&json, "a=1", &payload_hash(true, b""))), Some(Cause::Body));
        assert_eq!(signed(SignedRequest { method: "GET", ..sent }), Some(Cause::Method));
        assert_eq!(
            cause(&SignedRequest { path: "/", ..sent }, &SignedRequest { path: "/x", ..sent }, SECRET),
            Some(Cause::Path)
        );
        assert_eq!(cause(&sent, &sent, "another secret"), None);
        assert_eq!(signed(request(&json, "a=1", &payload_hash(false, b"{ }"))), None, "any other body is not guessed");
    }

    #[test]
    fn what_was_done_to_the_body_is_found() {
        let json = headers("127.0.0.1:8081", "application/json");
        let cause = |signed: &str, sent: &str| {
            let (signed, hash) = (payload_hash(false, signed.as_bytes()), payload_hash(false, sent.as_bytes()));
            let (signed, request) = (request(&json, "", &signed), request(&json, "", &hash));
            let header = authorize(&signed, "AKIDx", &SECRET.to_owned().into(), DATE, "cam").unwrap();
            let authorization = Authorization::parse(&header).unwrap();
            diagnose(&authorization, &request, Some(sent.as_bytes()), &SECRET.to_owned().into(), DATE).cause
        };
        assert_eq!(cause("", "{}"), Some(Cause::EmptyBody));
        for (signed, sent) in [("{}", "{}\n"), ("{}\n", "{}"), ("{}\r\n", "{}\n")] {
            assert_eq!(cause(signed, sent), Some(Cause::TrailingNewline), "{signed:?}");
        }
        assert_eq!(cause(r#"{"b":1,"a":2}"#, r#"{"b": 1, "a": 2}"#), Some(Cause::Reserialised));
        assert_eq!(cause("{\n  \"b\": 1\n}", r#"{"b":1}"#), Some(Cause::Reserialised));
        assert_eq!(cause(r#"{"b":1}"#, r#"{"b":2}"#), None, "another body is not guessed");
    }

    #[test]
    fn a_header_that_was_sent_twice_is_found() {
        let (mut json, body) = (headers("127.0.0.1:8081", "application/json"), payload_hash(false, b"{}"));
        let header = authorize(&request(&json, "", &body), "AKIDx", &SECRET.to_owned().into(), DATE, "cam").unwrap();
        let authorization = Authorization::parse(&header).unwrap();
        json.insert("content-type", HeaderValue::from_static("text/plain"));
        json.append("content-type", HeaderValue::from_static("application/json"));
        let sent = request(&json, "", &body);
        let found = diagnose(&authorization, &sent, None, &SECRET.to_owned().into(), DATE);
        assert_eq!(found.cause, Some(Cause::RepeatedHeader));
    }

    #[test]
    fn what_may_be_anybodys_is_masked() {
        const CANARY: &str = "canary";
        let mut all = headers("canary.example", "text/canary");
        all.insert("x-canary", HeaderValue::from_static("canary"));
        let body = payload_hash(false, b"{}");
        let sent = SignedRequest { method: "CANARY", path: "/canary", ..request(&all, "canary=1", &body) };
        let scope = "AKIDx/2019-02-25-canary/canary/tc3_request";
        let header = format!(
            "TC3-HMAC-SHA256 Credential={scope}, SignedHeaders=content-type;host;x-canary, Signature={}",
            "0".repeat(64)
        );
        let found = diagnose(&Authorization::parse(&header).unwrap(), &sent, None, &SECRET.to_owned().into(), DATE);
        for shown in [&found.canonical_request, &found.string_to_sign] {
            assert!(!shown.to_lowercase().contains(CANARY), "{shown}");
            assert!(shown.contains("bytes, SHA-256"), "{shown}");
        }
        assert!(found.canonical_request.contains("\n(7 bytes, SHA-256 "), "of /canary: {}", found.canonical_request);
        assert!(found.canonical_request.ends_with(&body));

        // Harmless parts are shown. If the key signed the request, everything is shown.
        let json = headers("127.0.0.1:8081", "application/json");
        let sent = request(&json, "", &body);
        let by = |secret: &str, signed: &SignedRequest<'_>| {
            let header = authorize(signed, "AKIDx", &secret.to_owned().into(), DATE, "cam").unwrap();
            diagnose(&Authorization::parse(&header).unwrap(), &sent, None, &SECRET.to_owned().into(), DATE)
        };
        let stranger = by("another secret", &sent);
        assert!(stranger.canonical_request.starts_with("POST\n/\n\ncontent-type:application/json\nhost:(14 bytes"));
        assert!(stranger.string_to_sign.contains("2019-02-25/cam/tc3_request"));
        let owner = by(SECRET, &SignedRequest { method: "GET", ..sent });
        assert_eq!(owner.cause, Some(Cause::Method));
        assert!(owner.canonical_request.contains("host:127.0.0.1:8081"));
    }

    #[test]
    fn a_date_of_another_day_is_the_cause() {
        let (json, body) = (headers("h", "application/json"), payload_hash(false, b"{}"));
        let sent = request(&json, "", &body);
        let secret = SECRET.to_owned().into();
        let header = authorize(&sent, "AKIDx", &secret, "2019-02-26", "cam").unwrap();
        let found = diagnose(&Authorization::parse(&header).unwrap(), &sent, None, &secret, DATE);
        assert_eq!(found.cause, Some(Cause::Date));
        assert!(found.canonical_request.starts_with("POST\n/\n\ncontent-type:application/json\nhost:h\n"));
        assert!(found.string_to_sign.starts_with("TC3-HMAC-SHA256\n1551113065\n2019-02-26/cam/tc3_request\n"));
    }
}
