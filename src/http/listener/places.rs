//! The places of a listener: how many connections there may be, how many of them from one address, and which idle one
//! makes way for a new one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::Ipv6Net;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::phase::{Phase, millis};

/// The interval at which to look for an idle connection while all places are taken and no connection is idle.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The places of one listener.
#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    share: usize,
    epoch: Instant,
    taken: Mutex<Taken>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    count: usize,
    last_number: u64,
    by_address: HashMap<IpAddr, HashMap<u64, Arc<Phase>>>,
}

/// A place, which is held until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    address: IpAddr,
    number: u64,
    pub(super) phase: Arc<Phase>,
}

/// The outcome of asking for a place.
#[derive(Debug)]
pub(super) enum Admission {
    /// A place was free.
    Free(Place),
    /// An idle connection was told to end, and its place was taken.
    MadeWay(Place),
    /// There is no place for this address: it has its share, and none of its connections is idle.
    Refused,
    /// There is no place for anybody.
    Full,
}

impl Places {
    /// Creates `most` places, of which an address that is limited to a share may have `share`.
    pub(super) fn new(most: usize, share: usize) -> Arc<Self> {
        Arc::new(Self { most, share, epoch: Instant::now(), taken: Mutex::default(), freed: Notify::new() })
    }

    /// Waits until a place is free or an idle connection can make way.
    pub(super) async fn room(&self) {
        while !self.lock().has_room(self.most) {
            // Look again, whether woken or not.
            let _ = tokio::time::timeout(LOOK_AGAIN, self.freed.notified()).await;
        }
    }

    /// Takes a place for a connection from `peer`, if need be that of the connection that has been idle longest.
    /// `has_share` says whether the address is limited to a share.
    pub(super) fn take(self: &Arc<Self>, peer: IpAddr, has_share: bool) -> Admission {
        let address = subscriber(peer);
        let mut taken = self.lock();
        let is_over_share = has_share && taken.by_address.get(&address).is_some_and(|own| own.len() >= self.share);
        let made_way = (is_over_share || taken.count >= self.most) && taken.make_way(is_over_share.then_some(address));
        if is_over_share && !made_way {
            return Admission::Refused;
        }
        if taken.count >= self.most {
            return Admission::Full;
        }
        taken.count += 1;
        taken.last_number += 1;
        let number = taken.last_number;
        let phase = Arc::new(Phase::new(self.epoch));
        taken.by_address.entry(address).or_default().insert(number, phase.clone());
        let place = Place { places: self.clone(), address, number, phase };
        if made_way { Admission::MadeWay(place) } else { Admission::Free(place) }
    }

    /// Ends the connection that has been idle longest, and waits a moment for it to be gone. Returns `false` if none is
    /// idle.
    pub(super) async fn free_one(&self) -> bool {
        let made_way = self.lock().make_way(None);
        if made_way {
            let _ = tokio::time::timeout(LOOK_AGAIN, self.freed.notified()).await;
        }
        made_way
    }

    /// Ends every connection that has been idle for `at_least` and has received nothing of its next request.
    pub(super) fn end_waiting(&self, at_least: Duration) {
        let Some(latest) = Instant::now().checked_sub(at_least) else { return };
        let latest = millis(self.epoch, latest);
        for phase in self.lock().by_address.values().flat_map(HashMap::values) {
            let waits = phase.waits_since().filter(|since| *since <= latest && !phase.has_heard());
            if let Some(since) = waits {
                phase.end(since);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn has_room(&self, most: usize) -> bool {
        self.count < most
            || self.by_address.values().flat_map(HashMap::values).any(|phase| phase.waits_since().is_some())
    }

    /// Ends the connection, of one address or of any, that has been idle longest, and frees its place. Returns `false`
    /// if none is idle.
    fn make_way(&mut self, of: Option<IpAddr>) -> bool {
        loop {
            let own = self.by_address.iter().filter(|(address, _)| of.is_none_or(|of| of == **address));
            let all = own.flat_map(|(address, own)| own.iter().map(move |(number, phase)| (*address, *number, phase)));
            let waiting = all.filter_map(|(address, number, phase)| Some((phase.waits_since()?, number, address)));
            let Some((since, number, address)) = waiting.min() else { return false };
            let ended =
                self.by_address.get(&address).and_then(|own| own.get(&number)).is_some_and(|one| one.end(since));
            // Otherwise its next request has arrived in the meantime, so look for another.
            if ended {
                self.remove(address, number);
                return true;
            }
        }
    }

    fn remove(&mut self, address: IpAddr, number: u64) {
        let Some(own) = self.by_address.get_mut(&address) else { return };
        if own.remove(&number).is_some() {
            self.count -= 1;
        }
        if own.is_empty() {
            self.by_address.remove(&address);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().remove(self.address, self.number);
        self.places.freed.notify_one();
    }
}

/// The address that counts: for IPv6, the /64, which one subscriber has to itself.
fn subscriber(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => Ipv6Net::new_assert(address, 64).trunc().addr().into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn taken(places: &Arc<Places>, peer: &str, has_share: bool) -> (Place, bool) {
        match places.take(peer.parse().unwrap(), has_share) {
            Admission::Free(place) => (place, false),
            Admission::MadeWay(place) => (place, true),
            Admission::Refused | Admission::Full => panic!("no place for {peer}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_waited_longest_makes_way() {
        let places = Places::new(3, 3);
        let mut held = Vec::new();
        for peer in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
            let (place, made_way) = taken(&places, peer, true);
            assert!(!made_way);
            held.push(place);
            tokio::time::advance(Duration::from_millis(2)).await;
        }
        held[0].phase.answer();
        let (fourth, made_way) = taken(&places, "192.0.2.4", true);
        assert!(made_way && held[1].phase.ended().now_or_never().is_some());
        held[2].phase.answer();
        fourth.phase.answer();
        assert!(places.room().now_or_never().is_none(), "none is idle");
        assert!(matches!(places.take("192.0.2.5".parse().unwrap(), true), Admission::Full));
        held[0].phase.wait(Instant::now());
        places.room().await;
        drop(held);
        assert_eq!(places.lock().count, 1, "a place that was taken away is given back once");
        drop(fourth);
        let taken = places.lock();
        assert!(taken.count == 0 && taken.by_address.is_empty(), "nothing is left of those that are gone");
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_has_its_share() {
        let places = Places::new(8, 2);
        let peer = |n: u16| format!("2001:db8:0:1::{n:x}");
        let (first, _) = taken(&places, &peer(1), true);
        first.phase.answer();
        let (second, _) = taken(&places, &peer(2), true);
        let (third, made_way) = taken(&places, &peer(3), true);
        assert!(made_way && second.phase.ended().now_or_never().is_some());
        third.phase.answer();
        assert!(matches!(places.take(peer(4).parse().unwrap(), true), Admission::Refused));
        let _another = taken(&places, "2001:db8:0:2::1", true);
        let _proxy = taken(&places, &peer(5), false);
    }
}
