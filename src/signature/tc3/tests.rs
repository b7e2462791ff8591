//! The published test vectors, and properties that are tested against a signer written from the protocol alone.

use axum::http::{HeaderMap, HeaderValue};
use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::canonical::{Reading, canonical_request, sha256_hex};
use super::*;

const TIMESTAMP: &str = "1551113065";
const SECRET: &str = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE";
const SECRET_STARS: &str = "Gu5t9xGARNpq86cd98joQYCN3*******";
const BODY: &str = r#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}"#;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap())).collect()
}

fn authorization(signed: &str, signature: &str) -> String {
    format!(
        "{ALGORITHM} Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, \
         SignedHeaders={signed}, Signature={signature}"
    )
}

fn json_headers() -> HeaderMap {
    headers(&[
        ("content-type", "application/json; charset=utf-8"),
        ("host", "cvm.tencentcloudapi.com"),
        ("x-tc-action", "DescribeInstances"),
    ])
}

fn post<'a>(headers: &'a HeaderMap, payload_sha256: &'a str) -> SignedRequest<'a> {
    SignedRequest { method: "POST", path: "/", query: "", headers, payload_sha256, timestamp: TIMESTAMP }
}

fn signed_by(authorization: &Authorization<'_>, request: &SignedRequest<'_>, secret: &str) -> bool {
    matches(authorization, request, &SigningKey::derive(&secret.to_owned().into(), authorization))
}

#[test]
fn vector_a_post() {
    let hash = payload_hash(false, BODY.as_bytes());
    assert_eq!(hash, "35e9c5b0e3ae67532d3c9f17ead6c90222632e5b1ff7f6e89887f1398934f064");
    let signature = "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168";
    let header = authorization("content-type;host", signature);
    let parsed = Authorization::parse(&header).unwrap();
    let headers = json_headers();
    let request = post(&headers, &hash);
    let reading = Reading { host: "cvm.tencentcloudapi.com", raw_values: true };
    let canonical = canonical_request(&parsed, &request, reading).unwrap();
    assert_eq!(sha256_hex(canonical.as_bytes()), "5ffe6a04c0664d6b969fab9a13bdab201d63ee709638e2749d62a09ca18d7031");
    assert!(signed_by(&parsed, &request, SECRET));
    assert!(!signed_by(&parsed, &request, SECRET_STARS));
}

#[test]
fn vector_b_with_a_third_signed_header_in_lower_case() {
    let hash = payload_hash(false, BODY.as_bytes());
    let signature = "be4f67d323c78ab9acb7395e43c0dbcf822a9cfac32fea2449a7bc7726b770a3";
    let header = authorization("content-type;host;x-tc-action", signature);
    let parsed = Authorization::parse(&header).unwrap();
    let headers = json_headers();
    let request = post(&headers, &hash);
    let reading = Reading { host: "cvm.tencentcloudapi.com", raw_values: false };
    let canonical = canonical_request(&parsed, &request, reading).unwrap();
    assert_eq!(sha256_hex(canonical.as_bytes()), "7019a55be8395899b900fb5564e4200d984910f34794a27cb3fb7d10ff6a1e84");
    assert!(signed_by(&parsed, &request, SECRET_STARS));
}

proptest! {
    #[test]
    fn a_header_that_says_the_same_again_changes_nothing_and_any_other_value_does(
        kind in "[a-z/]{1,20}", other in "[ -~]{0,20}", times in 1_usize..4,
    ) {
        let hash = payload_hash(false, b"");
        let mut headers = headers(&[("content-type", &kind), ("host", "localhost")]);
        let secret = SECRET.to_owned().into();
        let header = authorize(&post(&headers, &hash), "AKIDx", &secret, "2019-02-25", "cvm").unwrap();
        let parsed = Authorization::parse(&header).unwrap();
        for _ in 0..times {
            headers.append(header::CONTENT_TYPE, HeaderValue::from_str(&kind).unwrap());
            prop_assert!(signed_by(&parsed, &post(&headers, &hash), SECRET));
        }
        let mut host_twice = headers.clone();
        host_twice.append(header::HOST, HeaderValue::from_static("localhost"));
        prop_assert!(!signed_by(&parsed, &post(&host_twice, &hash), SECRET));
        headers.append(header::CONTENT_TYPE, HeaderValue::from_str(&other).unwrap());
        prop_assert_eq!(signed_by(&parsed, &post(&headers, &hash), SECRET), other == kind);
    }
}

#[test]
fn vector_e_get() {
    let signature = "9867b291561db17491c01f0d7f06be3ccd45e91ecd3ce5434330e00ece036f64";
    let header = authorization("content-type;host", signature);
    let headers =
        headers(&[("content-type", "application/x-www-form-urlencoded"), ("host", "cvm.tencentcloudapi.com")]);
    let hash = payload_hash(false, b"");
    let request = SignedRequest { method: "GET", query: "Limit=10&Offset=0", ..post(&headers, &hash) };
    assert!(signed_by(&Authorization::parse(&header).unwrap(), &request, SECRET));
}

