//! The audit log, which the console calls the record of operations: who did what, when, from where, with what result. A record
//! is appended in the transaction of what it records, and its MAC covers the record before. May import `db` and `types`.

mod chain;
mod event;
pub mod reading;

pub use self::chain::{AuditLog, Verdict};
pub use self::event::Event;
