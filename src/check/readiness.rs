//! The readiness of this server, as load balancers and the like query it. There may be many of them.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::registry::Registry;
use crate::db::{Db, installation};

/// The time for which the result of a test write is reused, so that frequent queries cost the disk little.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// The reason why a server is not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// No key can be checked.
    #[error("the database does not answer")]
    Unreadable,
    /// Keys can be checked, but nothing can be changed.
    #[error("nothing can be written to the database")]
    Unwritable,
}

/// The time and the result of the last test write.
#[derive(Debug, Default)]
pub struct Readiness(Mutex<Option<(Instant, bool)>>);

impl Readiness {
    /// Reads as a check would, and writes as a change would, because a full disk can still be read.
    pub async fn check(&self, registry: &Registry, database: &Db) -> Result<(), NotReady> {
        registry.fresh().await.map_err(|_| NotReady::Unreadable)?;
        let mut last = self.0.lock().await;
        let done = match *last {
            Some((at, done)) if at.elapsed() < GOOD_FOR => done,
            _ => {
                let written = installation::try_write(database).await;
                if let Err(error) = &written {
                    tracing::error!(%error, "nothing can be written to the database");
                }
                *last = Some((Instant::now(), written.is_ok()));
                written.is_ok()
            }
        };
        if done { Ok(()) } else { Err(NotReady::Unwritable) }
    }
}
