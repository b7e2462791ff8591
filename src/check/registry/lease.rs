//! The lease: until when the keys in memory may be used without asking the database.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::types::boot_clock::{BootClock, nanos};

/// The lease of this process, by its boot clock.
#[derive(Debug, Default)]
pub(super) struct Lease {
    /// In nanoseconds; 0 if there is no lease.
    until: AtomicU64,
    pub(super) clock: BootClock,
}

impl Lease {
    pub(super) fn by(clock: BootClock) -> Self {
        Self { until: AtomicU64::new(0), clock }
    }

    /// Returns `true` while the lease lasts. Without leases, the clock is not read.
    pub(super) fn holds(&self) -> bool {
        let until = self.until.load(Ordering::Acquire);
        until != 0 && nanos(self.clock.now()) < until
    }

    /// Extends the lease to `until`, once everything that had changed when it began is in memory.
    pub(super) fn extend(&self, until: Duration) {
        self.until.fetch_max(nanos(until), Ordering::Release);
    }

    /// Ends the lease.
    pub(super) fn end(&self) {
        self.until.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_ends_by_its_clock_and_is_never_shortened_by_a_late_answer() {
        let clock = BootClock::manual();
        let lease = Lease::by(clock.clone());
        assert!(!lease.holds(), "there is none yet");
        let begun = clock.now();
        lease.extend(begun + Duration::from_secs(2));
        lease.extend(begun + Duration::from_secs(1));
        clock.advance(Duration::from_millis(1999));
        assert!(lease.holds());
        clock.advance(Duration::from_millis(1));
        assert!(!lease.holds());
        lease.extend(begun + Duration::from_secs(5));
        lease.end();
        assert!(!lease.holds());
    }
}
