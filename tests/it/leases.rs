//! Leases on PostgreSQL: servers check without asking, and a change waits for them.
//!
//! The servers in this process go by clocks that stand still, so that a lease ends, and a wait is long enough, only when
//! the test says so. The real binary goes by the machine's.

use std::sync::Arc;
use std::time::{Duration, Instant};

use latchkey::account::owner::Owner as Proof;
use latchkey::db::freshness::Change;
use latchkey::db::nodes;
use latchkey::keys::change::Effect;
use latchkey::keys::lifecycle::{self, Created};
use latchkey::types::boot_clock::BootClock;
use latchkey::types::clock::Clock;
use latchkey::types::error::Error;
use secrecy::ExposeSecret;

use crate::support::process::{Server, latchkey, run};
use crate::support::signer::{Call, Signer, error_code};
use crate::support::{Browser, Engine, Owner, Page, Product, Store, behind_forwarder, execute};

const UNKNOWN: Option<&str> = Some("AuthFailure.SecretIdNotFound");
/// More than a lease and its margin.
const A_LEASE: Duration = Duration::from_secs(11);
/// A row as a server leaves it that was killed.
const KILLED: &str =
    "insert into node (id, name, version, lease_ms, renewals, seen_number, seen_mark, started_at, renewed_at)
    select 1, 'killed', '0', 1000, 7, number, mark, 0, 0 from key_change";

/// A server with leases, and a key.
struct Installation {
    product: Product,
    boot_clock: BootClock,
    owner: Owner,
    key: Created,
}

impl Installation {
    async fn new() -> Self {
        Box::pin(Self::on(Store::new(Engine::Postgres).await.into())).await
    }

    async fn on(store: Arc<Store>) -> Self {
        let boot_clock = BootClock::manual();
        let product = Product::start_node(store, boot_clock.clone()).await;
        let owner = product.owner("root").await;
        // The database is new, and nobody knows yet who is registered.
        let proof = operator(&owner);
        let creating = Box::pin(lifecycle::create(&product.app, &proof, None));
        let key = until_done(&boot_clock, creating).await.unwrap();
        Self { product, boot_clock, owner, key }
    }

    fn signer(&self, product: &Product) -> Signer {
        Signer::new(product.api, self.key.secret_id.as_str(), self.key.secret_key.expose_secret())
    }

    async fn refusal(&self) -> Option<String> {
        self.signer(&self.product).refusal(self.product.clock.now()).await
    }

    async fn disable(&self) -> Result<Effect, Error> {
        lifecycle::disable(&self.product.app, &operator(&self.owner), &self.key.secret_id).await
    }

    async fn disable_on_the_page(&self, browser: &mut Browser) -> Page {
        browser.operate(&format!("/cam/capi/keys/{}/disable", self.key.secret_id), &[]).await
    }

    async fn nodes(&self) -> Vec<String> {
        nodes::list(&self.product.app.db).await.unwrap().into_iter().map(|node| node.name).collect()
    }
}

fn operator(owner: &Owner) -> Proof {
    Proof::by_operator(owner.uin)
}

/// Lets time pass until something is done that may wait for the end of leases.
async fn until_done<T>(boot_clock: &BootClock, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        if let Ok(done) = tokio::time::timeout(Duration::from_millis(100), work.as_mut()).await {
            return done;
        }
        boot_clock.advance(A_LEASE);
    }
}

