//! The pages under `/cam/records`: an account's audit records, filtered, a page at a time and as CSV.
//! `account::records` reads them. Imports `frame` and `session`.

pub mod csv;
pub mod list;
mod query;
mod view;
mod wording;
