//! Checking signatures: pure functions of the request, the secret and nothing else.
//!
//! Invariant: no I/O, no clock, no randomness.

pub mod v3;
