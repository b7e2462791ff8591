//! The rate limits on API calls: for each account and action, a token bucket that holds the calls of one second.
//!
//! Each process counts for itself. The limits keep one account's loop from occupying the server.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::types::clock::{Clock, Timestamp};
use crate::types::id::Uin;

type Subject = (Uin, &'static str);

/// If there are more buckets than this, those that have become full again are dropped.
const MANY: usize = 10_000;

#[derive(Clone, Copy, Debug)]
struct Bucket {
    calls: f64,
    at: Timestamp,
}

/// The buckets of all accounts.
#[derive(Debug)]
pub struct CallRates {
    clock: Clock,
    buckets: Mutex<HashMap<Subject, Bucket>>,
}

impl CallRates {
    /// Starts with full buckets.
    pub fn new(clock: Clock) -> Self {
        Self { clock, buckets: Mutex::default() }
    }

    /// Takes one call out of the subject's bucket, which holds `per_second`. Returns `false` if it is empty.
    pub fn admit(&self, subject: Subject, per_second: u32) -> bool {
        let (now, full) = (self.clock.now(), f64::from(per_second));
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() > MANY {
            buckets.retain(|_, bucket| now.since(bucket.at).as_secs() < 1);
        }
        let bucket = buckets.entry(subject).or_insert(Bucket { calls: full, at: now });
        let passed = now.since(bucket.at).as_secs_f64();
        bucket.calls = (bucket.calls + passed * full).min(full);
        bucket.at = now;
        if bucket.calls < 1.0 {
            return false;
        }
        bucket.calls -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_second_brings_a_seconds_calls() {
        let clock = Clock::manual(Timestamp(0));
        let rates = CallRates::new(clock.clone());
        let admitted = |tries: usize| (0..tries).filter(|_| rates.admit((Uin(1), "A"), 5)).count();
        assert_eq!(admitted(9), 5);
        clock.advance(Duration::from_millis(400));
        assert_eq!(admitted(9), 2);
        clock.advance(Duration::from_mins(1));
        assert_eq!(admitted(9), 5);
        assert!(rates.admit((Uin(2), "A"), 5) && rates.admit((Uin(1), "B"), 5), "each account and action by itself");
    }
}
