//! Usage counts and usage records.

use std::sync::Arc;
use std::time::Duration;

use latchkey::check::registry::RegisteredKey;
use latchkey::check::usage::CheckedCall;
use latchkey::db::usage::{LastUse, NewUse};
use latchkey::db::{Db, usage as counts};
use latchkey::keys::lifecycle;
use latchkey::types::clock::Timestamp;
use latchkey::types::id::{RequestId, SecretId};
use latchkey::types::reason::Reason;

use crate::support::{Browser, Engine, Owner, Product, START, execute};

async fn with_key(engine: Engine) -> (Product, Owner, Browser, SecretId) {
    let product = Product::start(engine).await;
    let (owner, mut browser) = product.signed_in("root").await;
    let id = browser.create_key().await.parse().unwrap();
    (product, owner, browser, id)
}

/// The key as a request would get it now.
async fn checked(product: &Product, id: &SecretId) -> Arc<RegisteredKey> {
    let fresh = product.app.registry.fresh().await.unwrap();
    product.app.registry.get(&fresh, id.as_str()).unwrap()
}

fn call(at: Timestamp, refusal: Option<Reason>) -> CheckedCall<'static> {
    let (request_id, address) = (RequestId::generate(), [192, 0, 2, 1].into());
    CheckedCall { at, request_id, action: "GetCallerIdentity", address, refusal, diagnosed: None }
}

/// If a key is called very often, only some calls are listed, but all are counted.
#[apply(on_both_engines!)]
async fn every_call_counts(engine: Engine) {
    let (product, _owner, mut browser, id) = with_key(engine).await;
    let key = checked(&product, &id).await;
    for _ in 0..3000 {
        product.app.usage.record(&key.usage, call(START, None));
    }
    product.app.usage.record(&key.usage, call(START, Some(Reason::WrongSignature)));
    assert_eq!(product.app.usage.waiting(), 101, "refused calls have a share of their own");
    let page = browser.get(&format!("/cam/capi/keys/{id}")).await;
    page.says(&format!("<title>{}: 3000 accepted, 1 refused</title>", START.utc_date()));
    browser
        .get(&format!("/cam/capi/keys/{id}/disable"))
        .await
        .says("<dt>Calls in the last 24 hours</dt><dd class=\"num\">3000</dd>");
    // The next second has a new share.
    product.app.usage.record(&key.usage, call(START.plus(Duration::from_secs(1)), Some(Reason::WrongSignature)));
    browser
        .get(&format!("/cam/capi/keys/{id}"))
        .await
        .says("3000 accepted, 2 refused")
        .says("Refused: wrong signature");
}

/// The last 24 hours start in the middle of an hour.
#[apply(on_both_engines!)]
async fn a_call_of_a_day_ago_is_not_of_the_last_24_hours(engine: Engine) {
    let (product, _owner, _browser, id) = with_key(engine).await;
    let key = checked(&product, &id).await;
    let minutes = |minutes| START.plus(Duration::from_mins(minutes));
    for at in [10, 20, 30, 70] {
        product.app.usage.record(&key.usage, call(minutes(at), None));
    }
    product.app.usage.flush().await;
    for (since, expected) in [(0, 4), (15, 3), (20, 3), (21, 2), (60, 1), (71, 0)] {
        let accepted = counts::accepted(&product.app.db, &id, minutes(since)).await.unwrap();
        assert_eq!(accepted, expected, "since minute {since}");
    }
}

/// A call that was checked just before the key was disabled is written afterwards, and counts for the time before.
#[apply(on_both_engines!)]
async fn a_call_counts_for_the_state_it_met(engine: Engine) {
    let (product, _owner, mut browser, id) = with_key(engine).await;
    let before = checked(&product, &id).await;
    product.advance(Duration::from_secs(1));
    browser.operate(&format!("/cam/capi/keys/{id}/disable"), &[]).await;
    let after = checked(&product, &id).await;
    product.app.usage.record(&before.usage, call(product.clock.now(), None));
    product.app.usage.record(&after.usage, call(product.clock.now(), Some(Reason::Disabled)));
    let page = browser.get(&format!("/cam/capi/keys/{id}")).await;
    page.says("0 accepted and 1 refused since then").says("1 accepted, 1 refused</title>");
}

/// The last use is recorded, listed or not.
#[apply(on_both_engines!)]
async fn the_last_use_is_known_though_it_is_not_listed(engine: Engine) {
    let (product, owner, _browser, id) = with_key(engine).await;
    let key = checked(&product, &id).await;
    let later = START.plus(Duration::from_millis(700));
    for at in std::iter::repeat_n(START, 1000).chain([later]) {
        product.app.usage.record(&key.usage, call(at, None));
    }
    product.app.usage.flush().await;
    let keys = latchkey::db::api_keys::list(&product.app.db, owner.uin).await.unwrap();
    assert_eq!(keys[0].last_used_at, Some(later));
}

