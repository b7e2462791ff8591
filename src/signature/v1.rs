//! Signature version 1: an HMAC over the sorted parameters.
//!
//! ```text
//! string to sign = METHOD host "/?" name=value&name=value…     sorted by the bytes of the names, values decoded,
//!                                                              without Signature
//! signature      = base64(HMAC-SHA1 or HMAC-SHA256 under SecretKey)
//! ```

use axum::http::header;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use sha2::Sha256;

use super::diagnosis::Diagnosis;
use super::scheme::{Payload, Scheme, SentRequest};
use crate::http::headers::only;
use crate::types::clock::Timestamp;

/// The parameter with the signature, which marks a request as one of this version.
pub const SIGNATURE: &str = "Signature";

/// The reason why the parameters are not those of a version 1 request, in words for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A parameter appears twice, so that it is not clear which one is meant.
    #[error("a parameter is given twice")]
    Twice,
    /// A mandatory parameter is missing.
    #[error("the parameter {0} is missing")]
    Missing(&'static str),
    /// The signature method is neither of the two.
    #[error("SignatureMethod is HmacSHA1 or HmacSHA256")]
    Method,
    /// The signature is not base64 of the method's length.
    #[error("the Signature is not base64 of the length that its method produces")]
    Signature,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    HmacSha1,
    HmacSha256,
}

/// The claim of a version 1 request.
#[derive(Debug)]
pub struct V1Claim<'r> {
    /// The parameters, decoded and in the order in which they are signed.
    sorted: Vec<&'r (String, String)>,
    method: Method,
    signature: Vec<u8>,
    http_method: &'r str,
    /// The host, as sent; empty unless there is exactly one `Host` header.
    host: &'r str,
}

impl<'r> V1Claim<'r> {
    /// Parses the claim from the decoded parameters of a query or form body that was sent by `http_method` to `host`.
    pub fn parse(parameters: &'r [(String, String)], http_method: &'r str, host: &'r str) -> Result<Self, Malformed> {
        let mut sorted: Vec<&(String, String)> = parameters.iter().collect();
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(Malformed::Twice);
        }
        let value = |name: &'static str| find(&sorted, name).ok_or(Malformed::Missing(name));
        for name in ["SecretId", "Timestamp", "Nonce", "Action"] {
            value(name)?;
        }
        let (method, length) = match value("SignatureMethod") {
            Err(_) | Ok("HmacSHA1") => (Method::HmacSha1, 20),
            Ok("HmacSHA256") => (Method::HmacSha256, 32),
            Ok(_) => return Err(Malformed::Method),
        };
        let signature = data_encoding::BASE64.decode(value(SIGNATURE)?.as_bytes()).map_err(|_| Malformed::Signature)?;
        if signature.len() != length {
            return Err(Malformed::Signature);
        }
        Ok(Self { sorted, method, signature, http_method, host })
    }

    fn get(&self, name: &str) -> Option<&'r str> {
        find(&self.sorted, name)
    }

    /// Returns `true` if the signature is that of these parameters, sent as they were. Compares in constant time.
    pub fn matches(&self, secret_key: &SecretString) -> bool {
        hosts(self.host).any(|(host, port)| {
            let message = self.string_to_sign(host, port);
            let key = secret_key.expose_secret().as_bytes();
            match self.method {
                Method::HmacSha1 => Hmac::<Sha1>::new_from_slice(key)
                    .is_ok_and(|mac| mac.chain_update(message).verify_slice(&self.signature).is_ok()),
                Method::HmacSha256 => Hmac::<Sha256>::new_from_slice(key)
                    .is_ok_and(|mac| mac.chain_update(message).verify_slice(&self.signature).is_ok()),
            }
        })
    }

    fn string_to_sign(&self, host: &str, port: &str) -> String {
        let signed = self.sorted.iter().filter(|(name, _)| name != SIGNATURE);
        let pairs: Vec<String> = signed.map(|(name, value)| format!("{name}={value}")).collect();
        format!("{}{host}{port}/?{}", self.http_method, pairs.join("&"))
    }
}

/// The value of the parameter of this name. The parameters are sorted, and each name is unique.
fn find<'r>(sorted: &[&'r (String, String)], name: &str) -> Option<&'r str> {
    let at = sorted.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok()?;
    Some(&sorted[at].1)
}

impl<'r> Scheme<'r> for V1Claim<'r> {
    /// Not shown anywhere, because this version has no header that would name it.
    const NAME: &'static str = "version 1";
    const EXPLAINS: bool = false;
    /// Nothing is derived: the secret itself signs.
    type SigningKey = ();

    fn is_used_by(request: &SentRequest<'_>) -> bool {
        request.parameters.iter().any(|(name, _)| name == SIGNATURE)
    }

    fn signed_headers(_: &SentRequest<'r>) -> Vec<&'r str> {
        Vec::new()
    }

    fn reads_header(_: &str) -> bool {
        false
    }

    /// Only the parameters are signed, wherever they are, and no hash of the payload.
    fn payload(_: &SentRequest<'_>) -> Result<Payload, super::Malformed> {
        Ok(Payload::default())
    }

    fn read(request: &SentRequest<'r>, _: &'r Payload) -> Result<Self, super::Malformed> {
        let host = only(request.headers, header::HOST).unwrap_or_default();
        Ok(Self::parse(request.parameters, request.method, host)?)
    }

    fn secret_id(&self) -> &str {
        self.get("SecretId").unwrap_or_default()
    }

    fn signed_at(&self) -> Option<Timestamp> {
        self.get("Timestamp")?.parse().ok().map(Timestamp::of_seconds)
    }

    fn has_token(&self) -> bool {
        self.get("Token").is_some_and(|token| !token.is_empty())
    }

    fn signing_key(&self, _: &SecretString) -> Option<()> {
        Some(())
    }

    fn is_under(&self, (): &()) -> bool {
        true
    }

    fn matches(&self, secret_key: &SecretString, (): &()) -> bool {
        Self::matches(self, secret_key)
    }

    fn diagnose(&self, _: &SecretString) -> Option<Diagnosis> {
        None
    }
}

