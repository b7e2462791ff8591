//! `latchkey audit …`

use clap::Subcommand;
use serde::Serialize;
use serde_json::json;

use super::output;
use crate::app;
use crate::audit::reading::{self, AuditRow, Csv};
use crate::audit::{AuditLog, Verdict};
use crate::config::Settings;
use crate::db::Db;
use crate::start_error::StartError;
use crate::types::error::Error;

/// The number of records to read and write at a time.
const CHUNK: i64 = 1000;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Verify the audit log and name the first record that has been altered
    ///
    /// Changes nothing, not even an older schema. Keep the printed note where the operator of the server cannot change
    /// it, and pass it to the next check, which then detects records that were cut off since. The exit status is 3 if
    /// the log has been altered.
    ///
    ///   latchkey audit verify --noted 5:1f3c…
    #[command(verbatim_doc_comment)]
    Verify {
        /// The note of an earlier check, as NUMBER:HEAD; detects records that were cut off since
        #[arg(long, value_name = "NUMBER:HEAD", value_parser = noted)]
        noted: Option<Noted>,
        /// Print `{"intact","records","note"}`, or `{"intact","broken_at","how"}`
        #[arg(long)]
        json: bool,
    },
    /// Print the whole audit log in order, as one JSON object per line
    Export {
        /// Print CSV for a spreadsheet; a value that looks like a formula is preceded by an apostrophe
        #[arg(long)]
        csv: bool,
    },
}

/// The end of the chain, as an earlier check printed it.
#[derive(Clone, Debug)]
pub(super) struct Noted {
    number: i64,
    head: String,
}

fn noted(text: &str) -> Result<Noted, String> {
    let parsed = text.split_once(':').and_then(|(number, head)| Some((number.parse().ok()?, head.to_owned())));
    let (number, head) = parsed.ok_or("expected NUMBER:HEAD as an earlier check printed it")?;
    Ok(Noted { number, head })
}

pub(super) async fn run(command: Command, settings: Settings) -> Result<(), StartError> {
    // Reading the log must not change the database.
    let (database, audit) = app::open_audit(&settings).await?;
    let done = match command {
        Command::Verify { noted, json } => verify(&database, &audit, noted.as_ref(), json).await,
        Command::Export { csv } => export(&database, csv).await,
    };
    database.close().await;
    done
}

async fn verify(database: &Db, audit: &AuditLog, noted: Option<&Noted>, json: bool) -> Result<(), StartError> {
    match audit.verify(database, noted.map(|noted| (noted.number, noted.head.as_str()))).await? {
        Verdict::Intact { records, head } if json => {
            output::line(json!({ "intact": true, "records": records, "note": format!("{records}:{head}") }))
        }
        Verdict::Intact { records, head } => {
            output::line(format_args!("{records} records, intact; note {records}:{head}"))
        }
        Verdict::Broken { number, how } => {
            if json {
                // The exit status reports the result even if the output cannot be written.
                let _ = output::line(json!({ "intact": false, "broken_at": number, "how": how }));
            }
            Err(StartError::AuditBroken { number, how })
        }
    }
}

/// A record as a line of JSON: the authenticated fields, a readable time, and the MAC in hexadecimal.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    row: &'a AuditRow,
    time: String,
    mac: String,
}

/// Writes the chain to stdout in chunks, including records that are added in the meantime.
async fn export(database: &Db, as_csv: bool) -> Result<(), StartError> {
    let mut after = 0;
    let mut chunk = if as_csv { Csv::headed(&["mac"])?.into_bytes()? } else { Vec::new() };
    loop {
        output::write(&chunk)?;
        let rows = reading::chain(database, after, CHUNK).await?.ok_or_else(unreadable)?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.number;
        chunk = if as_csv { csv_lines(&rows)? } else { json_lines(&rows)? };
    }
}

fn unreadable() -> StartError {
    StartError::Setting("a record cannot be read; `latchkey audit verify` names it".to_owned())
}

fn csv_lines(rows: &[AuditRow]) -> Result<Vec<u8>, Error> {
    let mut csv = Csv::default();
    for row in rows {
        csv.push(row, &[&data_encoding::HEXLOWER.encode(&row.mac)])?;
    }
    csv.into_bytes()
}

fn json_lines(rows: &[AuditRow]) -> Result<Vec<u8>, Error> {
    let mut lines = Vec::new();
    for row in rows {
        let mac = data_encoding::HEXLOWER.encode(&row.mac);
        let line = Line { row, time: row.at.rfc3339_millis(), mac };
        serde_json::to_writer(&mut lines, &line).map_err(Error::internal)?;
        lines.push(b'\n');
    }
    Ok(lines)
}
