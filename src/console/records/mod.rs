//! The pages under `/cam/records`: the audit log of an account, filtered, a page at a time and as CSV. Reading it is the room
//! `audit`'s. Imports `frame` and `session`.

pub mod csv;
pub mod list;
mod wording;
