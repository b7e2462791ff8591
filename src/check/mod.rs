//! The check.

pub mod call_rates;
pub mod checker;
pub mod readiness;
pub mod registry;
pub mod usage;
