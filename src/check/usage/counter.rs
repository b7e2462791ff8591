//! The calls of one key since the counts were last written.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::db::usage::LastUse;
use crate::types::clock::Timestamp;
use crate::types::id::SecretId;

/// The limit on individually listed calls of one key between two flushes, for accepted and refused calls each. All
/// others are only counted.
const LISTED: usize = 100;
/// The number of new records of a key after which old ones are deleted.
const DROP_AFTER: usize = 250;

/// Counts the calls of a key in one of its states. The key in memory holds the counter, so that a call counts for the
/// state it was checked against, whenever it is written.
#[derive(Debug)]
pub struct UsageCounter {
    /// The key.
    pub secret_id: SecretId,
    /// The time at which the key entered its state.
    pub since: Timestamp,
    waiting: Mutex<Waiting>,
    /// Records that were written since old ones were last deleted.
    written: AtomicUsize,
}

/// The counts that wait to be written.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    /// The calls by hour.
    pub hours: Vec<HourCounts>,
    /// The latest accepted call.
    pub last: Option<LastUse>,
    listed_accepted: usize,
    listed_refused: usize,
}

/// The calls of one hour.
#[derive(Clone, Copy, Debug)]
pub struct HourCounts {
    /// Hours since 1970.
    pub hour: i64,
    /// Accepted calls.
    pub accepted: i64,
    /// Refused calls.
    pub refused: i64,
}

/// The outcome of counting a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    /// `true` if the key had no other call that waited to be written.
    pub(super) first: bool,
    /// `true` if the call is to be listed individually.
    pub(super) listed: bool,
}

impl UsageCounter {
    /// Creates an empty counter for a key that entered its state at `since`.
    pub fn new(secret_id: SecretId, since: Timestamp) -> Self {
        Self { secret_id, since, waiting: Mutex::default(), written: AtomicUsize::new(0) }
    }

    /// Counts a call.
    pub(super) fn count(&self, at: Timestamp, action: &str, address: IpAddr, accepted: bool) -> Counted {
        let mut waiting = self.waiting();
        let first = waiting.hours.is_empty();
        waiting.add(HourCounts { hour: at.hour(), accepted: accepted.into(), refused: (!accepted).into() });
        if accepted {
            waiting.note(at, action, address);
        }
        let share = if accepted { &mut waiting.listed_accepted } else { &mut waiting.listed_refused };
        let listed = *share < LISTED;
        *share += usize::from(listed);
        Counted { first, listed }
    }

    /// Counts a record that was written. Returns `true` if there are so many new ones that old ones have to be deleted.
    pub(super) fn is_full_after_another(&self) -> bool {
        let full = self.written.fetch_add(1, Ordering::Relaxed) + 1 >= DROP_AFTER;
        if full {
            self.written.store(0, Ordering::Relaxed);
        }
        full
    }

    /// Takes the counts that wait to be written.
    pub(super) fn take(&self) -> Waiting {
        std::mem::take(&mut *self.waiting())
    }

    /// Puts back counts that could not be written. Returns `true` if no others were waiting.
    pub(super) fn put_back(&self, unwritten: Waiting) -> bool {
        let mut waiting = self.waiting();
        let first = waiting.hours.is_empty();
        unwritten.hours.into_iter().for_each(|hour| waiting.add(hour));
        waiting.last = waiting.last.take().or(unwritten.last);
        first
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn add(&mut self, more: HourCounts) {
        match self.hours.iter_mut().find(|known| known.hour == more.hour) {
            Some(known) => {
                known.accepted += more.accepted;
                known.refused += more.refused;
            }
            None => self.hours.push(more),
        }
    }

    /// Notes an accepted call, if it is the latest. Most clients repeat the same action, and then nothing is copied.
    fn note(&mut self, at: Timestamp, action: &str, address: IpAddr) {
        match &mut self.last {
            Some(last) if last.at > at => {}
            Some(last) => {
                last.at = at;
                last.address = address;
                if last.action != action {
                    action.clone_into(&mut last.action);
                }
            }
            None => self.last = Some(LastUse { at, action: action.to_owned(), address }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn counter() -> UsageCounter {
        UsageCounter::new(SecretId::generate(), Timestamp(0))
    }

    #[test]
    fn of_many_calls_some_are_listed_and_all_are_counted() {
        let key = counter();
        let listed = (0..LISTED + 50).filter(|_| key.count(Timestamp(0), "A", HERE, true).listed).count();
        assert_eq!(listed, LISTED);
        assert_eq!(key.take().hours[0].accepted, i64::try_from(LISTED).unwrap() + 50);
        let next = key.count(Timestamp(0), "A", HERE, false);
        assert!(next.first && next.listed, "after a flush, counting starts again");
    }

    #[test]
    fn what_was_not_written_is_added_to_what_came_since() {
        let key = counter();
        key.count(Timestamp(HOUR - 1), "Early", HERE, true);
        key.count(Timestamp(HOUR), "Late", HERE, false);
        let unwritten = key.take();
        assert!(key.count(Timestamp(HOUR), "Later", HERE, true).first);
        assert!(!key.put_back(unwritten));
        let all = key.take();
        let of_hour = |hour| all.hours.iter().find(|counts| counts.hour == hour).map(|c| (c.accepted, c.refused));
        assert_eq!((of_hour(0), of_hour(1)), (Some((1, 0)), Some((1, 1))));
        assert_eq!(all.last.unwrap().action, "Later");
        assert!(key.put_back(unwritten_of(&key)));
    }

    fn unwritten_of(key: &UsageCounter) -> Waiting {
        key.count(Timestamp(0), "A", HERE, true);
        key.take()
    }
}
