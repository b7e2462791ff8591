//! Everything secret: passwords, one-time codes, random tokens, and sealing at rest.
//!
//! Invariant: only [`vault`] opens sealed bytes; only [`token`] makes randomness; nothing here does I/O.

pub mod password;
pub mod recovery;
pub mod token;
pub mod totp;
pub mod vault;
