//! The `Authorization` header of version 3 is parsed or refused, without a panic, and its parsed parts are parts of the
//! header.

#![no_main]

use latchkey::signature::tc3::Authorization;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|header: &str| {
    let Ok(parsed) = Authorization::parse(header) else { return };
    for part in [parsed.secret_id, parsed.date, parsed.service] {
        assert!(!part.is_empty() && !part.contains('/') && header.contains(part));
    }
    let names: Vec<&str> = parsed.signed_headers().collect();
    assert!(names.contains(&"host") && names.contains(&"content-type"));
});
