//! Recovery codes. Each one replaces a TOTP code once if the authenticator is lost.

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::token::TokenDigest;
use super::without_blanks;
use crate::types::random;

/// The number of recovery codes that an account gets.
pub const COUNT: usize = 10;

/// Generates ten codes of 80 bits, written `xxxx-xxxx-xxxx-xxxx` in base32.
pub fn generate() -> Vec<SecretString> {
    (0..COUNT).map(|_| format_code(&data_encoding::BASE32_NOPAD.encode(&random::bytes::<10>())).into()).collect()
}

fn format_code(letters: &str) -> String {
    let lower = letters.to_ascii_lowercase();
    [&lower[0..4], &lower[4..8], &lower[8..12], &lower[12..16]].join("-")
}

/// The stored form of a typed code. Case, spaces and dashes do not matter. `None` if the text cannot be a code.
pub fn digest(typed: &str) -> Option<TokenDigest> {
    let letters: Zeroizing<String> =
        Zeroizing::new(without_blanks(typed).filter(|c| *c != '-').map(|c| c.to_ascii_uppercase()).collect());
    let code = letters.len() == 16 && data_encoding::BASE32_NOPAD.decode(letters.as_bytes()).is_ok();
    code.then(|| TokenDigest::of(&Zeroizing::new(format_code(&letters))))
}

/// The stored forms of newly generated codes.
pub fn digests(codes: &[SecretString]) -> Vec<TokenDigest> {
    codes.iter().map(|code| TokenDigest::of(code.expose_secret())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_however_it_is_typed() {
        let codes = generate();
        let stored = digests(&codes);
        let upper = codes[0].expose_secret().to_uppercase();
        for between in ["-", " ", "", " - ", "\t", "\u{a0}", "\u{3000}"] {
            let typed = format!(" {}\u{202f}", upper.replace('-', between));
            assert_eq!(digest(&typed).as_ref(), Some(&stored[0]), "{typed:?}");
        }
        assert_eq!(digest("123456"), None);
        assert_eq!(digest("ÄÄÄÄ-ÄÄÄÄ"), None);
    }
}
