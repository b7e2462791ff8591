//! Reading the log: the chain of all records, in order, and records as CSV.

use std::borrow::Cow;

use crate::db::{Db, audit};
use crate::types::error::Error;

pub use crate::db::audit::AuditRow;

/// Up to `limit` records of the chain after number `after`, in order, of all accounts. `None` if one of them cannot be
/// read.
pub async fn chain(database: &Db, after: i64, limit: i64) -> Result<Option<Vec<AuditRow>>, Error> {
    match audit::page(database, after, limit).await {
        Ok(rows) => Ok(Some(rows)),
        Err(sqlx::Error::ColumnDecode { .. }) => Ok(None),
        Err(cause) => Err(cause.into()),
    }
}

/// The columns with which every table of records begins.
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

/// Records as CSV (RFC 4180, UTF-8) in which no spreadsheet finds a formula, with stored names and times in UTC.
pub struct Csv(csv::Writer<Vec<u8>>);

impl Default for Csv {
    /// A CSV without any line.
    fn default() -> Self {
        Self(csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new()))
    }
}

impl Csv {
    /// A CSV with a header line, in which the caller's `own` columns come last.
    pub fn headed(own: &[&str]) -> Result<Self, Error> {
        let mut csv = Self::default();
        csv.line(COLUMNS.iter().chain(own).copied())?;
        Ok(csv)
    }

    /// Adds a record. `own` are the fields of the caller's own columns.
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

    /// The CSV as bytes.
    pub fn into_bytes(self) -> Result<Vec<u8>, Error> {
        self.0.into_inner().map_err(|error| Error::internal(error.into_error()))
    }
}

/// Makes a field safe. A spreadsheet takes a field that begins with one of these characters for a formula and runs it;
/// after an apostrophe, it is text.
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

    #[test]
    fn lines_are_quoted_and_inert() {
        let mut csv = Csv::default();
        let fields = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "a,b", "say \"so\"", "", "１", "a=b"];
        csv.line(fields.into_iter()).unwrap();
        let lines = String::from_utf8(csv.into_bytes().unwrap()).unwrap();
        assert_eq!(lines, "'=1+1,'+1,'-1,'@x,'\tx,\"'\rx\",\"a,b\",\"say \"\"so\"\"\",,１,a=b\r\n");
    }
}
