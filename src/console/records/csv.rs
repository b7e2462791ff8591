//! The audit records as CSV, `/cam/records.csv`: filtered like the page, and read from the database while they are
//! sent.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::Query;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use tokio::sync::mpsc;
use tracing::Instrument;
use url::form_urlencoded;

use super::list::refused;
use super::query::RecordsQuery;
use super::view::InWords;
use crate::account::records::{self, Reader};
use crate::app::App;
use crate::audit::reading::{AuditRow, Csv};
use crate::console::Console;
use crate::console::frame::problem::PageError;
use crate::console::session::SignedIn;
use crate::texts::Texts;
use crate::types::error::Error;

/// The number of records to read and send at a time.
const CHUNK: usize = 500;

/// The additional columns: the texts of the page, in the reader's language.
const IN_WORDS: [&str; 3] = ["who", "event", "outcome"];

/// `GET /cam/records.csv`. The download is recorded before it starts, but is not among the downloaded records.
pub async fn download(
    console: Console,
    owner: SignedIn,
    Query(query): Query<RecordsQuery>,
) -> Result<Response, PageError> {
    let (query, texts) = (query.trimmed(), owner.texts());
    let filter = match query.filter(texts) {
        Ok(filter) => filter,
        Err(errors) => return refused(&console, owner, query, errors).await,
    };
    let app = console.app.clone();
    let mut reader = Reader::new(owner.proof().clone(), filter);
    let rows = reader.next(&app, CHUNK).await?;
    records::record_download(&app, owner.proof()).await?;
    let csv = Csv::headed(&IN_WORDS)?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
        (header::CONTENT_DISPOSITION, disposition(&owner.account.name, &app.clock.now().utc_date())),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    // A slow reader keeps only two chunks in memory: one waits while the next is prepared.
    let (sender, chunks) = mpsc::channel(1);
    tokio::spawn(send(app, reader, (csv, rows), texts, sender).in_current_span());
    Ok((headers, Body::new(Chunks(chunks))).into_response())
}

/// Sends the chunks until all are sent or the reader has gone away. After a fault, it aborts the response, so that a
/// part cannot be mistaken for the whole.
async fn send(
    app: App,
    reader: Reader,
    first: (Csv, Vec<AuditRow>),
    texts: &'static Texts,
    sender: mpsc::Sender<Result<Bytes, Error>>,
) {
    if let Err(cause) = send_all(&app, reader, first, texts, &sender).await {
        tracing::error!(%cause, "a download of records failed");
        // This fails only if the reader has gone away.
        let _ = sender.send(Err(cause)).await;
    }
}

async fn send_all(
    app: &App,
    mut reader: Reader,
    (mut csv, mut rows): (Csv, Vec<AuditRow>),
    texts: &Texts,
    sender: &mpsc::Sender<Result<Bytes, Error>>,
) -> Result<(), Error> {
    loop {
        if sender.send(Ok(lines(csv, &rows, texts)?)).await.is_err() {
            return Ok(());
        }
        rows = reader.next(app, CHUNK).await?;
        if rows.is_empty() {
            return Ok(());
        }
        csv = Csv::default();
    }
}

fn lines(mut csv: Csv, rows: &[AuditRow], texts: &Texts) -> Result<Bytes, Error> {
    for row in rows {
        let InWords { who, event, outcome } = InWords::new(row, texts);
        csv.push(row, &[&who, &event, &outcome])?;
    }
    Ok(csv.into_bytes()?.into())
}

/// A file name that every system accepts: letters, digits, `-`, `_` and `.`, and a second form in ASCII (RFC 6266).
fn disposition(account: &str, date: &str) -> String {
    let name: String = account.chars().map(|c| if c.is_alphanumeric() || "-_".contains(c) { c } else { '_' }).collect();
    let ascii: String = name.chars().map(|c| if c.is_ascii() { c } else { '_' }).collect();
    let encoded: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
    format!(
        "attachment; filename=\"latchkey-records-{ascii}-{date}.csv\"; \
         filename*=UTF-8''latchkey-records-{encoded}-{date}.csv"
    )
}

/// A response body from the chunks of a channel.
struct Chunks(mpsc::Receiver<Result<Bytes, Error>>);

impl hyper::body::Body for Chunks {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.0.poll_recv(context).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }
}
