//! The parameters of version 1, from a query or a form body as it arrives.

#![no_main]

use latchkey::signature::v1::V1Claim;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|encoded: &[u8]| {
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(encoded).into_owned().collect();
    let Ok(claim) = V1Claim::parse(&pairs, "GET", "127.0.0.1:8081") else { return };
    let secret = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE".to_owned().into();
    assert!(!claim.matches(&secret), "no signature is right by chance");
});
