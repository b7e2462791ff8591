//! The check of signed requests: a request's claim is compared with the keys in memory, which a read of the database
//! has proved to be fresh, and the outcome is recorded. The entry points use [`checker::Checker`]; no request is
//! accepted without it.
//!
//! May import `signature`, `db`, `metrics`, `http` and `types`, and, of `secret`, the vault that opens the keys'
//! secrets. It knows accounts and entry points only by name.

pub mod call_rates;
pub mod checker;
pub mod context;
pub mod readiness;
pub mod refusal;
pub mod registry;
pub mod usage;
