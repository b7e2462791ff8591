//! What operators do.

pub mod accounts;
pub mod backup;
pub mod master_key;
