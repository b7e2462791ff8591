//! The audit log, which the console shows as Operation Records: who did what, when, from where, and with what result. A
//! record is appended in the transaction of the operation that it records, and its MAC covers the record before. May
//! import `db` and `types`.

mod chain;
mod event;
pub mod reading;

pub use self::chain::{AuditLog, Verdict};
pub use self::event::Event;
