//! The only source of randomness: the operating system's generator, through `rand`.

use std::ops::RangeInclusive;

use rand::rngs::SysRng;
use rand::{RngExt, TryRng};

/// The system generator in an infallible form: without randomness, it panics, because nothing may continue.
fn generator() -> impl rand::CryptoRng {
    rand::rand_core::UnwrapErr(SysRng)
}

/// `N` random bytes.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SysRng.try_fill_bytes(&mut bytes).expect("the operating system must provide randomness");
    bytes
}

/// Random bytes for names that are not secret. They come from the thread-local generator, which the system generator
/// seeds, and need no system call.
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
