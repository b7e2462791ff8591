//! This process as a node: its registration, and the renewal of its lease.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::acknowledgement::Acknowledgements;
use super::lease::Lease;
use super::listening::Listening;
use crate::db::freshness::{Change, Reader};
use crate::db::nodes::{Introduction, Renewed};
use crate::db::within;
use crate::metrics::Metrics;
use crate::types::clock::Clock;

/// The time limit for a statement, as for reading the latest change.
const SILENT: Duration = Duration::from_secs(2);

/// A node, registered or not.
pub(super) struct Tenant {
    introduction: Introduction,
    lease: Arc<Lease>,
    acknowledgements: Acknowledgements,
    metrics: Metrics,
    clock: Clock,
    id: Option<i64>,
    /// What the row says that this node has taken in.
    said: Option<Change>,
    /// When to renew. `None` before the first request.
    due: Option<Instant>,
    listening: Listening,
}

/// A lease that begins to count once everything up to the change is in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    until: Duration,
    renewed: Renewed,
}

impl Tenant {
    pub(super) fn new(
        introduction: Introduction,
        lease: Arc<Lease>,
        acknowledgements: Acknowledgements,
        metrics: Metrics,
        clock: Clock,
        listening: Listening,
    ) -> Self {
        let (id, said, due) = (None, None, None);
        Self { introduction, lease, acknowledgements, metrics, clock, id, said, due, listening }
    }

    /// Completes when the lease is to be renewed: three times in its length.
    pub(super) async fn due(&self) {
        match self.due {
            Some(due) => tokio::time::sleep_until(due).await,
            None => std::future::pending().await,
        }
    }

    /// Reads the latest change and renews the lease. Where nothing can be written, the change is read all the same, and
    /// there is no lease.
    pub(super) async fn latest(
        &mut self,
        reader: &mut Reader,
        seen: Option<Change>,
    ) -> sqlx::Result<(Change, Option<Offer>)> {
        self.due = Some(Instant::now() + self.introduction.lease / 3);
        self.listening.begin();
        match self.renew(reader, seen).await {
            Ok(offer) => {
                self.metrics.leases_renewed.inc();
                self.metrics.nodes.set(offer.renewed.nodes);
                Ok((offer.renewed.latest, Some(offer)))
            }
            Err(error) => {
                self.metrics.lease_renewals_failed.inc();
                if error.as_database_error().is_none() {
                    return Err(error);
                }
                tracing::error!(%error, "the lease could not be renewed; the database is asked for every batch");
                Ok((within(SILENT, reader.latest()).await?, None))
            }
        }
    }

    async fn renew(&mut self, reader: &mut Reader, seen: Option<Change>) -> sqlx::Result<Offer> {
        // A second registration is missing only if somebody clears the table at this moment.
        for _ in 0..2 {
            let id = match self.id {
                Some(id) => id,
                None => within(SILENT, reader.register(&self.introduction, self.clock.now())).await?,
            };
            self.id = Some(id);
            // Before the statement is sent: its answer may be late, but not what it says.
            let begun = self.lease.clock.now();
            if let Some(renewed) = within(SILENT, reader.renew(id, seen, self.clock.now())).await? {
                self.said = seen.or(self.said);
                return Ok(Offer { until: begun + self.introduction.lease, renewed });
            }
            tracing::warn!(name = self.introduction.name, "this server was struck off the nodes; it registers anew");
            self.lease.end();
            (self.id, self.said) = (None, None);
        }
        Err(sqlx::Error::RowNotFound)
    }

    /// Accepts the offered lease, now that everything up to `seen` is in memory, and says so to those who wait.
    pub(super) async fn accept(&mut self, reader: &mut Reader, offer: Offer, seen: Change) -> sqlx::Result<()> {
        self.lease.extend(offer.until);
        if offer.renewed.unsettled {
            self.acknowledgements.take_over(offer.renewed.latest);
        }
        if let Some(id) = self.id
            && self.said != Some(seen)
        {
            within(SILENT, reader.say_seen(id, seen)).await?;
            self.said = Some(seen);
        }
        Ok(())
    }

    /// Gives the lease back.
    pub(super) async fn leave(&mut self, reader: Option<&mut Reader>) {
        self.lease.end();
        let (Some(id), Some(reader)) = (self.id.take(), reader) else { return };
        if let Err(error) = within(SILENT, reader.unregister(id)).await {
            tracing::warn!(%error, "the lease could not be given back; the next change waits for its end");
        }
    }
}

impl Drop for Tenant {
    /// Without the task that renews it, a lease would only run out.
    fn drop(&mut self) {
        self.lease.end();
    }
}
