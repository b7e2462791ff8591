//! An account's own audit records, as its owner reads them: filtered, a page at a time or all of them.
//!
//! Records are ordered by time, newest first, and by number within the same millisecond. A page begins at a position
//! rather than at an offset, so that no record is missed or shown twice while new ones arrive, and the millionth page
//! is as fast as the first.

use super::owner::Owner;
use crate::app::App;
use crate::audit::Event;
use crate::audit::reading::AuditRow;
use crate::db::records::{self as db, Order};
use crate::types::error::Error;
use crate::types::event::Action;
use crate::types::id::Uin;

pub use crate::db::records::{Filter, Position};

/// The number of records on a page.
pub const PAGE: usize = 50;

/// The record at which a page begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// The page begins with the newest record.
    #[default]
    Newest,
    /// The page begins with the next older record than this one.
    Before(Position),
    /// The page ends with the next newer record than this one.
    After(Position),
}

/// A page of records, newest first.
#[derive(Debug)]
pub struct Page {
    /// At most [`PAGE`] records.
    pub rows: Vec<AuditRow>,
    /// The position after which there are, or may be, newer records.
    pub newer: Option<Position>,
    /// The position before which there are older records.
    pub older: Option<Position>,
}

/// Reads a page of the account's records.
pub async fn page(app: &App, owner: &Owner, filter: &Filter, start: Start) -> Result<Page, Error> {
    if let Start::After(after) = start {
        let (mut rows, more) =
            read(app, owner.uin(), filter, (after, Position::LAST), Order::OldestFirst, PAGE).await?;
        if more {
            rows.reverse();
            let ends = |row: Option<&AuditRow>| row.map(Position::of);
            return Ok(Page { newer: ends(rows.first()), older: ends(rows.last()), rows });
        }
        // At most one page is newer, so this is the first page.
    }
    let before = if let Start::Before(before) = start { before } else { Position::LAST };
    let (rows, more) = read(app, owner.uin(), filter, (Position::FIRST, before), Order::NewestFirst, PAGE).await?;
    let newer = rows.first().map(Position::of).filter(|_| before != Position::LAST);
    let older = rows.last().map(Position::of).filter(|_| more);
    Ok(Page { rows, newer, older })
}

/// Reads up to `limit` records from one end of the range. Also returns whether there are more.
async fn read(
    app: &App,
    uin: Uin,
    filter: &Filter,
    (after, before): (Position, Position),
    order: Order,
    limit: usize,
) -> Result<(Vec<AuditRow>, bool), Error> {
    let range = filter.within(after, before);
    let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut rows = db::page(&app.db, uin, filter, range, order, one_more).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    Ok((rows, more))
}

/// Reads all matching records of an account in batches, newest first.
#[derive(Debug)]
pub struct Reader {
    owner: Owner,
    filter: Filter,
    before: Option<Position>,
}

impl Reader {
    /// Creates a reader that starts with the newest record.
    pub fn new(owner: Owner, filter: Filter) -> Self {
        Self { owner, filter, before: Some(Position::LAST) }
    }

    /// Reads up to `limit` more records. Returns none once all have been read.
    pub async fn next(&mut self, app: &App, limit: usize) -> Result<Vec<AuditRow>, Error> {
        let Some(before) = self.before else { return Ok(Vec::new()) };
        let range = (Position::FIRST, before);
        let (rows, more) = read(app, self.owner.uin(), &self.filter, range, Order::NewestFirst, limit).await?;
        self.before = rows.last().map(Position::of).filter(|_| more);
        Ok(rows)
    }
}

/// Adds an audit record for a download of the owner's records.
pub async fn record_download(app: &App, owner: &Owner) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    app.audit.append(&mut tx, owner.origin(), Event::done(Action::RecordsDownloaded, owner.uin())).await?;
    Ok(tx.commit().await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::clock::Timestamp;

    #[test]
    fn positions_are_read_as_they_are_written() {
        let position = Position { at: Timestamp(-5), number: 7 };
        assert_eq!(position.to_string().parse::<Position>().unwrap(), position);
        for bad in ["", "7", "-", "a-1", "1-", "99999999999999999999-1"] {
            assert!(bad.parse::<Position>().is_err(), "{bad:?}");
        }
    }
}
