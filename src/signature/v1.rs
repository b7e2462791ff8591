//! Signature version 1: an HMAC over the sorted parameters.
//!
//! ```text
//! string to sign = METHOD host "/?" name=value&name=value…     sorted by the bytes of the names, values decoded,
//!                                                              without Signature
//! signature      = base64(HMAC-SHA1 or HMAC-SHA256 under SecretKey)
//! ```

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use sha2::Sha256;

/// The parameter that carries the signature, and by which a request is known to be of this version.
pub const SIGNATURE: &str = "Signature";

/// The parameters are not those of a version 1 request; what is wrong with them, for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// One stands twice, so that it is not clear which is meant.
    #[error("a parameter stands twice")]
    Twice,
    /// A mandatory one is missing.
    #[error("the parameter {0} is missing")]
    Missing(&'static str),
    /// Neither of the two methods.
    #[error("SignatureMethod is HmacSHA1 or HmacSHA256")]
    Method,
    /// Not base64 of the method's length.
    #[error("the Signature is not base64 of the length its method makes")]
    Signature,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    HmacSha1,
    HmacSha256,
}

/// The parameters of a request, decoded and in the order in which they are signed.
#[derive(Clone, Debug)]
pub struct Claim {
    sorted: Vec<(String, String)>,
    method: Method,
    signature: Vec<u8>,
}

impl Claim {
    /// From the decoded parameters of a query or form body.
    pub fn parse(mut params: Vec<(String, String)>) -> Result<Self, Malformed> {
        params.sort_unstable();
        if params.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(Malformed::Twice);
        }
        let value = |name: &'static str| {
            params.iter().find(|param| param.0 == name).map(|param| param.1.as_str()).ok_or(Malformed::Missing(name))
        };
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
        Ok(Self { sorted: params, method, signature })
    }

    /// A parameter's value, decoded.
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.sorted.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok()?;
        Some(&self.sorted[at].1)
    }

    /// All parameters, decoded, the common ones among them.
    pub fn into_params(self) -> Vec<(String, String)> {
        self.sorted
    }

    /// Is the signature that of these parameters, sent by `method` to `host`? Compared in constant time.
    pub fn matches(&self, method: &str, host: &str, secret_key: &SecretString) -> bool {
        hosts(host).any(|(host, port)| {
            let message = self.string_to_sign(method, host, port);
            let key = secret_key.expose_secret().as_bytes();
            match self.method {
                Method::HmacSha1 => Hmac::<Sha1>::new_from_slice(key)
                    .is_ok_and(|mac| mac.chain_update(message).verify_slice(&self.signature).is_ok()),
                Method::HmacSha256 => Hmac::<Sha256>::new_from_slice(key)
                    .is_ok_and(|mac| mac.chain_update(message).verify_slice(&self.signature).is_ok()),
            }
        })
    }

    fn string_to_sign(&self, method: &str, host: &str, port: &str) -> String {
        let signed = self.sorted.iter().filter(|(name, _)| name != SIGNATURE);
        let pairs: Vec<String> = signed.map(|(name, value)| format!("{name}={value}")).collect();
        format!("{method}{host}{port}/?{}", pairs.join("&"))
    }
}

/// The host as it may have been signed, and a port after it: as sent, without the port, and, where none was sent, with one
/// that goes without saying. The Node client signs `localhost:80` and sends `localhost`.
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
        let claim = Claim::parse(params(&format!("{QUERY}&Signature=zmmjn35mikh6pM3V7sUEuX4wyYM%3D"))).unwrap();
        assert!(claim.matches("GET", HOST, &secret()));
        assert!(claim.matches("GET", &format!("{HOST}:443"), &secret()));
        assert!(!claim.matches("POST", HOST, &secret()));
        assert!(!claim.matches("GET", "sts.tencentcloudapi.com", &secret()));
    }

    #[test]
    fn vector_d_sha256() {
        let signature = "czb75sAwt2P15FCqA4ugj88%2FaUVor%2FdVp3fCS%2F7mQiY%3D";
        let query = format!("{QUERY}&SignatureMethod=HmacSHA256&Signature={signature}");
        assert!(Claim::parse(params(&query)).unwrap().matches("GET", HOST, &secret()));
        // The shorter method does not take the longer one's place.
        let downgraded = query.replace("HmacSHA256", "HmacSHA1");
        assert_eq!(Claim::parse(params(&downgraded)).unwrap_err(), Malformed::Signature);
    }

    #[test]
    fn a_default_port_may_be_signed_and_not_sent_or_sent_and_not_signed() {
        let signed = |host: &str| {
            let unsigned = Claim::parse(params(&format!("{QUERY}&Signature=zmmjn35mikh6pM3V7sUEuX4wyYM%3D"))).unwrap();
            let key = "Gu5t9xGARNpq86cd98joQYCN3*******".as_bytes();
            let message = unsigned.string_to_sign("GET", host, "");
            let signature = Hmac::<Sha1>::new_from_slice(key).unwrap().chain_update(message).finalize().into_bytes();
            Claim { signature: signature.to_vec(), ..unsigned }
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
            assert_eq!(signed(signed_host).matches("GET", sent, &secret()), passes, "{signed_host} as {sent}");
        }
    }

    #[test]
    fn malformed_parameters_are_told_apart() {
        let refused = |query: &str| Claim::parse(params(query)).unwrap_err();
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
            let _ = Claim::parse(params(&query));
        }

        #[test]
        fn any_other_value_is_refused(limit in "[0-9]{1,3}") {
            prop_assume!(limit != "20");
            let query = format!("{QUERY}&Signature=zmmjn35mikh6pM3V7sUEuX4wyYM%3D").replace("Limit=20", &format!("Limit={limit}"));
            prop_assert!(!Claim::parse(params(&query)).unwrap().matches("GET", HOST, &secret()));
        }
    }
}
