//! The check itself, without server and database: parse, hash, compare. `cargo bench --bench check`.

use std::hint::black_box;
use std::time::Instant;

use axum::http::{HeaderMap, HeaderValue, header};
use latchkey::signature::aws4;
use latchkey::signature::scheme::{SentBody, SentRequest};
use latchkey::signature::tc3::{self, Authorization, SignedRequest, SigningKey};
use latchkey::signature::{SchemeName, SigningKeys};
use secrecy::SecretString;

const CHECKS: u32 = 200_000;
const ROUNDS: usize = 7;
const SIGNED_AT: &str = "1795000000";

fn main() {
    let secret: SecretString = "0123456789abcdefghijABCDEFGHIJ01".to_owned().into();
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_static("127.0.0.1:8081"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let body = format!("{{\"Description\":\"{}\"}}", "x".repeat(182));
    assert_eq!(body.len(), 200);
    let payload_sha256 = tc3::payload_hash(false, body.as_bytes());
    let request = SignedRequest {
        method: "POST",
        path: "/",
        query: "",
        headers: &headers,
        payload_sha256: &payload_sha256,
        timestamp: SIGNED_AT,
    };
    let id = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE";
    let sent = tc3::authorize(&request, id, &secret, "2026-11-18", "cam").unwrap();
    let kept = SigningKey::derive(&secret, &Authorization::parse(&sent).unwrap());

    let check = |key: Option<&SigningKey>| {
        let authorization = Authorization::parse(black_box(&sent)).unwrap();
        let payload_sha256 = tc3::payload_hash(false, black_box(body.as_bytes()));
        let request = SignedRequest { payload_sha256: &payload_sha256, ..request };
        let matches = match key {
            Some(key) => tc3::matches(&authorization, &request, key),
            None => tc3::matches(&authorization, &request, &SigningKey::derive(&secret, &authorization)),
        };
        assert!(matches);
    };
    // The check as an entry point performs it: it finds the scheme, and the signing key is cached with the key.
    let mut sent_headers = headers.clone();
    sent_headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&sent).unwrap());
    sent_headers.insert(tc3::X_TC_TIMESTAMP, HeaderValue::from_static(SIGNED_AT));
    let signing_keys = SigningKeys::default();
    let ask = || {
        let body = SentBody::Whole(black_box(body.as_bytes()));
        let request =
            SentRequest { method: "POST", path: "/", query: "", headers: &sent_headers, body, parameters: &[] };
        let scheme = SchemeName::of(&request, &[SchemeName::Tc3, SchemeName::V1]);
        let payload = scheme.payload(&request).unwrap();
        assert!(scheme.read(&request, &payload).unwrap().matches(&secret, &signing_keys));
    };
    let aws4_headers = aws4_headers(id, &secret, &body);
    let ask_aws4 = |signing_keys: &SigningKeys| {
        let body = SentBody::Whole(black_box(body.as_bytes()));
        let request =
            SentRequest { method: "POST", path: "/orders", query: "", headers: &aws4_headers, body, parameters: &[] };
        let scheme = SchemeName::of(&request, &[SchemeName::Aws4, SchemeName::Tc3]);
        let payload = scheme.payload(&request).unwrap();
        assert!(scheme.read(&request, &payload).unwrap().matches(&secret, signing_keys));
    };
    println!("{:<44} {:>8} ns", "200-byte body, claim read, signing key kept", median(ask));
    println!("{:<44} {:>8} ns", "the same with aws4", median(|| ask_aws4(&signing_keys)));
    println!(
        "{:<44} {:>8} ns",
        "the same with aws4, signing key derived",
        median(|| ask_aws4(&SigningKeys::default()))
    );
    println!("{:<44} {:>8} ns", "200-byte body, signing key kept", median(|| check(Some(&kept))));
    println!("{:<44} {:>8} ns", "200-byte body, signing key derived", median(|| check(None)));
}

/// The headers of a request to a back end, with AWS Signature Version 4.
fn aws4_headers(id: &str, secret: &SecretString, body: &str) -> HeaderMap {
    let payload = tc3::payload_hash(false, body.as_bytes());
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_static("127.0.0.1:8000"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(aws4::X_AMZ_DATE, HeaderValue::from_static("20261118T100640Z"));
    let (method, path, time) = ("POST", "/orders", "20261118T100640Z");
    let request = aws4::SignedRequest { method, path, query: "", headers: &headers, payload: &payload, time };
    let scope = aws4::canonical::Scope { date: "20261118", region: "eu-west-1", service: "shop" };
    let sent = aws4::canonical::authorize(&request, id, secret, scope, "content-type;host;x-amz-date").unwrap();
    headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&sent).unwrap());
    headers
}

/// The median over several rounds, in nanoseconds per call.
fn median(call: impl Fn()) -> u128 {
    let mut rounds: Vec<u128> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            (0..CHECKS).for_each(|_| call());
            begun.elapsed().as_nanos() / u128::from(CHECKS)
        })
        .collect();
    rounds.sort_unstable();
    rounds[ROUNDS / 2]
}
