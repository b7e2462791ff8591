//! The freshness barrier: between the read and the response, while keys are loaded, and when the database does not
//! respond.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use latchkey::check::registry::{Leasing, Registry};
use latchkey::db::Db;
use latchkey::keys::lifecycle;
use latchkey::metrics::Metrics;
use latchkey::types::id::SecretId;
use latchkey::types::key_state::KeyState;

use crate::support::{Engine, Owner, Product};

async fn key_of(product: &Product) -> (Owner, SecretId) {
    let owner = product.owner("root").await;
    let created = lifecycle::create(&product.app, &owner.proof(), None).await.unwrap();
    (owner, created.secret_id)
}

/// A read that began before a change does not serve a request that arrived after it.
#[apply(on_both_engines!)]
async fn a_request_after_a_change_sees_it(engine: Engine) {
    let product = Product::start(engine).await;
    let (owner, id) = key_of(&product).await;
    let app = &product.app;
    // They make requests continuously, so that a read is always in progress.
    let stop = Arc::new(AtomicBool::new(false));
    let crowd: Vec<_> = (0..20)
        .map(|_| {
            let (registry, stop) = (app.registry.clone(), stop.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    registry.fresh().await.unwrap();
                }
            })
        })
        .collect();
    for round in 0..100 {
        let enabled = round % 2 == 1;
        if enabled {
            lifecycle::enable(app, &owner.proof(), &id).await.unwrap();
        } else {
            lifecycle::disable(app, &owner.proof(), &id).await.unwrap();
        }
        let fresh = app.registry.fresh().await.unwrap();
        let state = app.registry.get(&fresh, id.as_str()).unwrap().state;
        assert_eq!(state == KeyState::Enabled, enabled, "round {round}");
    }
    stop.store(true, Ordering::Relaxed);
    for one in crowd {
        one.await.unwrap();
    }
}

/// Requests during and after a stop are refused, and none waits for ever.
#[apply(on_both_engines!)]
async fn at_the_end_everybody_is_answered(engine: Engine) {
    let product = Product::start(engine).await;
    key_of(&product).await;
    for _ in 0..20 {
        let registry =
            Registry::start(product.app.db.clone(), product.app.vault.clone(), Metrics::default(), Leasing::default());
        registry.fresh().await.unwrap();
        // One asks to stop, the other for a read that is queued after that.
        let both = async { tokio::join!(registry.close(), registry.fresh()) };
        tokio::time::timeout(Duration::from_secs(5), both).await.expect("nobody hangs").1.unwrap_err();
        let late = tokio::time::timeout(Duration::from_secs(5), registry.fresh()).await;
        assert!(late.expect("nobody hangs").is_err());
    }
}

/// The same while another process loads the keys for the first time.
#[apply(on_both_engines!)]
async fn a_change_while_keys_are_taken_in_is_seen(engine: Engine) {
    let product = Product::start(engine).await;
    let (owner, id) = key_of(&product).await;
    for round in 0..20 {
        let starting =
            Registry::start(product.app.db.clone(), product.app.vault.clone(), Metrics::default(), Leasing::default());
        if round % 2 == 0 {
            lifecycle::disable(&product.app, &owner.proof(), &id).await.unwrap();
        } else {
            lifecycle::enable(&product.app, &owner.proof(), &id).await.unwrap();
        }
        let fresh = starting.fresh().await.unwrap();
        let enabled = starting.get(&fresh, id.as_str()).unwrap().state == KeyState::Enabled;
        assert_eq!(enabled, round % 2 == 1);
    }
}

/// More keys than are loaded at a time, many of them with neighbouring change numbers.
#[apply(on_both_engines!)]
async fn all_keys_are_taken_in(engine: Engine) {
    let product = Product::start(engine).await;
    let (_, id) = key_of(&product).await;
    crowd(&product, 4500).await;
    let registry =
        Registry::start(product.app.db.clone(), product.app.vault.clone(), Metrics::default(), Leasing::default());
    let fresh = registry.fresh().await.unwrap();
    assert!(registry.get(&fresh, id.as_str()).is_some());
    for at in [0, 1999, 2000, 4499] {
        let id: SecretId = format!("AKID{at:0>32}").parse().unwrap();
        assert_eq!(registry.get(&fresh, id.as_str()).unwrap().state, KeyState::Deleted, "{at}");
    }
}

/// If the state cannot be determined, requests are refused, and served again later without a restart. On PostgreSQL,
/// where a lock blocks readers; SQLite's readers wait for nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_database_refuses_and_recovers() {
    let product = Product::start(Engine::Postgres).await;
    let (_, id) = key_of(&product).await;
    let registry = product.app.registry.clone();
    registry.fresh().await.unwrap();
    let ready = format!("http://{}/readyz", product.api);
    assert_eq!(reqwest::get(&ready).await.unwrap().status().as_u16(), 200);

    let Db::Postgres(pool) = &product.app.db else { panic!() };
    let mut stalled = pool.begin().await.unwrap();
    sqlx::query("lock table key_change in access exclusive mode").execute(&mut *stalled).await.unwrap();
    assert!(registry.fresh().await.is_err());
    assert_eq!(reqwest::get(&ready).await.unwrap().status().as_u16(), 503);
    stalled.rollback().await.unwrap();

    let back = async { while registry.fresh().await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(20), back).await.unwrap();
    let fresh = registry.fresh().await.unwrap();
    assert!(registry.get(&fresh, id.as_str()).is_some());
    assert_eq!(reqwest::get(&ready).await.unwrap().status().as_u16(), 200);
}

/// The same when the connection itself is closed, as when the server restarts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_connection_is_replaced() {
    let product = Product::start(Engine::Postgres).await;
    let (_, id) = key_of(&product).await;
    product.app.registry.fresh().await.unwrap();
    let Db::Postgres(pool) = &product.app.db else { panic!() };
    let cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()";
    sqlx::query(cut).execute(pool).await.unwrap();
    let fresh = product.app.registry.fresh().await.unwrap();
    assert!(product.app.registry.get(&fresh, id.as_str()).is_some());
}

/// Inserts many deleted keys directly, all but the first two with the same change number.
async fn crowd(product: &Product, many: i64) {
    let owner = product.owner("crowd").await;
    let statement = "with recursive counted (at) as (select 0 union all select at + 1 from counted where at + 1 < $2)
        insert into api_key (secret_id, uin, state, created_at, state_changed_at, change_number)
        select 'AKID' || substr('00000000000000000000000000000000' || at, length('' || at) + 1), $1, 'deleted', 0, 0,
            case when at < 2 then 7 else 8 end
        from counted";
    let number = "update key_change set number = 8";
    let history = "insert into key_history (number, mark) select number, mark from key_change";
    match &product.app.db {
        Db::Sqlite(pool, _) => {
            sqlx::query(statement).bind(owner.uin).bind(many).execute(pool).await.unwrap();
            sqlx::query(number).execute(pool).await.unwrap();
            sqlx::query(history).execute(pool).await.unwrap();
        }
        Db::Postgres(pool) => {
            sqlx::query(statement).bind(owner.uin).bind(many).execute(pool).await.unwrap();
            sqlx::query(number).execute(pool).await.unwrap();
            sqlx::query(history).execute(pool).await.unwrap();
        }
    }
}
