//! Database outages: a full disk, a lock that somebody else holds, silence.

use std::process::Command;
use std::time::Duration;

use latchkey::db::Db;
use latchkey::keys::lifecycle;
use latchkey::types::error::Error;
use rustix::process::{Resource, Rlimit, prlimit};
use sqlx::{Connection, Executor, SqliteConnection};

use crate::support::process::{Server, latchkey};
use crate::support::signer::{Call, Signer, error_code};
use crate::support::{Engine, Product, START, Store, behind_forwarder};

/// Limits the size of the server's files, as on a full disk. `None` removes the limit.
fn limit_files(server: &Server, bytes: Option<u64>) {
    let limit = Rlimit { current: bytes, maximum: None };
    prlimit(Some(server.pid()), Resource::Fsize, limit).unwrap();
}

/// The size of a page of an SQLite database.
const PAGE: u64 = 4096;

/// Wherever in a transaction the disk became full, the server recovers without a restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_survived() {
    let store = Store::new(Engine::Sqlite).await;
    // Without the trap, SIGXFSZ would end the program before it gets the error.
    let program = latchkey(&store, &["--console", "127.0.0.1:0", "--api", "127.0.0.1:0"]);
    let mut command = Command::new("sh");
    command.current_dir(store.dir.path()).args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(program.get_program());
    command.args(program.get_args()).env_clear().env("RUST_LOG", "off");
    let mut server = Server::spawn(command);
    let (mut browser, _) = server.signed_in(&store).await;
    let remark = format!("/cam/capi/keys/{}/remark", browser.create_key().await);
    let token = browser.get("/cam/capi").await.form_token();

    let log = store.dir.path().join("data/latchkey.db-wal");
    for more in [0, 1000, 4000, 9000, 20_000] {
        limit_files(&server, Some(std::fs::metadata(&log).unwrap().len() + more));
        let mut done = 0;
        while browser.post(&remark, &token, &[("remark", &format!("{more} {done}"))]).await.status == 303 {
            done += 1;
        }
        let refused = browser.post(&remark, &token, &[("remark", "no room")]).await;
        refused.is(503).says("The database is not available");
        assert_eq!(refused.headers["retry-after"], "5");
        // With room for a page, a write of one page succeeds, although a change needs several.
        if more < PAGE {
            let ready = reqwest::get(format!("http://{}/readyz", server.api)).await.unwrap();
            assert_eq!(ready.status(), 503);
            assert!(ready.text().await.unwrap().contains("nothing can be written"));
        }
        browser.get("/cam/capi").await.is(203).does_not_say("no room");

        limit_files(&server, None);
        browser.post(&remark, &token, &[("remark", &format!("room for {more}"))]).await.is(303);
        browser.get("/cam/capi").await.says(&format!("room for {more}"));
    }
    server.terminate();
}

/// While somebody else holds a write transaction open, changes are refused with a request to try again, and reads are
/// served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_held_is_told_of() {
    let product = Product::start_impatient(Engine::Sqlite).await;
    let (mut owner, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    let secret = owner.reveal(&product, &mut browser, &key).await;
    let signer = Signer::new(product.api, &key, &secret);
    let file = product.store.dir.path().join("data/latchkey.db");
    let mut other = SqliteConnection::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    other.execute("begin immediate").await.unwrap();

    let token = browser.get("/cam/capi").await.form_token();
    let disable = format!("/cam/capi/keys/{key}/disable");
    let refused = browser.post(&disable, &token, &[]).await;
    refused.is(503).says("The database is not available");
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(error_code(&signer.send(&Call::identity(product.clock.now())).await), None);
    // Also after the time at which the use of the session is to be recorded.
    product.advance(Duration::from_mins(2));
    browser.get("/cam/capi").await.is(203).says("Enabled");

    other.execute("rollback").await.unwrap();
    browser.post(&disable, &token, &[]).await.is(303);
    browser.get("/cam/capi").await.says("Disabled");
}

