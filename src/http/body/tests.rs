//! The clock of these tests jumps to the next deadline once nothing else can happen.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, SizeHint};
use proptest::prelude::*;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::budget::{ALL, OF_ONE, STALE};
use super::pace::{GRACE, PACE, PATIENCE, STEP};
use super::*;

const MIB: usize = 1024 * 1024;
const LIMIT: usize = 10 * MIB;

/// A body that a test sends piece by piece.
struct Sent {
    frames: mpsc::UnboundedReceiver<Bytes>,
    announced: Option<u64>,
    asked_for: Arc<std::sync::atomic::AtomicBool>,
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.asked_for.store(true, std::sync::atomic::Ordering::SeqCst);
        self.frames.poll_recv(cx).map(|data| data.map(|data| Ok(Frame::data(data))))
    }

    fn size_hint(&self) -> SizeHint {
        self.announced.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

type Sender = mpsc::UnboundedSender<Bytes>;

fn body(announced: Option<usize>) -> (Sender, Sent) {
    let (sender, frames) = mpsc::unbounded_channel();
    (sender, Sent { frames, announced: announced.map(|length| length as u64), asked_for: Arc::default() })
}

fn zeros(length: usize) -> Bytes {
    vec![0; length].into()
}

fn terms(from: &str) -> Terms {
    Terms::new(LIMIT, from.parse().unwrap(), &HeaderMap::new())
}

type Reading = tokio::task::JoinHandle<Result<ReadBody, Unread>>;

/// Starts to read a body of which `arrived` bytes arrive at once.
async fn begin(budget: &Arc<BodyBudget>, from: &str, announced: Option<usize>, arrived: usize) -> (Sender, Reading) {
    let (sender, body) = body(announced);
    let (budget, terms) = (budget.clone(), terms(from));
    for piece in zeros(arrived).chunks(STEP) {
        sender.send(Bytes::copy_from_slice(piece)).unwrap();
    }
    let reading = tokio::spawn(async move { budget.read(body, terms).await });
    settle().await;
    (sender, reading)
}

/// Lets all tasks run that can run now.
async fn settle() {
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
}

async fn is_read(reading: Reading) -> bool {
    reading.await.unwrap().is_ok()
}

#[tokio::test(start_paused = true)]
async fn a_body_is_read_whole() {
    let budget = BodyBudget::default();
    for (length, announced) in [(0, true), (10, true), (70_000, true), (LIMIT, true), (0, false), (LIMIT, false)] {
        let (sender, body) = body(announced.then_some(length));
        for piece in zeros(length).chunks(50_000) {
            sender.send(Bytes::copy_from_slice(piece)).unwrap();
        }
        drop(sender);
        let read = budget.read(body, terms("192.0.2.1")).await.unwrap();
        assert_eq!(read.bytes.len(), length);
        let counts = length > 64 * 1024;
        assert_eq!(budget.0.held() > 0, counts, "until it is dropped");
        drop(read);
        assert_eq!(budget.0.held(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_announces_too_much_is_not_asked_for() {
    let budget = BodyBudget::default();
    let mut waiting = HeaderMap::new();
    waiting.insert(header::EXPECT, "100-continue".parse().unwrap());
    for (announced, headers, heard_out) in [(LIMIT + 1, HeaderMap::new(), true), (LIMIT + 1, waiting, false)] {
        let (_sender, body) = body(Some(announced));
        let asked_for = body.asked_for.clone();
        let begun = Instant::now();
        let terms = Terms::new(LIMIT, [192, 0, 2, 1].into(), &headers);
        assert_eq!(budget.read(body, terms).await.unwrap_err(), Unread::TooLong);
        assert_eq!(begun.elapsed(), Duration::ZERO, "at once");
        assert!(!asked_for.load(std::sync::atomic::Ordering::SeqCst));
        settle().await;
        assert_eq!(asked_for.load(std::sync::atomic::Ordering::SeqCst), heard_out);
    }
}

#[tokio::test(start_paused = true)]
async fn what_turns_out_too_long_is_refused_at_once_and_heard_out() {
    let budget = Arc::new(BodyBudget::default());
    let (sender, reading) = begin(&budget, "192.0.2.1", None, LIMIT).await;
    let begun = Instant::now();
    sender.send(zeros(1)).unwrap();
    assert_eq!(reading.await.unwrap().unwrap_err(), Unread::TooLong);
    assert_eq!((begun.elapsed(), budget.0.held()), (Duration::ZERO, 0));
    // The rest is discarded, up to a limit.
    for _ in 0..DISCARD_LIMIT / MIB as u64 {
        sender.send(zeros(MIB)).unwrap();
    }
    settle().await;
    assert!(!sender.is_closed());
    sender.send(zeros(1)).unwrap();
    settle().await;
    assert!(sender.is_closed());
}

#[tokio::test(start_paused = true)]
async fn whoever_stops_or_trickles_is_ended() {
    let budget = Arc::new(BodyBudget::default());
    for announced in [Some(10), Some(9 * MIB), None] {
        let begun = Instant::now();
        let (_sender, reading) = begin(&budget, "192.0.2.1", announced, 1).await;
        assert_eq!(reading.await.unwrap().unwrap_err(), Unread::Incomplete);
        assert_eq!(begun.elapsed(), GRACE, "{announced:?}");
        assert_eq!(budget.0.held(), 0);
    }
    // One byte per second is too slow.
    let begun = Instant::now();
    let (sender, reading) = begin(&budget, "192.0.2.1", None, STEP).await;
    while sender.send(zeros(1)).is_ok() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(reading.await.unwrap().unwrap_err(), Unread::Incomplete);
    assert!(begun.elapsed() <= GRACE + Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn whoever_keeps_the_pace_has_half_a_minute() {
    let budget = Arc::new(BodyBudget::default());
    for (steps, in_time) in [(6, true), (7, false)] {
        let begun = Instant::now();
        let (sender, reading) = begin(&budget, "192.0.2.1", None, 0).await;
        for _ in 0..steps {
            let _ = sender.send(zeros(STEP));
            tokio::time::sleep(PACE.mul_f32(0.999)).await;
        }
        drop(sender);
        assert_eq!(is_read(reading).await, in_time);
        assert!(in_time || begun.elapsed() > PATIENCE);
    }
}

/// Nobody waits for memory, and an announced length uses none.
#[tokio::test(start_paused = true)]
async fn announcements_take_nothing() {
    let budget = Arc::new(BodyBudget::default());
    let mut slow = Vec::new();
    for _ in 0..100 {
        slow.push(begin(&budget, "192.0.2.1", Some(9 * MIB), 1000).await);
    }
    assert!(budget.0.held() <= 100 * 1000);
    let begun = Instant::now();
    let (sender, reading) = begin(&budget, "192.0.2.2", Some(80_000), 80_000).await;
    drop(sender);
    assert!(is_read(reading).await);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

/// When many addresses hold all the memory there is, a client with little data is served, and the limit is kept.
#[tokio::test(start_paused = true)]
async fn those_with_much_give_way_to_one_with_little() {
    let budget = Arc::new(BodyBudget::default());
    let mut slow = Vec::new();
    for network in 0..20 {
        // Two addresses of one /64 count as one subscriber.
        for host in 1..=2 {
            slow.push(begin(&budget, &format!("2001:db8:0:{network}::{host}"), Some(9 * MIB), 4 * MIB).await);
            assert!(budget.0.held() <= ALL);
        }
    }
    assert!(budget.0.held() > ALL / 2);
    let (sender, reading) = begin(&budget, "192.0.2.2", Some(80_000), 80_000).await;
    drop(sender);
    assert!(is_read(reading).await);
    let begun = Instant::now();
    let mut gave_way = 0;
    for (_, reading) in slow.into_iter().filter(|(_, reading)| reading.is_finished()) {
        assert_eq!(reading.await.unwrap().unwrap_err(), Unread::Crowded);
        gave_way += 1;
    }
    assert!(gave_way > 0);
    assert_eq!(begun.elapsed(), Duration::ZERO, "told at once");
}

#[tokio::test(start_paused = true)]
async fn one_address_cannot_take_what_is_for_all() {
    let budget = Arc::new(BodyBudget::default());
    let mut bodies = Vec::new();
    for _ in 0..12 {
        bodies.push(begin(&budget, "192.0.2.1", Some(8 * MIB), 8 * MIB - 1).await);
    }
    assert!(budget.0.held() <= OF_ONE);
    let alive = bodies.iter().filter(|(_, reading)| !reading.is_finished()).count();
    assert_eq!(alive, OF_ONE / (8 * MIB));
    // For the same address, the largest body is evicted in favour of a small one, and a slow one in favour of any.
    let (sender, reading) = begin(&budget, "192.0.2.1", Some(80_000), 80_000).await;
    drop(sender);
    assert!(is_read(reading).await);
    tokio::time::sleep(STALE).await;
    let (sender, reading) = begin(&budget, "192.0.2.1", Some(8 * MIB), 8 * MIB).await;
    drop(sender);
    assert!(is_read(reading).await);
}

/// Complete bodies are about to be checked, or are on their way to a back end.
#[tokio::test(start_paused = true)]
async fn whole_bodies_do_not_give_way() {
    let budget = Arc::new(BodyBudget::default());
    let mut whole = Vec::new();
    for address in 0..ALL / (8 * MIB) {
        let (sender, reading) = begin(&budget, &format!("192.0.2.{}", address / 4), Some(8 * MIB), 8 * MIB).await;
        drop(sender);
        whole.push(reading.await.unwrap().unwrap());
    }
    assert_eq!(budget.0.held(), ALL);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let begun = Instant::now();
    let (_sender, reading) = begin(&budget, "192.0.2.99", Some(80_000), 80_000).await;
    assert_eq!(reading.await.unwrap().unwrap_err(), Unread::Crowded);
    assert_eq!(begun.elapsed(), Duration::ZERO, "refused at once");
    whole.pop();
    let (sender, reading) = begin(&budget, "192.0.2.99", Some(80_000), 80_000).await;
    drop(sender);
    assert!(is_read(reading).await);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// For any sequence of operations, the memory used stays within its limit, and is zero at the end.
    #[test]
    fn the_bounds_hold(steps in prop::collection::vec((0_usize..12, 0_u8..4, 1_usize..6 * MIB), 1..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let shares = Arc::new(Shares::default());
            let mut bodies: Vec<Option<budget::Share>> = (0..12).map(|_| None).collect();
            for (at, what, length) in steps {
                match (&mut bodies[at], what) {
                    (place @ None, _) => {
                        let address = IpAddr::from([192, 0, 2, u8::try_from(at % 5).unwrap()]);
                        *place = Some(Shares::enter(&shares, address.into(), 100 * MIB));
                    }
                    (place @ Some(_), 0) => *place = None,
                    (Some(share), 1) => drop(share.complete()),
                    (Some(share), _) => drop(share.take_in(&zeros(length))),
                }
                tokio::time::sleep(Duration::from_millis(length as u64 % 300)).await;
                prop_assert!(shares.held() <= ALL);
            }
            bodies.clear();
            prop_assert_eq!(shares.held(), 0);
            Ok::<(), TestCaseError>(())
        })?;
    }
}

/// A body may have other frames than data.
#[tokio::test(start_paused = true)]
async fn trailers_are_no_data() {
    let budget = BodyBudget::default();
    let frames = [Ok::<_, std::io::Error>(Frame::data(zeros(3))), Ok(Frame::trailers(HeaderMap::new()))];
    let body = StreamBody::new(futures_util::stream::iter(frames)).boxed();
    assert_eq!(budget.read(body, terms("192.0.2.1")).await.unwrap().bytes.len(), 3);
}
