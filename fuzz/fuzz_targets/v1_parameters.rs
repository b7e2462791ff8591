//! The parameters of version 1, from a query or a form body as it comes over the wire.

#![no_main]

use latchkey::signature::v1::Claim;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|encoded: &[u8]| {
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(encoded).into_owned().collect();
    let Ok(claim) = Claim::parse(pairs) else { return };
    let secret = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE".to_owned().into();
    assert!(!claim.matches("GET", "127.0.0.1:8081", &secret), "nobody signs by chance");
});
