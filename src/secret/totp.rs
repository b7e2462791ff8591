//! Time-based one-time codes (RFC 6238): SHA-1, six digits, 30-second steps, one step of drift either way.
//!
//! Invariant: no I/O and no clock. The caller supplies the time, and spends the matched step in the database.

use secrecy::{ExposeSecret, SecretBox};
use totp_rs::{Builder, Secret, Totp};

use super::without_blanks;
use crate::types::clock::Timestamp;
use crate::types::random;

/// The name that authenticator apps show above the account's name.
pub const ISSUER: &str = "Latchkey";

/// The length of a step.
const STEP_MILLIS: i64 = 30_000;

/// The time at which authenticators begin to show the code of a step.
pub fn shown_at(step: i64) -> Timestamp {
    Timestamp(step.saturating_mul(STEP_MILLIS))
}

/// The shared secret, 160 bits as RFC 4226 recommends.
pub struct Seed(SecretBox<[u8; 20]>);

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed")
    }
}

impl Seed {
    /// Generates a random seed.
    pub fn generate() -> Self {
        Self(SecretBox::init_with(random::bytes))
    }

    /// Creates a seed from its 20 bytes. Returns `None` for any other length.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; 20] = bytes.try_into().ok()?;
        Some(Self(SecretBox::init_with(|| bytes)))
    }

    /// The raw bytes, for sealing.
    pub fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// The seed in base32, in groups of four, as people type it into an authenticator.
    pub fn for_typing(&self) -> String {
        let letters = data_encoding::BASE32_NOPAD.encode(self.expose());
        letters.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group)).collect::<Vec<_>>().join(" ")
    }

    /// The `otpauth:` URL that authenticators read from the QR code.
    pub fn otpauth_url(&self, account: &str) -> String {
        // The library refuses a colon, which separates issuer and account; account names never contain one.
        let totp = self.builder().with_account_name(account).with_issuer(Some(ISSUER)).build();
        totp.and_then(|totp| totp.to_url()).expect("an account name has no colon")
    }

    /// The step that this code belongs to, if it is one of the three around `now`. The caller has to spend it.
    pub fn matching_step(&self, code: &Code, now: Timestamp) -> Option<i64> {
        let step = self.totp().check(&code.0, u64::try_from(now.seconds()).ok()?)?;
        i64::try_from(step).ok()
    }

    /// The code that an authenticator shows at `now`.
    pub fn code_at(&self, now: Timestamp) -> String {
        self.totp().generate(u64::try_from(now.seconds()).unwrap_or(0)).to_string()
    }

    fn totp(&self) -> Totp {
        self.builder().build().expect("160 bits and six digits are within RFC 6238")
    }

    fn builder(&self) -> Builder {
        Builder::new().with_secret(Secret::from(self.expose().to_vec())).with_skew(1)
    }
}

/// A code of six ASCII digits; digits of other scripts are not accepted. The same code always has the same text,
/// however it was typed.
pub struct Code(String);

impl Code {
    /// Parses six digits, with spaces anywhere: apps show `170 608`. Returns `None` for anything else.
    pub fn parse(typed: &str) -> Option<Self> {
        let digits: String = without_blanks(typed).collect();
        (digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_digit())).then_some(Self(digits))
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Code")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238 appendix B, SHA-1, the last six of the eight digits.
    #[test]
    fn agrees_with_the_rfc() {
        let seed = Seed::from_bytes(b"12345678901234567890").unwrap();
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
            assert_eq!(seed.code_at(Timestamp(seconds * 1000)), code);
        }
    }

    #[test]
    fn one_step_of_drift_is_accepted_two_are_not() {
        let seed = Seed::generate();
        let now = Timestamp(1_700_000_010_000);
        for (offset, accepted) in [(-60, false), (-30, true), (0, true), (30, true), (60, false)] {
            let code = Code::parse(&seed.code_at(Timestamp(now.0 + offset * 1000))).unwrap();
            assert_eq!(seed.matching_step(&code, now).is_some(), accepted, "{offset}");
        }
    }

    #[test]
    fn blanks_in_and_around_a_code_do_not_matter() {
        let spellings = ["123456", "123 456", " 123456", "123456 ", "12 34 56", "123\t456", "123\u{a0}456"];
        for typed in spellings.into_iter().chain(["123\u{2009}456", "123\u{202f}456", "123\u{3000}456"]) {
            assert_eq!(Code::parse(typed).map(|code| code.0).as_deref(), Some("123456"), "{typed:?}");
        }
    }

    #[test]
    fn only_six_ascii_digits_are_a_code() {
        let others =
            ["１２３４５６", "١٢٣٤٥٦", "123456\0", "123456\n", "12345", "1234567", "123 4567", "", " ", "123-456"];
        for typed in others.into_iter().chain(["123.456", "+12345", "123\u{200b}456", "12345\u{a0}"]) {
            assert!(Code::parse(typed).is_none(), "{typed:?}");
        }
    }
}
