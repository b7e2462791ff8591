//! A complete version 3 request, with query, path and headers. The request that was signed matches, any other does not,
//! and diagnosing a refused one does not panic.

#![no_main]

use arbitrary::Arbitrary;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use latchkey::signature::tc3::{self, Authorization, SignedRequest, SigningKey, diagnosis};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    host: &'a [u8],
    content_type: &'a [u8],
    others: Vec<(&'a str, &'a [u8])>,
    payload: &'a [u8],
    timestamp: &'a str,
    date: &'a str,
    service: &'a str,
    header: &'a str,
}

fuzz_target!(|input: Input<'_>| {
    let mut headers = HeaderMap::new();
    let pairs = [("host", input.host), ("content-type", input.content_type)];
    for (name, value) in pairs.into_iter().chain(input.others.iter().copied()) {
        let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value)) else { continue };
        headers.append(name, value);
    }
    let payload_sha256 = tc3::payload_hash(false, input.payload);
    let request = SignedRequest {
        method: input.method,
        path: input.path,
        query: input.query,
        headers: &headers,
        payload_sha256: &payload_sha256,
        timestamp: input.timestamp,
    };
    let secret = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE".to_owned().into();
    if let Ok(given) = Authorization::parse(input.header) {
        assert!(
            !tc3::matches(&given, &request, &SigningKey::derive(&secret, &given)),
            "no signature is right by chance"
        );
        diagnosis::diagnose(&given, &request, Some(input.payload), &secret, input.date);
    }
    let Some(signed) = tc3::authorize(&request, "AKIDx", &secret, input.date, input.service) else { return };
    let Ok(parsed) = Authorization::parse(&signed) else { return };
    assert!(tc3::matches(&parsed, &request, &SigningKey::derive(&secret, &parsed)));
    let other = SignedRequest { payload_sha256: &tc3::payload_hash(false, b"another"), ..request };
    assert!(input.payload == b"another" || !tc3::matches(&parsed, &other, &SigningKey::derive(&secret, &parsed)));
});
