//! The memory budget for request bodies, and which body is evicted when it is exhausted.
//!
//! A body uses memory only for the bytes that have arrived. If more bytes of a body arrive than fit, it does not wait:
//! another body is evicted at once. The first choice is a body of the subscriber that holds the most, provided that
//! this is more than the sender of the new bytes will hold, so that a client with much data cannot shut out one with
//! little. The second choice is a body that has not advanced for a while. If there is neither, the body that the new
//! bytes belong to is evicted.
//!
//! Each subscriber has a limit of its own as well. When that is reached, only bodies of the same subscriber are
//! considered: first one that has not advanced for a while, then the largest.
//!
//! A complete body is never evicted: it is about to be checked, or has been.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Unread;
use super::pace::STEP;
use crate::types::subscriber::Subscriber;

/// The most memory that all long bodies together may use, in bytes.
pub(super) const ALL: usize = 64 * 1024 * 1024;
/// The most memory that the long bodies of one subscriber may use, in bytes. Complete bodies are not evicted, so this
/// always leaves something for other subscribers.
pub(super) const OF_ONE: usize = ALL / 2;
/// A body that has not advanced by [`STEP`] bytes for this long may be evicted in favour of any other.
pub(super) const STALE: Duration = Duration::from_secs(1);

/// The bodies that are being read or used.
#[derive(Debug, Default)]
pub(super) struct Shares(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    held: usize,
    entered: u64,
    bodies: HashMap<u64, Body>,
}

#[derive(Debug)]
struct Body {
    from: Subscriber,
    /// The memory counted for it, in bytes.
    held: usize,
    /// The bytes that have arrived; `None` once the body is complete and has been handed over.
    bytes: Option<Vec<u8>>,
    /// When it last advanced by [`STEP`] bytes.
    moved_at: Instant,
    /// The bytes that have arrived since.
    arrived: usize,
    /// Tells its reader that it has been evicted.
    told: Arc<Notify>,
}

/// A body's entry in the table, until it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    shares: Arc<Shares>,
    number: u64,
    longest: usize,
    given_way: Arc<Notify>,
}

impl Shares {
    /// Enters a body of which nothing has arrived yet, and which will be no longer than `longest` bytes.
    pub(super) fn enter(shares: &Arc<Self>, from: Subscriber, longest: usize) -> Share {
        let given_way = Arc::new(Notify::new());
        let mut table = shares.table();
        table.entered += 1;
        let number = table.entered;
        let body = Body {
            from,
            held: 0,
            bytes: Some(Vec::new()),
            moved_at: Instant::now(),
            arrived: 0,
            told: given_way.clone(),
        };
        table.bodies.insert(number, body);
        drop(table);
        Share { shares: shares.clone(), number, longest, given_way }
    }

    /// The memory counted for all bodies, in bytes.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.table().held
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Completes when this body has been evicted.
    pub(super) async fn given_way(&self) {
        self.given_way.notified().await;
    }

    /// Adds bytes that have arrived. Evicts other bodies if need be. Returns [`Unread::Crowded`] if this body has been
    /// evicted.
    pub(super) fn take_in(&mut self, data: &[u8]) -> Result<(), Unread> {
        self.shares.table().take_in(self.number, data, self.longest).ok_or(Unread::Crowded)
    }

    /// Returns the complete body, which cannot be evicted from now on. Returns [`Unread::Crowded`] if it has been
    /// evicted already.
    pub(super) fn complete(&mut self) -> Result<Bytes, Unread> {
        let mut table = self.shares.table();
        let bytes = table.bodies.get_mut(&self.number).and_then(|body| body.bytes.take());
        bytes.map(Bytes::from).ok_or(Unread::Crowded)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shares.table().remove(self.number);
    }
}

impl Table {
    fn take_in(&mut self, number: u64, data: &[u8], longest: usize) -> Option<()> {
        let now = Instant::now();
        let bytes = self.bodies.get(&number)?.bytes.as_ref()?;
        let (needed, before) = (bytes.len() + data.len(), bytes.capacity());
        let capacity = if needed > before { needed.max(longest.min(2 * before)) } else { before };
        if !self.make_room(number, capacity - before, now) {
            self.remove(number);
            return None;
        }
        let body = self.bodies.get_mut(&number)?;
        let bytes = body.bytes.as_mut()?;
        bytes.reserve_exact(capacity - bytes.len());
        bytes.extend_from_slice(data);
        let more = bytes.capacity() - before;
        body.held += more;
        self.held += more;
        body.arrived += data.len();
        if body.arrived >= STEP {
            body.arrived = 0;
            body.moved_at = now;
        }
        Some(())
    }

    /// Evicts other bodies until there is room for `more` bytes of this one. Returns `false` if this one has to be
    /// evicted.
    fn make_room(&mut self, number: u64, more: usize, now: Instant) -> bool {
        let Some((from, held)) = self.bodies.get(&number).map(|body| (body.from, body.held + more)) else {
            return false;
        };
        loop {
            let own = self.held_by(from) + more;
            let gives_way = if own > OF_ONE {
                let of_its_own = |other, body: &Body| other != number && body.from == from;
                self.stalest(now, of_its_own).or_else(|| self.largest(held, of_its_own))
            } else if self.held + more > ALL {
                self.of_whoever_holds_most(own).or_else(|| self.stalest(now, |other, _| other != number))
            } else {
                return true;
            };
            let Some(other) = gives_way else { return false };
            self.remove(other);
        }
    }

    fn held_by(&self, from: Subscriber) -> usize {
        self.bodies.values().filter(|body| body.from == from).map(|body| body.held).sum()
    }

    /// Finds the subscriber that holds the most, if that is more than `than` bytes, and returns its body that has gone
    /// longest without advancing.
    fn of_whoever_holds_most(&self, than: usize) -> Option<u64> {
        let mut held: HashMap<Subscriber, usize> = HashMap::new();
        for body in self.bodies.values() {
            *held.entry(body.from).or_default() += body.held;
        }
        let may = self.bodies.iter().filter(|(_, body)| body.may_give_way() && held[&body.from] > than);
        may.min_by_key(|(_, body)| (Reverse(held[&body.from]), body.moved_at)).map(|(number, _)| *number)
    }

    /// Returns the body that has gone longest without advancing among those that satisfy `may`, if that is long enough.
    fn stalest(&self, now: Instant, may: impl Fn(u64, &Body) -> bool) -> Option<u64> {
        let may = self.bodies.iter().filter(|(number, body)| body.may_give_way() && may(**number, body));
        let (number, body) = may.min_by_key(|(_, body)| body.moved_at)?;
        (now.duration_since(body.moved_at) >= STALE).then_some(*number)
    }

    /// Returns the largest body among those that satisfy `may`, if it holds more than `than` bytes.
    fn largest(&self, than: usize, may: impl Fn(u64, &Body) -> bool) -> Option<u64> {
        let may = self.bodies.iter().filter(|(number, body)| body.may_give_way() && may(**number, body));
        let (number, body) = may.max_by_key(|(_, body)| body.held)?;
        (body.held > than).then_some(*number)
    }

    /// Removes a body. Its memory is free from now on, no matter when its reader learns of it.
    fn remove(&mut self, number: u64) {
        if let Some(body) = self.bodies.remove(&number) {
            self.held -= body.held;
            body.told.notify_one();
        }
    }
}

impl Body {
    fn may_give_way(&self) -> bool {
        self.held > 0 && self.bytes.is_some()
    }
}
