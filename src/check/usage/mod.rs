//! Records of use: which key was used when, from where, for what, and what came of it.
//!
//! Recording never slows or blocks the check: calls are counted for their key, and records of them go into a bounded
//! buffer; a task of its own writes both out every second. A full buffer drops records and counts the drops, and of a key
//! that is called without end only some calls are listed; every call is counted all the same. A crash may lose the last
//! second of them.
//!
//! May import `db`, `metrics`, `signature` for what a diagnosis is, and `types`.

mod buffer;
mod call;
mod counter;
mod recorder;
mod report;
mod retention;
mod writer;

pub use self::call::{CheckedCall, RefusedCall, UseRecord};
pub use self::counter::{HourCounts, UsageCounter, Waiting};
pub use self::recorder::UsageRecorder;
pub use self::report::{Report, report};
pub use self::retention::purge;
