//! Points in time, as pages show them.

use crate::types::clock::Timestamp;

/// The end of a text in UTC.
const UTC: &str = " UTC";

/// A point in time for a `<time>` element, for machines and, without script, for people.
#[derive(Clone, Debug)]
pub struct Moment {
    /// The `datetime` attribute, in UTC.
    pub rfc3339: String,
    /// The text, in UTC, with the offset.
    pub people: String,
    /// The text without the offset, for a table that says once which zone its times are in.
    pub plain: String,
}

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        let people = at.for_people();
        let plain = people.strip_suffix(UTC).unwrap_or(&people).to_owned();
        Self { rfc3339: at.rfc3339(), people, plain }
    }
}
