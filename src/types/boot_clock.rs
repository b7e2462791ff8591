//! The clock that leases go by.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A clock that counts from the start of the machine, also while the machine is suspended. Nobody can set it, unlike
/// [`Clock`](super::clock::Clock). A manual one stands still until a test advances it.
#[derive(Clone, Debug, Default)]
pub struct BootClock(Option<Arc<AtomicU64>>);

impl BootClock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that only [`Self::advance`] moves. Its clones share the same time.
    pub fn manual() -> Self {
        // Not zero, so that a lease that has not begun is over.
        Self(Some(Arc::new(AtomicU64::new(1_000_000_000))))
    }

    /// The time since the start.
    pub fn now(&self) -> Duration {
        if let Some(manual) = &self.0 {
            return Duration::from_nanos(manual.load(Ordering::SeqCst));
        }
        let now = clock_gettime(ClockId::Boottime);
        Duration::new(now.tv_sec.try_into().unwrap_or(0), now.tv_nsec.try_into().unwrap_or(0))
    }

    /// Advances a manual clock. Does nothing to the system's.
    pub fn advance(&self, span: Duration) {
        if let Some(manual) = &self.0 {
            manual.fetch_add(nanos(span), Ordering::SeqCst);
        }
    }
}

/// A time or a span in nanoseconds, which are enough for five hundred years.
pub fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
