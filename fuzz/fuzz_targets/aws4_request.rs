//! A complete request with AWS Signature Version 4. The request that was signed matches, any other does not, and
//! diagnosing a refused one does not panic.

#![no_main]

use arbitrary::Arbitrary;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use latchkey::signature::aws4::SignedRequest;
use latchkey::signature::aws4::canonical::{Scope, authorize};
use latchkey::signature::scheme::{SentBody, SentRequest};
use latchkey::signature::{SchemeName, SigningKeys};
use libfuzzer_sys::fuzz_target;
use secrecy::SecretString;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    host: &'a [u8],
    others: Vec<(&'a str, &'a [u8])>,
    payload: &'a [u8],
    region: &'a str,
    service: &'a str,
    header: &'a [u8],
}

const TIME: &str = "20261128T120000Z";

fn matches(input: &Input<'_>, headers: &HeaderMap, body: &[u8], secret: &SecretString) -> bool {
    let Input { method, path, query, .. } = *input;
    let request = SentRequest { method, path, query, headers, body: SentBody::Whole(body), parameters: &[] };
    let Ok(payload) = SchemeName::Aws4.payload(&request) else { return false };
    let Ok(claim) = SchemeName::Aws4.read(&request, &payload) else { return false };
    claim.diagnose(secret);
    claim.matches(secret, &SigningKeys::default())
}

fuzz_target!(|input: Input<'_>| {
    let secret: SecretString = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE".to_owned().into();
    let mut headers = HeaderMap::new();
    let pairs = [("host", input.host), ("x-amz-date", TIME.as_bytes())];
    for (name, value) in pairs.into_iter().chain(input.others.iter().copied()) {
        let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value)) else { continue };
        headers.append(name, value);
    }
    let mut given = headers.clone();
    if let Ok(value) = HeaderValue::from_bytes(input.header) {
        given.insert("authorization", value);
        assert!(!matches(&input, &given, input.payload, &secret), "no signature is right by chance");
    }
    let Input { method, path, query, region, service, .. } = input;
    let payload = latchkey::signature::tc3::payload_hash(false, input.payload);
    let request = SignedRequest { method, path, query, headers: &headers, payload: &payload, time: TIME };
    let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    let scope = Scope { date: &TIME[..8], region, service };
    let Some(signed) = authorize(&request, "AKIDx", &secret, scope, &names.join(";")) else { return };
    let Ok(signed) = HeaderValue::from_str(&signed) else { return };
    let mut sent = headers.clone();
    sent.insert("authorization", signed);
    let states_hash = sent.contains_key("x-amz-content-sha256");
    if !states_hash && input.payload != b"another" && matches(&input, &sent, input.payload, &secret) {
        assert!(!matches(&input, &sent, b"another", &secret));
    }
});
