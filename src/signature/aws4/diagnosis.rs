//! Why a Signature Version 4 signature does not match. It is found out in the same way as for version 3 (see
//! [`crate::signature::tc3::diagnosis`]): parts of the request are varied, one at a time, and what may be anybody's is
//! masked.

use axum::http::header::{self, HeaderName, HeaderValue};
use secrecy::SecretString;

use super::X_AMZ_CONTENT_SHA256;
use super::authorization::Authorization;
use super::canonical::{
    Reading, SignedRequest, SigningKey, canonical_request, matches, paths, sha256_hex, sorted, string_to_sign,
};
use crate::http::headers::only;
use crate::signature::diagnosis::{
    CONTENT_TYPES, Cause, Diagnosis, METHODS, masked, other_bodies, other_hosts, without_repetition,
};
use crate::signature::scheme::UNSIGNED_PAYLOAD;

/// The names of headers that may be shown to anybody.
const SIGNED_HEADERS: [&str; 6] =
    ["accept", "content-type", "content-length", "host", "x-amz-content-sha256", "x-amz-date"];

/// Diagnoses a refused request. `body` is its body, if it is at hand, and `of_its_day` says whether the scope's date is that of the request's time.
pub(super) fn diagnose(
    authorization: &Authorization<'_>,
    request: &SignedRequest<'_>,
    body: Option<&[u8]>,
    secret_key: &SecretString,
    of_its_day: bool,
) -> Diagnosis {
    let key = SigningKey::derive(secret_key, authorization);
    let was_signed = |variant: &SignedRequest<'_>| matches(authorization, variant, &key);
    let right = was_signed(request);
    let differs = if right { None } else { signed_variant(authorization, request, body, was_signed) };
    let is_owners = right || differs.is_some();
    let path = paths(request.path).next().unwrap_or_default();
    let query = sorted(request.query);
    let host = only(request.headers, header::HOST).unwrap_or_default();
    let reading = Reading { path: &path, query: &query, host };
    let canonical = canonical_request(authorization, request, reading).unwrap_or_default();
    let (canonical_request, string_to_sign) = if is_owners {
        let to_sign = string_to_sign(authorization, request, &canonical);
        (canonical, to_sign)
    } else {
        let shown = Authorization { date: "(date)", region: "(region)", service: "(service)", ..authorization.clone() };
        let to_sign = string_to_sign(&shown, request, &canonical);
        let shown = if canonical.is_empty() { canonical } else { masked_canonical(authorization, request, reading) };
        (shown, to_sign)
    };
    let cause = if of_its_day { differs } else { Some(Cause::Date) };
    Diagnosis { canonical_request, string_to_sign, variant_was_signed: is_owners && of_its_day, cause }
}

fn masked_canonical(authorization: &Authorization<'_>, request: &SignedRequest<'_>, reading: Reading<'_>) -> String {
    let names: Vec<_> = authorization.signed_headers().map(|name| masked(name, &SIGNED_HEADERS)).collect();
    let lines = authorization.signed_headers().zip(&names).map(|(signed, name)| {
        let value = request.headers.get(signed).map(HeaderValue::as_bytes).unwrap_or_default();
        format!("{name}:{}\n", masked(&String::from_utf8_lossy(value), &["application/json"]))
    });
    let (lines, names) = (lines.collect::<String>(), names.join(";"));
    let [method, path, query] =
        [masked(request.method, &METHODS), masked(reading.path, &["/"]), masked(reading.query, &[""])];
    format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{}", request.payload)
}

/// The part in which the request differs from the one that was signed, if it is one of those examined.
fn signed_variant(
    authorization: &Authorization<'_>,
    request: &SignedRequest<'_>,
    body: Option<&[u8]>,
    was_signed: impl Fn(&SignedRequest<'_>) -> bool,
) -> Option<Cause> {
    let with_header = |name: HeaderName, value: String| {
        let mut headers = request.headers.clone();
        HeaderValue::from_str(&value).is_ok_and(|value| {
            headers.insert(name, value);
            was_signed(&SignedRequest { headers: &headers, ..*request })
        })
    };
    let with_path = |path: &str| was_signed(&SignedRequest { path, ..*request });
    let stated = only(request.headers, X_AMZ_CONTENT_SHA256);
    let mut bodies = std::iter::once(UNSIGNED_PAYLOAD).chain(stated);
    let with_body = |other: &[u8]| was_signed(&SignedRequest { payload: &sha256_hex(other), ..*request });
    let mut single = without_repetition(request.headers, authorization.signed_headers());
    if let Some((cause, _)) = other_bodies(body).into_iter().find(|(_, other)| with_body(other)) {
        Some(cause)
    } else if single.any(|headers| was_signed(&SignedRequest { headers: &headers, ..*request })) {
        Some(Cause::RepeatedHeader)
    } else if CONTENT_TYPES.iter().any(|kind| with_header(header::CONTENT_TYPE, (*kind).to_owned())) {
        Some(Cause::ContentType)
    } else if bodies.any(|payload| was_signed(&SignedRequest { payload, ..*request })) {
        Some(Cause::Body)
    } else if with_path(&folded(request.path)) {
        Some(Cause::FoldedPath)
    } else if other_hosts(request.headers).any(|host| with_header(header::HOST, host)) {
        Some(Cause::Host)
    } else if was_signed(&SignedRequest { query: "", ..*request }) {
        Some(Cause::Query)
    } else if METHODS.iter().any(|method| was_signed(&SignedRequest { method, ..*request })) {
        Some(Cause::Method)
    } else if with_path("/") {
        Some(Cause::Path)
    } else {
        None
    }
}

/// The path without empty and dot segments (RFC 3986, section 5.2.4), as some signers sign it.
fn folded(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    let end = if path.ends_with(['/', '.']) && !kept.is_empty() { "/" } else { "" };
    format!("/{}{end}", kept.join("/"))
}
