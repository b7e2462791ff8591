//! Everything secret: passwords, one-time codes, tokens and their digests, and sealing at rest. Only [`vault`] opens sealed
//! bytes, and nothing here does I/O. May import `types`.

pub mod password;
pub mod recovery;
pub mod token;
pub mod totp;
pub mod vault;

/// The characters of a typed code, without the spaces and tabs with which people and programs group long codes.
fn without_blanks(typed: &str) -> impl Iterator<Item = char> {
    typed.chars().filter(|c| !matches!(c, ' ' | '\t' | '\u{a0}' | '\u{2009}' | '\u{202f}' | '\u{3000}'))
}
