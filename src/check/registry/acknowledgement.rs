//! The wait after a change, until no node answers from before it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::db::freshness::Change;
use crate::db::nodes::{self, Behind, Standing};
use crate::db::{Db, is_outage};
use crate::metrics::Metrics;
use crate::types::boot_clock::BootClock;
use crate::types::error::Error;

/// The time after which the nodes are listed again, even if no notification has come.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What a wait still waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The number of nodes that have not taken in the change.
    pub behind: usize,
    /// The number of all nodes.
    pub nodes: usize,
    /// The time that is left at most.
    pub at_most: Duration,
}

/// The waits of this process. Clones share them.
#[derive(Clone, Debug)]
pub struct Acknowledgements(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    database: Db,
    clock: BootClock,
    /// The leases that this process takes: those of before may have been as long, if the database has lost the record.
    own_lease: Duration,
    /// Changes with every notification that a node has taken something in.
    seen: watch::Sender<()>,
    /// `true` while this process finishes a wait that another may have left.
    taken_over: AtomicBool,
    pending: Mutex<Option<Pending>>,
    metrics: Metrics,
}

impl Acknowledgements {
    pub(super) fn new(database: Db, clock: BootClock, own_lease: Duration, metrics: Metrics) -> Self {
        let (taken_over, pending) = (AtomicBool::default(), Mutex::default());
        let seen = watch::Sender::default();
        Self(Arc::new(Inner { database, clock, own_lease, seen, taken_over, pending, metrics }))
    }

    /// Wakes the waits, because a node has taken in something.
    pub(super) fn wake(&self) {
        self.0.seen.send_replace(());
    }

    /// What the last wait to look still waits for.
    pub fn pending(&self) -> Option<Pending> {
        *self.0.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until every node has taken in a committed change, or until every lease from before it is over. The nodes
    /// that have said nothing by then are struck off. Fails if the database has lost the change.
    pub async fn wait(&self, change: Change) -> Result<(), Error> {
        let begun = Instant::now();
        let outcome = self.0.wait(change).await;
        *self.0.pending.lock().unwrap_or_else(PoisonError::into_inner) = None;
        match &outcome {
            Ok(()) => self.0.metrics.acknowledgements.observe(begun.elapsed().as_secs_f64()),
            Err(error) => tracing::warn!(%error, number = change.number, "a change could not be acknowledged"),
        }
        outcome
    }

    /// Waits in the background, in case the process that made the change has ended. Nobody is told the outcome, but dead
    /// nodes are struck off, and the registrations are complete again.
    pub fn take_over(&self, latest: Change) {
        if self.0.taken_over.swap(true, Ordering::SeqCst) {
            return;
        }
        let inner = self.0.clone();
        tokio::spawn(async move {
            if let Err(error) = inner.wait(latest).await {
                tracing::warn!(%error, "the nodes could not be listed");
            }
            inner.taken_over.store(false, Ordering::SeqCst);
        });
    }
}

impl Inner {
    async fn wait(&self, change: Change) -> Result<(), Error> {
        let mut seen = self.seen.subscribe();
        let Some(first) = self.standing(change).await? else { return Ok(()) };
        if is_seen(&first) {
            return Ok(());
        }
        // From after the list, because a node that is listed may have renewed its lease until then.
        let listed = self.clock.now();
        let mut latest = first.clone();
        while let Some(left) = left(&first, &latest, self.clock.now().saturating_sub(listed)) {
            let (behind, nodes) = (latest.behind.len(), usize::try_from(latest.nodes).unwrap_or(0));
            let pending = Pending { behind, nodes, at_most: left };
            *self.pending.lock().unwrap_or_else(PoisonError::into_inner) = Some(pending);
            // Woken or not, the nodes are listed again.
            let _ = tokio::time::timeout(LOOK_AGAIN.min(left), seen.changed()).await;
            match self.standing(change).await {
                Ok(Some(standing)) if is_seen(&standing) => return Ok(()),
                Ok(Some(standing)) => latest = standing,
                // A database that has never heard of leases has gone back.
                Ok(None) => {}
                // What counts is whether the change is still there at the end.
                Err(Error::Unavailable(error)) if is_outage(&error) => {
                    tracing::warn!(%error, "the nodes could not be listed; the wait goes on");
                }
                Err(error) => return Err(error),
            }
        }
        self.standing(change).await?;
        self.strike_off(&first, &latest).await;
        Ok(())
    }

