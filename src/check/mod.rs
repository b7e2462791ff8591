//! The check of a signed request: its claim against the keys in memory, which a read of the database has proved to be
//! fresh, and the record of what came of it. May import `signature`, `db`, `metrics`, `http` and `types`, and of `secret` the
//! vault that opens the keys' secrets; it knows no account and no entry point but by name. [`checker::Checker`] is what the
//! entry points hold: every positive answer to a signed request comes from it.

pub mod call_rates;
pub mod checker;
pub mod context;
pub mod readiness;
pub mod refusal;
pub mod registry;
pub mod usage;
