//! Writing calls to the database, in small transactions with pauses between them, so that changes to keys get in
//! between.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::buffer::{Batch, Buffer};
use super::call::UseRecord;
use super::counter::{UsageCounter, Waiting};
use super::retention::{pause_after, trim};
use crate::db::usage::{self as db, LastUse};
use crate::db::{Db, Tx, refused_calls};
use crate::types::error::Error;
use crate::types::id::SecretId;

const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// The number of diagnoses that are kept for each key.
const KEEP_DIAGNOSES: i64 = 100;

/// Writes the buffer, every second and whenever it is asked to, until all senders have been dropped.
pub(super) async fn write_out(database: Db, buffer: Arc<Buffer>, mut asked: mpsc::Receiver<oneshot::Sender<()>>) {
    let mut tick = tokio::time::interval(FLUSH_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let (waiting, last) = tokio::select! {
            flush = asked.recv() => {
                let last = flush.is_none();
                (flush, last)
            }
            _ = tick.tick() => (None, false),
        };
        let batch = std::mem::take(&mut *buffer.batch());
        buffer.diagnoses.store(0, Ordering::Relaxed);
        write_batch(&database, &buffer, batch).await;
        if let Some(done) = waiting {
            let _ = done.send(());
        }
        if last {
            return;
        }
    }
}

async fn write_batch(database: &Db, buffer: &Buffer, Batch { records, keys }: Batch) {
    if keys.is_empty() && records.is_empty() {
        return;
    }
    let counted: Vec<_> = keys.into_iter().map(|key| (key.take(), key)).collect();
    let (first, rest) = records.split_at(records.len().min(db::ROWS));
    let lost = |records: &[UseRecord]| buffer.metrics.use_records_lost.inc_by(records.len() as u64);
    let mut begun = Instant::now();
    match write(database, &counted, first).await {
        // It is unknown whether a failed commit was completed, so the counts are not put back: nothing is counted
        // twice.
        Ok(written) => {
            if let Err(error) = written.commit().await {
                lost(first);
                tracing::error!(%error, lost = first.len(), "use records and counts may not have been written");
            }
        }
        Err(error) => {
            lost(first);
            tracing::error!(%error, lost = first.len(), "use records could not be written; the counts are kept");
            put_back(buffer, counted);
        }
    }
    for some in rest.chunks(db::ROWS) {
        // Let changes get in between: records take half of the time at most.
        pause_after(begun).await;
        begun = Instant::now();
        let written = async { Ok::<_, Error>(write(database, &[], some).await?.commit().await?) };
        if let Err(error) = written.await {
            lost(some);
            tracing::error!(%error, lost = some.len(), "use records could not be written");
        }
    }
    let full: BTreeSet<_> = records
        .iter()
        .filter(|record| record.key.is_full_after_another())
        .map(|record| &record.key.secret_id)
        .collect();
    for secret_id in full {
        if let Err(error) = trim(database, secret_id).await {
            tracing::error!(%error, "old use records could not be dropped; it is tried again later");
        }
    }
}

fn put_back(buffer: &Buffer, counted: Vec<(Waiting, Arc<UsageCounter>)>) {
    for (unwritten, key) in counted {
        if key.put_back(unwritten) {
            buffer.batch().keys.push(key);
        }
    }
}

/// Writes counts, latest calls and some records, but leaves the commit to the caller.
async fn write(database: &Db, counted: &[(Waiting, Arc<UsageCounter>)], records: &[UseRecord]) -> Result<Tx, Error> {
    let mut tx = database.begin().await?;
    // A key that was changed in the meantime has several counters. All processes use the same order, so that they
    // cannot deadlock.
    let mut counts: BTreeMap<db::CountKey<'_>, (i64, i64)> = BTreeMap::new();
    let mut latest: BTreeMap<&SecretId, &LastUse> = BTreeMap::new();
    for (waiting, key) in counted {
        for hour in &waiting.hours {
            let (accepted, refused) = counts.entry((&key.secret_id, key.since, hour.hour)).or_default();
            *accepted += hour.accepted;
            *refused += hour.refused;
        }
        if let Some(last) = &waiting.last {
            let known = latest.entry(&key.secret_id).or_insert(last);
            if last.at >= known.at {
                *known = last;
            }
        }
    }
    db::add_counts(&mut tx, &counts.into_iter().collect::<Vec<_>>()).await?;
    db::note_last_uses(&mut tx, &latest.into_iter().collect::<Vec<_>>()).await?;
    db::insert(&mut tx, &records.iter().map(UseRecord::row).collect::<Vec<_>>()).await?;
    for record in records {
        if let Some(call) = &record.diagnosed {
            refused_calls::insert(&mut tx, record.row(), call.row(), KEEP_DIAGNOSES).await?;
        }
    }
    Ok(tx)
}
