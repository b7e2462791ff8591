//! What operators do.

pub mod accounts;
pub mod backup;