/// The forms of the host that may have been signed, each with a port to append: as sent, without its port, and, if it
/// was sent without one, with a default port. The Node client signs `localhost:80` and sends `localhost`.
fn hosts(sent: &str) -> impl Iterator<Item = (&str, &str)> {
    let default_ports: &[&str] = if super::without_port(sent) == sent { &[":80", ":443"] } else { &[] };
    super::hosts(sent).map(|host| (host, "")).chain(default_ports.iter().map(move |port| (sent, *port)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const QUERY: &str = "Action=DescribeInstances&InstanceIds.0=ins-09dx96dg&Limit=20&Nonce=11886&Offset=0\
        &Region=ap-guangzhou&SecretId=AKIDz8krbsJ5yKBZQpn74WFkmLPx3*******&Timestamp=1465185768&Version=2017-03-12";
    const HOST: &str = "cvm.tencentcloudapi.com";

    fn secret() -> SecretString {
        "Gu5t9xGARNpq86cd98joQYCN3*******".to_owned().into()
    }

    fn params(query: &str) -> Vec<(String, String)> {
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    #[test]
    fn vector_c_sha1() {
        let params = params(&format!("{QUERY}&Signature=zmmjn35mikh6pM3V7sUEuX4wyYM%3D"));
        let matches = |method: &str, host: &str| V1Claim::parse(&params, method, host).unwrap().matches(&secret());
        assert!(matches("GET", HOST));
        assert!(matches("GET", &format!("{HOST}:443")));
        assert!(!matches("POST", HOST));
        assert!(!matches("GET", "sts.tencentcloudapi.com"));
    }

    #[test]
    fn vector_d_sha256() {
        let signature = "czb75sAwt2P15FCqA4ugj88%2FaUVor%2FdVp3fCS%2F7mQiY%3D";
        let query = format!("{QUERY}&SignatureMethod=HmacSHA256&Signature={signature}");
        assert!(V1Claim::parse(&params(&query), "GET", HOST).unwrap().matches(&secret()));
        // A signature of the longer method is not accepted under the shorter one.
        let downgraded = query.replace("HmacSHA256", "HmacSHA1");
        assert_eq!(V1Claim::parse(&params(&downgraded), "GET", HOST).unwrap_err(), Malformed::Signature);
    }

    #[test]
    fn a_default_port_may_be_signed_and_not_sent_or_sent_and_not_signed() {
        let params = params(&format!("{QUERY}&Signature=zmmjn35mikh6pM3V7sUEuX4wyYM%3D"));
        let signed = |host: &str| {
            let message = V1Claim::parse(&params, "GET", host).unwrap().string_to_sign(host, "");
            let key = "Gu5t9xGARNpq86cd98joQYCN3*******".as_bytes();
            Hmac::<Sha1>::new_from_slice(key).unwrap().chain_update(message).finalize().into_bytes().to_vec()
        };
        for (signed_host, sent, passes) in [
            ("localhost:80", "localhost", true),
            ("localhost:443", "localhost", true),
            ("localhost", "localhost:80", true),
            ("localhost", "localhost:8081", true),
            ("[::1]:80", "[::1]", true),
            ("localhost:8081", "localhost", false),
            ("localhost:80", "localhost:443", false),
            ("localhost:80", "localhost:8081", false),
            ("localhost:80", "127.0.0.1", false),
            (":80", "localhost", false),
        ] {
            let claim = V1Claim { signature: signed(signed_host), ..V1Claim::parse(&params, "GET", sent).unwrap() };
            assert_eq!(claim.matches(&secret()), passes, "{signed_host} as {sent}");
        }
    }

    #[test]
    fn malformed_parameters_are_told_apart() {
        let refused = |query: &str| V1Claim::parse(&params(query), "GET", HOST).unwrap_err();
        let signed = format!("{QUERY}&Signature=zmmjn35mikh6pM3V7sUEuX4wyYM%3D");
        assert_eq!(refused(&format!("{signed}&Limit=21")), Malformed::Twice);
        assert_eq!(refused(QUERY), Malformed::Missing("Signature"));
        assert_eq!(refused(&signed.replace("&Nonce=11886", "")), Malformed::Missing("Nonce"));
        assert_eq!(refused(&format!("{signed}&SignatureMethod=HmacMD5")), Malformed::Method);
        assert_eq!(refused(&format!("{QUERY}&Signature=x")), Malformed::Signature);
    }

    proptest! {
        #[test]
        fn no_parameters_panic(query in ".{0,300}") {
            let _ = V1Claim::parse(&params(&query), "GET", HOST);
        }

        #[test]
        fn any_other_value_is_refused(limit in "[0-9]{1,3}") {
            prop_assume!(limit != "20");
            let query = format!("{QUERY}&Signature=zmmjn35mikh6pM3V7sUEuX4wyYM%3D").replace("Limit=20", &format!("Limit={limit}"));
            prop_assert!(!V1Claim::parse(&params(&query), "GET", HOST).unwrap().matches(&secret()));
        }
    }
}