/// A server stops even if somebody else holds the lock that its last records wait for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_held_holds_up_no_stop() {
    let store = Store::new(Engine::Sqlite).await;
    let mut server = Server::start(&store);
    let file = store.dir.path().join("data/latchkey.db");
    let mut other = SqliteConnection::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    other.execute("begin immediate").await.unwrap();
    assert_eq!(server.terminate().0, 0);
}

/// A transaction that was abandoned in the middle leaves a usable connection.
#[apply(on_both_engines!)]
async fn transactions_that_break_off_leave_no_trace(engine: Engine) {
    let product = Product::start(engine).await;
    let owner = product.owner("root").await;
    let id = lifecycle::create(&product.app, &owner.proof(), None).await.unwrap().secret_id;
    for _ in 0..20 {
        let mut tx = product.app.db.begin().await.unwrap();
        latchkey::db::api_keys::next_change(&mut tx).await.unwrap();
        drop(tx);
        // Refused in the middle of its transaction.
        let refused = lifecycle::enable(&product.app, &owner.proof(), &id).await;
        assert!(matches!(refused, Err(Error::KeyAlready(_))), "{refused:?}");
    }
    lifecycle::disable(&product.app, &owner.proof(), &id).await.unwrap();
}

/// On PostgreSQL, a connection that is silent, whatever its state, holds nobody up for long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_database_is_told_of() {
    let product = Product::start_impatient(Engine::Postgres).await;
    let (_, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    let token = browser.get("/cam/capi").await.form_token();
    let Db::Postgres(pool) = &product.app.db else { panic!() };
    let mut silent = pool.begin().await.unwrap();
    silent.execute("lock table api_key, session in access exclusive mode").await.unwrap();
    let page = browser.get("/cam/capi").await;
    page.is(503).says("The database is not available");
    assert!(page.headers.contains_key("retry-after"));
    silent.rollback().await.unwrap();
    browser.post(&format!("/cam/capi/keys/{key}/disable"), &token, &[]).await.is(303);
}

/// The server catches up with a distant database, and then serves calls.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_distant_database_is_caught_up_with() {
    let mut store = Store::new(Engine::Postgres).await;
    let near = store.database.take();
    let (way, far) = behind_forwarder(near.as_ref().unwrap()).await;
    store.database = Some(far);
    let product = Product::start_on(store).await;
    let (mut owner, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    let secret = owner.reveal(&product, &mut browser, &key).await;
    let signer = Signer::new(product.api, &key, &secret);
    let call = Call::identity(product.clock.now());
    assert_eq!(error_code(&signer.send(&call).await), None);

    way.delay(Duration::from_millis(200));
    let near = Db::open(&near.unwrap(), latchkey::db::OF_A_REQUEST).await.unwrap();
    for (action, code) in [("disable", Some("AuthFailure.SecretIdNotFound")), ("enable", None)] {
        change_behind(&near, &key, action == "enable").await;
        let caught_up = async { while error_code(&signer.send(&call).await).as_deref() != code {} };
        tokio::time::timeout(Duration::from_secs(30), caught_up).await.expect("it is caught up with");
        assert_eq!(error_code(&signer.send(&call).await).as_deref(), code, "and stays so");
    }
}

/// Changes the key's state as another process would.
async fn change_behind(db: &Db, key: &str, enabled: bool) {
    use latchkey::types::key_state::KeyState;
    let (from, to) =
        if enabled { (KeyState::Disabled, KeyState::Enabled) } else { (KeyState::Enabled, KeyState::Disabled) };
    let id = key.parse().unwrap();
    let uin = latchkey::db::api_keys::owner(db, &id).await.unwrap().unwrap();
    let mut tx = db.begin().await.unwrap();
    let number = latchkey::db::api_keys::next_change(&mut tx).await.unwrap().number;
    assert!(latchkey::db::api_keys::set_state(&mut tx, uin, &id, from, to, START, number).await.unwrap());
    tx.commit().await.unwrap();
}