#[apply(on_both_engines!)]
async fn counts_that_could_not_be_written_are_written_later(engine: Engine) {
    let (product, _owner, _browser, id) = with_key(engine).await;
    let key = checked(&product, &id).await;
    let db = &product.app.db;
    execute(db, "alter table use_count rename to away").await;
    product.app.usage.record(&key.usage, call(START, None));
    product.app.usage.flush().await;
    product.app.usage.record(&key.usage, call(START, None));
    execute(db, "alter table away rename to use_count").await;
    product.app.usage.flush().await;
    assert_eq!(counts::accepted(db, &id, START).await.unwrap(), 2);
}

#[apply(on_both_engines!)]
async fn counts_are_kept_for_ninety_days(engine: Engine) {
    let (product, _owner, _browser, id) = with_key(engine).await;
    let key = checked(&product, &id).await;
    let days = |days: u64| Duration::from_hours(24 * days);
    for age in [91, 90, 89] {
        product.app.usage.record(&key.usage, call(START.minus(days(age)), None));
    }
    product.app.usage.flush().await;
    latchkey::check::usage::purge(&product.app.db, START).await.unwrap();
    assert_eq!(counts::accepted(&product.app.db, &id, START.minus(days(100))).await.unwrap(), 2);
}

/// Also for a key that is called very often, long before the next cleanup.
#[apply(on_both_engines!)]
async fn a_key_keeps_the_number_of_records_that_is_said(engine: Engine) {
    let (product, _owner, _browser, id) = with_key(engine).await;
    let key = checked(&product, &id).await;
    for second in 0..120 {
        for _ in 0..100 {
            product.app.usage.record(&key.usage, call(START.plus(Duration::from_secs(second)), None));
        }
        product.app.usage.finish().await;
    }
    let kept = count(&product.app.db, "select count(*) from use_record").await;
    assert!((10_000..=10_500).contains(&kept), "{kept}");
}

/// Old records are deleted a few at a time, so that a change to a key need not wait for all of them.
#[apply(on_both_engines!)]
async fn a_change_is_let_in_while_records_are_dropped(engine: Engine) {
    let (product, owner, _browser, id) = with_key(engine).await;
    crowd(&product, &id, 60_000).await;
    let purging = tokio::spawn({
        let db = product.app.db.clone();
        async move { latchkey::check::usage::purge(&db, START).await.unwrap() }
    });
    let mut changes = 0;
    while !purging.is_finished() {
        lifecycle::disable(&product.app, &owner.proof(), &id).await.unwrap();
        lifecycle::enable(&product.app, &owner.proof(), &id).await.unwrap();
        changes += 2;
    }
    purging.await.unwrap();
    assert!(changes > 10, "{changes} changes while 60,000 records were dropped");
    assert_eq!(count(&product.app.db, "select count(*) from use_record").await, 0);
}

/// Writing records locks nothing that a change needs. On SQLite, there is only one writer at a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_are_being_written_hold_up_no_change() {
    let (product, owner, _browser, id) = with_key(Engine::Postgres).await;
    let key = checked(&product, &id).await;
    let last = LastUse { at: START, action: "A".to_owned(), address: [192, 0, 2, 1].into() };
    let record = NewUse {
        secret_id: &key.usage.secret_id,
        at: START,
        request_id: RequestId::generate(),
        action: "A",
        address: [192, 0, 2, 1].into(),
        refusal: None,
    };
    let mut tx = product.app.db.begin().await.unwrap();
    counts::insert(&mut tx, &[record]).await.unwrap();
    counts::add_counts(&mut tx, &[((&id, START, 0), (1, 0))]).await.unwrap();
    counts::note_last_uses(&mut tx, &[(&id, &last)]).await.unwrap();
    for _ in 0..3 {
        lifecycle::disable(&product.app, &owner.proof(), &id).await.unwrap();
        lifecycle::set_remark(&product.app, &owner.proof(), &id, "busy").await.unwrap();
        lifecycle::enable(&product.app, &owner.proof(), &id).await.unwrap();
    }
    lifecycle::disable(&product.app, &owner.proof(), &id).await.unwrap();
    lifecycle::delete(&product.app, &owner.proof(), &id).await.unwrap();
    tx.commit().await.unwrap();
}

async fn count(db: &Db, statement: &'static str) -> i64 {
    match db {
        Db::Sqlite(pool, _) => sqlx::query_scalar(statement).fetch_one(pool).await,
        Db::Postgres(pool) => sqlx::query_scalar(statement).fetch_one(pool).await,
    }
    .unwrap()
}

/// Inserts records that are a hundred days old.
async fn crowd(product: &Product, id: &SecretId, many: i64) {
    let statement = "with recursive counted (n) as (select 1 union all select n + 1 from counted where n < $3)
        insert into use_record (secret_id, at, request_id, action, address, accepted, reason)
        select $1, $2 + n, '', 'A', '192.0.2.1', true, '' from counted";
    let long_ago = START.minus(Duration::from_hours(100 * 24));
    match &product.app.db {
        Db::Sqlite(pool, _) => sqlx::query(statement).bind(id).bind(long_ago).bind(many).execute(pool).await.map(drop),
        Db::Postgres(pool) => sqlx::query(statement).bind(id).bind(long_ago).bind(many).execute(pool).await.map(drop),
    }
    .unwrap();
}
