//! The audit records of one account, filtered, a page at a time. Only rows of the chain are returned; `crate::audit`
//! defines what a record is.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use sqlx::AssertSqlSafe;

use super::audit::{AuditRow, COLUMNS, IN_CHAIN};
use super::{Db, on};
use crate::types::clock::Timestamp;
use crate::types::event::{Action, Outcome};
use crate::types::id::{SecretId, Uin};

/// A filter for an account's records. The default matches all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only records from this instant on.
    pub from: Option<Timestamp>,
    /// Only records before this instant.
    pub until: Option<Timestamp>,
    /// Only records of this event.
    pub action: Option<Action>,
    /// Only records with this result.
    pub outcome: Option<Outcome>,
    /// Only records that are about this key, or of what was done with it.
    pub key: Option<SecretId>,
}

/// The position of a record among the others. In URLs, it is written `TIME-NUMBER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The record's time.
    pub at: Timestamp,
    /// The record's number.
    pub number: i64,
}

impl Position {
    /// The position before every record.
    pub const FIRST: Self = Self { at: Timestamp(i64::MIN), number: 0 };
    /// The position after every record.
    pub const LAST: Self = Self { at: Timestamp(i64::MAX), number: 0 };

    /// The position before every record of this instant, since numbers begin with 1.
    fn before_all_at(at: Timestamp) -> Self {
        Self { at, number: 0 }
    }

    /// The position of this record.
    pub fn of(row: &AuditRow) -> Self {
        Self { at: row.at, number: row.number }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.at.0, self.number)
    }
}

/// The error for a text that is not `TIME-NUMBER`.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("not the position of a record")]
pub struct NotAPosition;

impl FromStr for Position {
    type Err = NotAPosition;

    fn from_str(text: &str) -> Result<Self, NotAPosition> {
        let (at, number) = text.rsplit_once('-').ok_or(NotAPosition)?;
        let at = at.parse().map(Timestamp).map_err(|_| NotAPosition)?;
        Ok(Self { at, number: number.parse().map_err(|_| NotAPosition)? })
    }
}

impl Filter {
    /// The range that the filter's times and these two positions have in common.
    pub fn within(&self, after: Position, before: Position) -> (Position, Position) {
        let from = self.from.map_or(Position::FIRST, Position::before_all_at);
        let until = self.until.map_or(Position::LAST, Position::before_all_at);
        (after.max(from), before.min(until))
    }
}

/// The end of a range at which a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The page begins at the later end.
    NewestFirst,
    /// The page begins at the earlier end.
    OldestFirst,
}

/// A column, and the value that it must equal.
type Condition = (&'static str, String);

/// Up to `limit` records of the account that match the filter and stand between two positions, both exclusive.
pub async fn page(
    db: &Db,
    uin: Uin,
    filter: &Filter,
    (after, before): (Position, Position),
    order: Order,
    limit: i64,
) -> sqlx::Result<Vec<AuditRow>> {
    let (statement, values) = statement(filter, order);
    on!(db, pool => {
        let mut query = sqlx::query_as(AssertSqlSafe(statement)).bind(uin).bind(after.at).bind(after.number)
            .bind(before.at).bind(before.number).bind(limit);
        for value in values {
            query = query.bind(value);
        }
        query.fetch_all(pool).await
    })
}

/// The statement, and the values of its parameters from `$7` on.
///
/// Every branch asks for equality in the first columns of one index and for a range in the next two. It reads in the
/// order of the index, and no more rows than it returns.
pub fn statement(filter: &Filter, order: Order) -> (String, Vec<String>) {
    let direction = match order {
        Order::NewestFirst => "desc",
        Order::OldestFirst => "asc",
    };
    let tail = format!("order by at {direction}, number {direction} limit $6");
    let mut values = Vec::new();
    let mut text = String::new();
    for branch in branches(filter) {
        if !text.is_empty() {
            text.push_str(" union ");
        }
        let _ = write!(
            text,
            "select * from (select {COLUMNS} from audit_record
            where uin = $1 and (at, number) > ($2, $3) and (at, number) < ($4, $5) and {IN_CHAIN}"
        );
        for (column, value) in branch {
            values.push(value);
            let _ = write!(text, " and {column} = ${}", values.len() + 6);
        }
        let _ = write!(text, " {tail}) as branch");
    }
    let _ = write!(text, " {tail}");
    (text, values)
}

/// The alternatives that make up the filter. A record may be in two of them; `union` returns it once.
fn branches(filter: &Filter) -> Vec<Vec<Condition>> {
    let outcomes = filter.outcome.map_or(Outcome::ALL.to_vec(), |outcome| vec![outcome]);
    let keys = match &filter.key {
        Some(key) => vec![Some(("target", key.to_string())), Some(("actor_key", key.to_string()))],
        None => vec![None],
    };
    let mut branches = Vec::new();
    for outcome in outcomes {
        for key in &keys {
            let mut branch = vec![("result", outcome.as_str().to_owned())];
            branch.extend(key.clone());
            branch.extend(filter.action.map(|action| ("action", action.as_str().to_owned())));
            branches.push(branch);
        }
    }
    branches
}
