//! What bodies take of the memory while they are read, and who gives way when it is short.
//!
//! A body takes what has arrived of it. Where that does not fit, a newcomer does not wait: somebody gives way at once.
//! First a body of whoever holds most, if that is more than the newcomer's sender will hold, so that nobody with much keeps
//! out somebody with little; then one that has not moved for a while; and if there is neither, the newcomer itself. Among
//! the bodies of one sender, who has a bound of their own, it is the other way round. A body that is there whole never
//! gives way: it is about to be checked, or has been.

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

/// What long bodies in all may take.
pub(super) const ALL: usize = 64 * 1024 * 1024;
/// What those of one subscriber may take. Whole ones do not give way, so something is left for others in any case.
pub(super) const OF_ONE: usize = ALL / 2;
/// Whoever has not made a step of [`STEP`] bytes for this long gives way to whoever comes.
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
    /// What counts for it, in bytes.
    held: usize,
    /// What has arrived; none once it is whole, and with whoever uses it.
    bytes: Option<Vec<u8>>,
    /// When it last made a step, and how far it is on its way to the next.
    moved_at: Instant,
    arrived: usize,
    /// Whoever reads it, when it has to give way.
    told: Arc<Notify>,
}

/// A body's place among them, until it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    shares: Arc<Shares>,
    number: u64,
    longest: usize,
    given_way: Arc<Notify>,
}

impl Shares {
    /// A place for a body, of which nothing has arrived yet and which will be no longer than `longest`.
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

    /// What is held in all.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.table().held
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Ends when this body has had to give way.
    pub(super) async fn given_way(&self) {
        self.given_way.notified().await;
    }

    /// Takes in what has arrived. Others give way to it if need be, or it gives way to them.
    pub(super) fn take_in(&mut self, data: &[u8]) -> Result<(), Unread> {
        self.shares.table().take_in(self.number, data, self.longest).ok_or(Unread::Crowded)
    }

    /// All of it. From here on it gives way to nobody.
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

    /// Has others give way until there is room for `more` of this body. False if this one has to.
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

    /// Of whoever holds most, and more than `than`, the body that has not moved for the longest.
    fn of_whoever_holds_most(&self, than: usize) -> Option<u64> {
        let mut held: HashMap<Subscriber, usize> = HashMap::new();
        for body in self.bodies.values() {
            *held.entry(body.from).or_default() += body.held;
        }
        let may = self.bodies.iter().filter(|(_, body)| body.may_give_way() && held[&body.from] > than);
        may.min_by_key(|(_, body)| (Reverse(held[&body.from]), body.moved_at)).map(|(number, _)| *number)
    }

    /// Of those that `may`, the body that has not moved for the longest, if it has not for a while.
    fn stalest(&self, now: Instant, may: impl Fn(u64, &Body) -> bool) -> Option<u64> {
        let may = self.bodies.iter().filter(|(number, body)| body.may_give_way() && may(**number, body));
        let (number, body) = may.min_by_key(|(_, body)| body.moved_at)?;
        (now.duration_since(body.moved_at) >= STALE).then_some(*number)
    }

    /// Of those that `may`, the body that holds most, if that is more than `than`.
    fn largest(&self, than: usize, may: impl Fn(u64, &Body) -> bool) -> Option<u64> {
        let may = self.bodies.iter().filter(|(number, body)| body.may_give_way() && may(**number, body));
        let (number, body) = may.max_by_key(|(_, body)| body.held)?;
        (body.held > than).then_some(*number)
    }

    /// Its memory is free from here on, whenever its reader learns of it.
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
