//! The notifications of the database, which wake those who wait for a change or for a node.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::acknowledgement::Acknowledgements;
use crate::db::Db;
use crate::db::nodes::{Notice, Notices};

/// The pause before another connection is tried.
const AGAIN: Duration = Duration::from_secs(1);

/// The task that receives notifications, once it has begun. It ends with this value.
pub(super) struct Listening {
    database: Db,
    changed: Arc<Notify>,
    waits: Acknowledgements,
    task: JoinSet<()>,
}

impl Listening {
    pub(super) fn new(database: Db, changed: Arc<Notify>, waits: Acknowledgements) -> Self {
        Self { database, changed, waits, task: JoinSet::new() }
    }

    /// Starts the task, unless it runs.
    pub(super) fn begin(&mut self) {
        if self.task.is_empty() {
            self.task.spawn(listen(self.database.clone(), self.changed.clone(), self.waits.clone()));
        }
    }
}

/// Passes on the notifications of the database. They only make things faster: a lost one is made up for by the next
/// renewal, and by the next look at the nodes.
async fn listen(database: Db, changed: Arc<Notify>, waits: Acknowledgements) {
    loop {
        match Notices::open(&database).await {
            Ok(None) => return,
            Ok(Some(mut notices)) => {
                // What was sent in the meantime is lost.
                changed.notify_one();
                waits.wake();
                loop {
                    match notices.next().await {
                        Ok(Notice::Changed) => changed.notify_one(),
                        Ok(Notice::Seen) => waits.wake(),
                        Ok(Notice::Missed) => break,
                        Err(error) => {
                            tracing::warn!(%error, "notifications of changes are interrupted");
                            break;
                        }
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "notifications of changes cannot be received"),
        }
        tokio::time::sleep(AGAIN).await;
    }
}
