//! Bearer tokens, and the digests that are stored of them.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::types::random;

/// A bearer token. A generated one is 256 random bits in 43 characters of URL-safe base64; one received from a client
/// may be any text. The database contains only the [`TokenDigest`].
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Token(SecretString);

impl Token {
    /// Generates a random token.
    pub fn generate() -> Self {
        Self(data_encoding::BASE64URL_NOPAD.encode(&random::bytes::<32>()).into())
    }

    /// The form in which the token is stored.
    pub fn digest(&self) -> TokenDigest {
        TokenDigest::of(self.expose_secret())
    }
}

impl From<&str> for Token {
    /// A token received from a client.
    fn from(sent: &str) -> Self {
        Self(sent.into())
    }
}

impl ExposeSecret<str> for Token {
    fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// The SHA-256 of a token, which is the form in which random tokens of 80 bits and more are stored. Digests are
/// compared in constant time.
#[derive(Clone, Debug, Serialize, Deserialize, sqlx::Type)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct TokenDigest(Vec<u8>);

impl TokenDigest {
    /// The digest of a token that is not held as a [`Token`].
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).to_vec())
    }

    /// A digest for use where there is no token. No stored digest equals it.
    pub fn of_none() -> Self {
        Self::of("")
    }

    /// The digest in hexadecimal.
    pub fn to_hex(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.0)
    }
}

impl ConstantTimeEq for TokenDigest {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl PartialEq for TokenDigest {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for TokenDigest {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_shows_nothing_and_its_digest_is_sha_256() {
        let token = Token::generate();
        assert_eq!((token.expose_secret().len(), format!("{token:?}").as_str()), (43, "Token"));
        assert_ne!(token.digest(), Token::generate().digest());
        let abc = Token::from("abc").digest();
        assert_eq!(abc, TokenDigest::of("abc"));
        assert_eq!(abc.to_hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    /// Stored sessions contain digests in this form.
    #[test]
    fn a_digest_is_stored_in_sessions_as_its_bytes() {
        let digest = TokenDigest::of("abc");
        let stored = serde_json::to_string(&digest).unwrap();
        assert!(stored.starts_with("[186,120,22,191,"), "{stored}");
        assert_eq!(serde_json::from_str::<TokenDigest>(&stored).unwrap(), digest);
    }
}
