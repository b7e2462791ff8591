//! Points in time, as pages show them.

use crate::types::clock::Timestamp;

/// A point in time for a `<time>` element, for machines and, without script, for people.
#[derive(Clone, Debug)]
pub struct Moment {
    /// The `datetime` attribute, in UTC.
    pub rfc3339: String,
    /// The text, in UTC, with the offset.
    pub people: String,
}

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self { rfc3339: at.rfc3339(), people: at.for_people() }
    }
}