#[test]
fn malformed_headers_are_told_apart() {
    let good = authorization("content-type;host", &"0".repeat(64));
    assert!(Authorization::parse(&good).is_ok());
    let refused = |header: &str| Authorization::parse(header).unwrap_err();
    assert_eq!(refused("SKIP"), Malformed::Algorithm);
    assert_eq!(refused(""), Malformed::Algorithm);
    assert_eq!(refused(&good.replace("TC3-HMAC-SHA256", "TC3-HMAC-SM3")), Malformed::Algorithm);
    assert_eq!(refused(&good.replace("TC3-HMAC-SHA256", "tc3-hmac-sha256")), Malformed::Algorithm);
    assert_eq!(refused(&good.replace("Signature=", "Signatur=")), Malformed::Parts);
    assert_eq!(refused(&format!("{good}, Signature={}", "0".repeat(64))), Malformed::Parts);
    assert_eq!(refused(&good.replace("/tc3_request", "")), Malformed::Credential);
    assert_eq!(refused(&good.replace("/tc3_request", "/tc3_request/x")), Malformed::Credential);
    assert_eq!(refused(&good.replace("content-type;host", "content-type")), Malformed::SignedHeaders);
    assert_eq!(refused(&good.replace("content-type;host", "content-type;host;host")), Malformed::SignedHeaders);
    let many = format!("content-type;host{}", ";x".repeat(31));
    assert_eq!(refused(&good.replace("content-type;host", &many)), Malformed::SignedHeaders);
    assert_eq!(refused(&good.replace("content-type;host", "Content-Type;Host")), Malformed::SignedHeaders);
    for signature in ["", "0", &"0".repeat(63), &"0".repeat(65), &"A".repeat(64), &"g".repeat(64)] {
        assert_eq!(refused(&authorization("content-type;host", signature)), Malformed::Signature, "{signature}");
    }
}

/// The headers of a request and its `Authorization`, built from the protocol's description without the code above.
fn signed(body: &str, query: &str, timestamp: &str) -> (HeaderMap, String) {
    fn mac(key: &[u8], text: &str) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().to_vec()
    }
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let body_hash = hex(&Sha256::digest(body.as_bytes()));
    let canonical =
        format!("POST\n/\n{query}\ncontent-type:application/json\nhost:h:1\n\ncontent-type;host\n{body_hash}");
    let canonical_hash = hex(&Sha256::digest(canonical.as_bytes()));
    let to_sign = format!("TC3-HMAC-SHA256\n{timestamp}\n2019-02-25/cvm/tc3_request\n{canonical_hash}");
    let key = mac(&mac(&mac(format!("TC3{SECRET}").as_bytes(), "2019-02-25"), "cvm"), "tc3_request");
    let signature = hex(&mac(&key, &to_sign));
    (headers(&[("content-type", "application/json"), ("host", "h:1")]), authorization("content-type;host", &signature))
}

fn accepted(method: &str, query: &str, body: &str, timestamp: &str, headers: &HeaderMap, header: &str) -> bool {
    let Ok(parsed) = Authorization::parse(header) else { return false };
    let hash = payload_hash(false, body.as_bytes());
    let request = SignedRequest { method, query, timestamp, ..post(headers, &hash) };
    signed_by(&parsed, &request, SECRET)
}

fn with_byte(text: &str, at: usize, byte: u8) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let at = at % bytes.len();
    bytes[at] = byte;
    String::from_utf8(bytes).unwrap()
}

proptest! {
    #[test]
    fn what_is_signed_passes_and_any_other_byte_of_any_part_does_not(
        body in "[ -~]{1,60}", query in "[a-z=&]{1,20}", timestamp in "[0-9]{10}", at in any::<usize>(), byte in b'!'..=b'~',
    ) {
        let (headers, header) = signed(&body, &query, &timestamp);
        prop_assert!(accepted("POST", &query, &body, &timestamp, &headers, &header));
        for (part, altered) in [
            (&body, accepted("POST", &query, &with_byte(&body, at, byte), &timestamp, &headers, &header)),
            (&query, accepted("POST", &with_byte(&query, at, byte), &body, &timestamp, &headers, &header)),
            (&timestamp, accepted("POST", &query, &body, &with_byte(&timestamp, at, byte), &headers, &header)),
        ] {
            prop_assert_eq!(altered, with_byte(part, at, byte) == *part, "{}", part);
        }
        // The ID is looked up, not signed; every other byte of the header counts.
        let credential_end = header.find("/2019").unwrap();
        let place = credential_end + at % (header.len() - credential_end);
        let altered = with_byte(&header, place, byte);
        prop_assert_eq!(accepted("POST", &query, &body, &timestamp, &headers, &altered), altered == header);
        prop_assert!(!accepted("GET", &query, &body, &timestamp, &headers, &header));
    }

    #[test]
    fn no_header_panics(header in ".{0,200}") {
        let _ = Authorization::parse(&header);
    }

    #[test]
    fn no_credential_panics(id in ".{0,40}", date in ".{0,12}", signed in ".{0,40}", signature in ".{0,70}") {
        let header = format!(
            "{ALGORITHM} Credential={id}/{date}/x/tc3_request, SignedHeaders={signed}, Signature={signature}"
        );
        let _ = Authorization::parse(&header);
    }
}
