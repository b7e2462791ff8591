//! The only source of randomness: the operating system's generator, through `rand`.

use std::ops::RangeInclusive;

use rand::rngs::SysRng;
use rand::{RngExt, TryRng};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// The system generator as an infallible one: without randomness nothing here may go on.
fn generator() -> impl rand::CryptoRng {
    rand::rand_core::UnwrapErr(SysRng)
}

/// `N` random bytes.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SysRng.try_fill_bytes(&mut bytes).expect("the operating system must provide randomness");
    bytes
}

/// Random bytes for names that are no secrets: from this thread's generator, which the system's seeds, without a system
/// call.
#[expect(clippy::disallowed_methods, reason = "this is the source of randomness")]
pub fn name_bytes<const N: usize>() -> [u8; N] {
    rand::random()
}

/// `length` random letters and digits, 5.95 bits each.
pub fn alphanumeric(length: usize) -> String {
    generator().sample_iter(rand::distr::Alphanumeric).take(length).map(char::from).collect()
}

/// A random number from `range`, both ends included.
pub fn number_in(range: RangeInclusive<i64>) -> i64 {
    generator().random_range(range)
}

/// A bearer token of 256 bits: 43 characters of URL-safe base64. The database keeps only its [`digest`].
pub fn bearer() -> SecretString {
    data_encoding::BASE64URL_NOPAD.encode(&bytes::<32>()).into()
}

/// SHA-256, the form in which random tokens of 80 bits and more are stored.
pub fn digest(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// [`digest`] of a secret token.
pub fn secret_digest(token: &SecretString) -> Vec<u8> {
    digest(token.expose_secret())
}
