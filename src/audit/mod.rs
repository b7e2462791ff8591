//! The chained record of operations: who did what, when, from where, with what result.

mod chain;
mod event;
pub mod reading;

pub use self::chain::{AuditLog, Verdict};
pub use self::event::Event;
