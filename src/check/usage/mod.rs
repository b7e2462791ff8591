//! Usage records: which key was used when, from where, for what, and with what result.
//!
//! Recording never slows or blocks the check. Calls are counted for their key, and records of them go into a bounded
//! buffer; a separate task writes both to the database every second. A full buffer drops records and counts the drops,
//! and of a key that is called very often only some calls are listed. Every call is counted all the same. A crash may
//! lose the calls of the last second.
//!
//! May import `db`, `metrics`, `signature` for the type of a diagnosis, and `types`.

mod buffer;
mod call;
mod counter;
mod recorder;
mod retention;
mod writer;

pub use self::call::{CheckedCall, RefusedCall, UseRecord};
pub use self::counter::{HourCounts, UsageCounter, Waiting};
pub use self::recorder::UsageRecorder;
pub use self::retention::purge;
