//! Tokens that a bearer proves something with, and the digests they are stored as.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::types::random;

/// A bearer token of 256 bits: 43 characters of URL-safe base64. The database keeps only its [`digest`].
pub fn bearer() -> SecretString {
    data_encoding::BASE64URL_NOPAD.encode(&random::bytes::<32>()).into()
}

/// SHA-256, the form in which random tokens of 80 bits and more are stored.
pub fn digest(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// [`digest`] of a secret token.
pub fn secret_digest(token: &SecretString) -> Vec<u8> {
    digest(token.expose_secret())
}
