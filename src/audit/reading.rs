//! Reading the record of operations: an account's own, filtered and a page at a time, and as CSV.
//!
//! Records are read newest first by their time, and by their number where that is the same: a page begins at a
//! position, not at a count, so that none is missed or shown twice while new ones come in, and the millionth page is as
//! fast as the first.

use std::borrow::Cow;

use crate::db::records::{self as db, Order};
use crate::db::{Db, audit};
use crate::types::error::Error;
use crate::types::id::Uin;

pub use crate::db::audit::AuditRow;
pub use crate::db::records::{Filter, Position};

/// Records on a page.
pub const PAGE: usize = 50;

/// Where a page begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With the newest record.
    #[default]
    Newest,
    /// With the record before this one.
    Before(Position),
    /// So that it ends with the record after this one.
    After(Position),
}

/// Some records, newest first.
#[derive(Debug)]
pub struct Page {
    /// At most [`PAGE`] of them.
    pub rows: Vec<AuditRow>,
    /// There are, or may be, newer ones: after this position.
    pub newer: Option<Position>,
    /// There are older ones: before this position.
    pub older: Option<Position>,
}

/// A page of the account's records.
pub async fn page(database: &Db, uin: Uin, filter: &Filter, start: Start) -> Result<Page, Error> {
    if let Start::After(after) = start {
        let (mut rows, more) = read(database, uin, filter, (after, Position::LAST), Order::OldestFirst, PAGE).await?;
        if more {
            rows.reverse();
            let ends = |row: Option<&AuditRow>| row.map(Position::of);
            return Ok(Page { newer: ends(rows.first()), older: ends(rows.last()), rows });
        }
        // No more than a page is newer, so it is the first one.
    }
    let before = if let Start::Before(before) = start { before } else { Position::LAST };
    let (rows, more) = read(database, uin, filter, (Position::FIRST, before), Order::NewestFirst, PAGE).await?;
    let newer = rows.first().map(Position::of).filter(|_| before != Position::LAST);
    let older = rows.last().map(Position::of).filter(|_| more);
    Ok(Page { rows, newer, older })
}

/// Up to `limit` records from one end of the range, and whether there are more.
async fn read(
    database: &Db,
    uin: Uin,
    filter: &Filter,
    (after, before): (Position, Position),
    order: Order,
    limit: usize,
) -> Result<(Vec<AuditRow>, bool), Error> {
    let range = filter.within(after, before);
    let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut rows = db::page(database, uin, filter, range, order, one_more).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    Ok((rows, more))
}

/// Reads all of an account's records that match, newest first, some at a time.
#[derive(Debug)]
pub struct Reader {
    uin: Uin,
    filter: Filter,
    before: Option<Position>,
}

impl Reader {
    /// From the newest record on.
    pub fn new(uin: Uin, filter: Filter) -> Self {
        Self { uin, filter, before: Some(Position::LAST) }
    }

    /// The next up to `limit` records; none when all have been read.
    pub async fn next(&mut self, database: &Db, limit: usize) -> Result<Vec<AuditRow>, Error> {
        let Some(before) = self.before else { return Ok(Vec::new()) };
        let range = (Position::FIRST, before);
        let (rows, more) = read(database, self.uin, &self.filter, range, Order::NewestFirst, limit).await?;
        self.before = rows.last().map(Position::of).filter(|_| more);
        Ok(rows)
    }
}

/// Up to `limit` records of the chain after number `after`, in order, of all accounts. None where one cannot be read.
pub async fn chain(database: &Db, after: i64, limit: i64) -> Result<Option<Vec<AuditRow>>, Error> {
    match audit::page(database, after, limit).await {
        Ok(rows) => Ok(Some(rows)),
        Err(sqlx::Error::ColumnDecode { .. }) => Ok(None),
        Err(cause) => Err(cause.into()),
    }
}

/// The columns that every table of records begins with.
const COLUMNS: [&str; 11] = [
    "number",
    "time",
    "account",
    "actor",
    "actor_key",
    "action",
    "target",
    "address",
    "request_id",
    "result",
    "detail",
];

/// Records as lines of CSV (RFC 4180, UTF-8) in which no spreadsheet finds a formula. Stored names, times in UTC.
pub struct Csv(csv::Writer<Vec<u8>>);

impl Default for Csv {
    /// No lines yet.
    fn default() -> Self {
        Self(csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new()))
    }
}

impl Csv {
    /// With the line of the columns' names, the caller's own at the end.
    pub fn headed(own: &[&str]) -> Result<Self, Error> {
        let mut csv = Self::default();
        csv.line(COLUMNS.iter().chain(own).copied())?;
        Ok(csv)
    }

    /// Adds a record, with the fields of the caller's own columns.
    pub fn push(&mut self, row: &AuditRow, own: &[&str]) -> Result<(), Error> {
        let (number, time) = (row.number.to_string(), row.at.rfc3339_millis());
        let account = row.uin.map(|uin| uin.to_string());
        let fields: [Option<&str>; COLUMNS.len()] = [
            Some(&number),
            Some(&time),
            account.as_deref(),
            Some(&row.actor),
            row.actor_key.as_deref(),
            Some(&row.action),
            row.target.as_deref(),
            row.address.as_deref(),
            row.request_id.as_deref(),
            Some(&row.result),
            row.detail.as_deref(),
        ];
        self.line(fields.into_iter().map(Option::unwrap_or_default).chain(own.iter().copied()))
    }

    fn line<'a>(&mut self, fields: impl Iterator<Item = &'a str>) -> Result<(), Error> {
        for field in fields {
            self.0.write_field(inert(field).as_bytes()).map_err(Error::internal)?;
        }
        self.0.write_record(None::<&[u8]>).map_err(Error::internal)
    }

    /// The lines.
    pub fn into_bytes(self) -> Result<Vec<u8>, Error> {
        self.0.into_inner().map_err(|error| Error::internal(error.into_error()))
    }
}

/// A spreadsheet takes what begins like this for a formula and runs it; after an apostrophe it is text.
fn inert(field: &str) -> Cow<'_, str> {
    if field.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        Cow::Owned(format!("'{field}"))
    } else {
        Cow::Borrowed(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::clock::Timestamp;

    #[test]
    fn lines_are_quoted_and_inert() {
        let mut csv = Csv::default();
        let fields = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "a,b", "say \"so\"", "", "１", "a=b"];
        csv.line(fields.into_iter()).unwrap();
        let lines = String::from_utf8(csv.into_bytes().unwrap()).unwrap();
        assert_eq!(lines, "'=1+1,'+1,'-1,'@x,'\tx,\"'\rx\",\"a,b\",\"say \"\"so\"\"\",,１,a=b\r\n");
    }

    #[test]
    fn positions_are_read_as_they_are_written() {
        let position = Position { at: Timestamp(-5), number: 7 };
        assert_eq!(position.to_string().parse::<Position>().unwrap(), position);
        for bad in ["", "7", "-", "a-1", "1-", "99999999999999999999-1"] {
            assert!(bad.parse::<Position>().is_err(), "{bad:?}");
        }
    }
}