    /// Returns `None` if there are no leases.
    async fn standing(&self, change: Change) -> Result<Option<Standing>, Error> {
        let standing = nodes::standing(&self.database, change, self.own_lease).await?;
        if standing.as_ref().is_some_and(|standing| !standing.kept) {
            let lost = "the database has gone back to before the change, which is lost";
            return Err(Error::Unavailable(sqlx::Error::Protocol(lost.to_owned())));
        }
        Ok(standing)
    }

    /// The leases of the nodes that are still behind are over, unless they were renewed after the first list.
    async fn strike_off(&self, first: &Standing, latest: &Standing) {
        for node in silent(first, latest) {
            match nodes::strike_off(&self.database, node, &first.incarnation).await {
                Ok(true) => tracing::warn!(name = node.name, "a server that did not answer was struck off the nodes"),
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, name = node.name, "a server could not be struck off the nodes"),
            }
        }
        if !first.settled
            && let Err(error) = nodes::settle(&self.database, &first.incarnation).await
        {
            tracing::warn!(%error, "the registrations of the nodes could not be noted as complete");
        }
    }
}

fn is_seen(standing: &Standing) -> bool {
    standing.settled && standing.behind.is_empty()
}

/// The nodes of the first list that have not taken in the change since. Nodes that have registered later have. In another
/// incarnation of the database, a row that is missing says nothing.
fn silent<'a>(first: &'a Standing, latest: &'a Standing) -> impl Iterator<Item = &'a Behind> {
    let same = first.incarnation == latest.incarnation;
    first.behind.iter().filter(move |node| !same || latest.behind.iter().any(|still| still.id == node.id))
}

/// The time that is left until every lease that lacks the change is over, of which `passed` since the first list. `None`
/// if they are.
fn left(first: &Standing, latest: &Standing, passed: Duration) -> Option<Duration> {
    let longest = silent(first, latest).map(|node| node.lease).max().unwrap_or_default();
    // Registrations may be missing, of nodes with leases of any length.
    let longest = if first.settled { longest } else { longest.max(first.longest) };
    with_margin(longest).checked_sub(passed).filter(|left| !left.is_zero())
}

/// A clock may be 1 % slow, and another 1 % fast.
fn with_margin(lease: Duration) -> Duration {
    lease + lease / 40
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(incarnation: &str, behind: &[(i64, u64)]) -> Standing {
        let node = |(id, lease): &(i64, u64)| Behind {
            id: *id,
            name: String::new(),
            lease: Duration::from_secs(*lease),
            renewals: 1,
        };
        Standing {
            kept: true,
            settled: true,
            incarnation: incarnation.to_owned(),
            longest: Duration::from_secs(10),
            nodes: 2,
            behind: behind.iter().map(node).collect(),
        }
    }

    #[test]
    fn only_the_leases_of_silent_nodes_are_waited_for() {
        let passed = Duration::from_secs(2);
        let first = standing("a", &[(1, 1), (2, 10)]);
        assert_eq!(left(&first, &first, passed), Some(Duration::from_millis(8250)));
        assert_eq!(left(&first, &standing("a", &[(1, 1)]), passed), None, "the other has said that it has it");
        assert_eq!(left(&first, &standing("a", &[(3, 10)]), passed), None, "who came later has it");
        let back = standing("b", &[]);
        assert!(left(&first, &back, passed).is_some(), "a registration may be lost");
        let unsettled = Standing { settled: false, ..standing("a", &[]) };
        assert_eq!(left(&unsettled, &unsettled, passed), Some(Duration::from_millis(8250)));
    }

    #[test]
    fn the_margin_covers_a_slow_clock_and_a_fast_one() {
        let lease = Duration::from_secs(2);
        let by_the_slowest = lease.mul_f64(1.01);
        assert!(with_margin(lease).div_f64(1.01) > by_the_slowest);
    }
}