/// Both clocks stand still, so only the word of both servers can end the wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_acknowledged_when_every_server_has_taken_it_in() {
    let i = Box::pin(Installation::new()).await;
    let other_clock = BootClock::manual();
    let other = Product::start_node(i.product.store.clone(), other_clock.clone()).await;
    let there = i.signer(&other);
    for _ in 0..5 {
        assert_eq!((i.refusal().await, there.refusal(other.clock.now()).await), (None, None));
        assert!(i.product.app.registry.holds_lease() && other.app.registry.holds_lease());
        assert_eq!(i.disable().await.unwrap(), Effect::Everywhere);
        assert_eq!(i.refusal().await.as_deref(), UNKNOWN);
        assert_eq!(there.refusal(other.clock.now()).await.as_deref(), UNKNOWN);
        let enabled = lifecycle::enable(&other.app, &operator(&i.owner), &i.key.secret_id).await;
        assert_eq!(enabled.unwrap(), Effect::Everywhere);
    }
    assert_eq!(i.nodes().await.len(), 2);
    other.stop().await;
    assert_eq!(i.nodes().await.len(), 1, "a server that stops gives its lease back");
    assert_eq!(i.disable().await.unwrap(), Effect::Everywhere, "and nobody waits for it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checks_under_a_lease_ask_nothing_of_the_database() {
    let mut store = Store::new(Engine::Postgres).await;
    let near = store.database.take().unwrap();
    let (way, far) = behind_forwarder(&near).await;
    store.database = Some(far);
    let i = Box::pin(Installation::on(store.into())).await;
    assert_eq!(i.refusal().await, None);
    assert!(i.product.app.registry.holds_lease());
    way.delay(Duration::from_hours(1));
    for _ in 0..20 {
        assert_eq!(i.refusal().await, None, "the database is silent, and the lease lasts");
    }
    i.boot_clock.advance(Duration::from_secs(10));
    assert_eq!(i.refusal().await.as_deref(), Some("InternalError"), "the lease is over");
}

/// A real server that is stopped in the middle, as by a debugger or a machine without memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_delays_a_change_by_one_lease_and_is_struck_off() {
    use rustix::process::{Signal, kill_process};
    let i = Box::pin(Installation::new()).await;
    let now = || Clock::system().now();
    assert_eq!(i.refusal().await, None);
    let frozen = Server::start_with(&i.product.store, &["--lease", "1s"]);
    let there = Signer::new(frozen.api, i.key.secret_id.as_str(), i.key.secret_key.expose_secret());
    assert_eq!(there.refusal(now()).await, None);
    assert_eq!(i.nodes().await.len(), 2);
    kill_process(frozen.pid(), Signal::STOP).unwrap();
    let begun = Instant::now();
    let said = run(latchkey(&i.product.store, &["key", "disable", i.key.secret_id.as_str()]), "");
    assert!(said.status.success());
    assert!(begun.elapsed() >= Duration::from_secs(1), "its lease may last until then");
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(said.contains("waiting for 1 of 2 servers, at most "), "{said}");
    assert_eq!(i.nodes().await.len(), 1, "it is struck off");
    assert_eq!(i.refusal().await.as_deref(), UNKNOWN);
    kill_process(frozen.pid(), Signal::CONT).unwrap();
    assert_eq!(there.refusal(now()).await.as_deref(), UNKNOWN, "it answers nothing from before");
    assert_eq!(i.nodes().await.len(), 2, "it has registered anew");
}

/// The owner tries again, because the first attempt was not acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disabled_already_is_said_only_when_it_holds() {
    let mut i = Box::pin(Installation::new()).await;
    let mut browser = i.owner.sign_in(&i.product).await;
    execute(&i.product.app.db, KILLED).await;
    for _ in 0..2 {
        i.disable_on_the_page(&mut browser).await.says("The change was saved.").does_not_say("already disabled");
    }
    let mut again = std::pin::pin!(i.disable());
    let early = tokio::time::timeout(Duration::from_millis(300), again.as_mut()).await;
    assert!(early.is_err(), "the clock stands still, and the killed server says nothing");
    let done = until_done(&i.boot_clock, again).await;
    assert!(matches!(done, Err(Error::KeyAlready(_))), "{done:?}");
    assert_eq!(i.nodes().await.len(), 1);
    i.disable_on_the_page(&mut browser).await.says("already disabled");
}

