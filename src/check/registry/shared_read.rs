//! The read of the change number that all who wait for one share.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, SetOnce};

/// A read, done or to come: did it succeed?
pub(super) type Read = Arc<SetOnce<bool>>;

/// The read that has not begun, if anybody waits for it.
#[derive(Debug, Default)]
pub(super) struct NextRead {
    gathering: Mutex<Gathering>,
    crowded: Notify,
}

#[derive(Debug, Default)]
struct Gathering {
    read: Option<Read>,
    /// So many need not wait for more to share it. 0 for no such number.
    crowd: usize,
}

impl NextRead {
    /// It, and whether this is the first to wait for it.
    pub(super) fn join(&self) -> (Read, bool) {
        let mut gathering = self.gathering.lock().unwrap_or_else(PoisonError::into_inner);
        let first = gathering.read.is_none();
        let read = gathering.read.get_or_insert_default().clone();
        if waiting_for(&read) == gathering.crowd {
            self.crowded.notify_one();
        }
        (read, first)
    }

    /// Returns once all that can run now has run, which may be requests on their way here, or once a crowd waits.
    pub(super) async fn gather(&self) {
        tokio::select! {
            biased;
            () = self.crowded.notified() => {}
            () = tokio::task::yield_now() => {}
        }
    }

    /// Whoever joins from now on waits for another. None if nobody waits.
    pub(super) fn begin(&self) -> Option<Begun> {
        self.gathering.lock().unwrap_or_else(PoisonError::into_inner).read.take().map(Begun)
    }

    /// A read has taken its time, and `shared` waited for it. With those who came meanwhile they are all who are about. Once
    /// most of them wait again, the next one can begin: the rest are worked on while the database answers.
    pub(super) fn expect(&self, shared: usize) {
        let mut gathering = self.gathering.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = gathering.read.as_ref().map_or(0, waiting_for);
        let all = shared + waiting;
        gathering.crowd = all - all / 8;
        if waiting >= gathering.crowd {
            self.crowded.notify_one();
        }
    }
}

/// A read that has begun; it has failed unless it is said to have succeeded.
#[derive(Debug)]
pub(super) struct Begun(Read);

impl Begun {
    /// How many wait for it.
    pub(super) fn waiting(&self) -> usize {
        waiting_for(&self.0)
    }

    /// Lets them go on.
    pub(super) fn succeeded(self) {
        let _ = self.0.set(true);
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let _ = self.0.set(false);
    }
}

/// Beside the one who holds it for them.
fn waiting_for(read: &Read) -> usize {
    Arc::strong_count(read) - 1
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_crowd_is_not_kept_waiting_for_more() {
        let next = NextRead::default();
        let eight: Vec<_> = (0..8).map(|_| next.join()).collect();
        assert!(next.gather().now_or_never().is_none(), "nobody knows yet how many are about");
        let read = next.begin().unwrap();
        assert_eq!(read.waiting(), 8);
        assert_eq!(eight.iter().filter(|(_, first)| *first).count(), 1);
        let _early = next.join();
        next.expect(read.waiting());
        read.succeeded();
        assert!(eight.iter().all(|(read, _)| read.get() == Some(&true)));

        let mut waiting: Vec<_> = (0..6).map(|_| next.join()).collect();
        assert!(next.gather().now_or_never().is_none(), "seven of the nine that are about");
        waiting.push(next.join());
        assert!(next.gather().now_or_never().is_some(), "eight");
        let read = next.begin().unwrap();
        assert_eq!(read.waiting(), 8);
        assert!(next.join().1, "who comes now waits for another");
        next.expect(read.waiting());
        drop(read);
        assert!(waiting.iter().all(|(read, _)| read.get() == Some(&false)));
    }
}