/// The database comes back without the registration of a server that still has a lease.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_database_has_gone_back_nothing_is_acknowledged_early() {
    let mut i = Box::pin(Installation::new()).await;
    let mut browser = i.owner.sign_in(&i.product).await;
    assert_eq!(i.refusal().await, None);
    assert!(is_settled(&i.product).await);
    // The table has another file then, as after a restored dump.
    execute(&i.product.app.db, "truncate node").await;
    i.disable_on_the_page(&mut browser).await.says("The change was saved.").says("Taking effect");
    let done = until_done(&i.boot_clock, Box::pin(i.disable())).await;
    assert!(matches!(done, Err(Error::KeyAlready(_))), "{done:?}");
    assert!(is_settled(&i.product).await, "one lease later it is known again who is registered");
    let enabled = lifecycle::enable(&i.product.app, &operator(&i.owner), &i.key.secret_id).await;
    assert_eq!(enabled.unwrap(), Effect::Everywhere, "and a change needs no time to pass");
    assert_eq!(i.refusal().await, None);
}

async fn is_settled(product: &Product) -> bool {
    let change = nodes::latest_change(&product.app.db).await.unwrap();
    nodes::standing(&product.app.db, change, Duration::ZERO).await.unwrap().unwrap().settled
}

/// A change that the database has lost is not acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_change_is_not_acknowledged() {
    let i = Box::pin(Installation::new()).await;
    let lost = i.product.app.registry.acknowledgements().wait(Change { number: 1, mark: 1 }).await;
    assert!(matches!(lost, Err(Error::Unavailable(_))), "{lost:?}");
}

/// Whoever made the change has ended without a word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_server_finishes_a_wait() {
    let i = Box::pin(Installation::new()).await;
    execute(&i.product.app.db, KILLED).await;
    // Nobody waits for a remark, so it is a change whose maker is gone.
    lifecycle::set_remark(&i.product.app, &i.owner.proof(), &i.key.secret_id, "x").await.unwrap();
    let struck_off = async { while i.nodes().await.len() > 1 {} };
    until_done(&i.boot_clock, struck_off).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_say_that_a_change_takes_effect() {
    let mut i = Box::pin(Installation::new()).await;
    let mut browser = i.owner.sign_in(&i.product).await;
    let key = i.key.secret_id.clone();
    execute(&i.product.app.db, KILLED).await;
    let (list, page) = ("/cam/capi".to_owned(), format!("/cam/capi/keys/{key}"));
    i.disable_on_the_page(&mut browser).await.says("The change was saved.").does_not_say("was disabled");
    for address in [&list, &page, &format!("{page}/rotate")] {
        let shown = browser.get(address).await;
        shown.says("Taking effect").says("waiting for 1 of 2 servers, at most 10 s");
        shown.says("<meta http-equiv=\"refresh\" content=\"1\">").does_not_say(">Disabled<");
    }
    let done = until_done(&i.boot_clock, Box::pin(i.disable())).await;
    assert!(matches!(done, Err(Error::KeyAlready(_))), "{done:?}");
    for address in [&list, &page] {
        browser.get(address).await.says(">Disabled<").does_not_say("Taking effect").does_not_say("http-equiv");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_nodes_are_listed() {
    let i = Box::pin(Installation::new()).await;
    assert_eq!(i.refusal().await, None);
    execute(&i.product.app.db, KILLED).await;
    let listed = run(latchkey(&i.product.store, &["nodes"]), "");
    let table = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.status.success() && table.contains("killed") && table.contains("10s"), "{table}");
    let listed = run(latchkey(&i.product.store, &["nodes", "--json"]), "");
    let nodes: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(nodes.as_array().unwrap().len(), 2, "{nodes}");
}

/// A server without leases waits for those that have some.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_leases_waits_for_the_others() {
    let i = Box::pin(Installation::new()).await;
    let asking = i.product.sibling().await;
    assert_eq!(i.refusal().await, None);
    let done = lifecycle::disable(&asking.app, &operator(&i.owner), &i.key.secret_id).await;
    assert_eq!(done.unwrap(), Effect::Everywhere);
    assert_eq!(i.refusal().await.as_deref(), UNKNOWN);
    assert!(!asking.app.registry.holds_lease());
    let call = Call::identity(asking.clock.now());
    assert_eq!(error_code(&i.signer(&asking).send(&call).await).as_deref(), UNKNOWN);
}
