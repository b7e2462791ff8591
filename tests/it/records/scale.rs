//! Performance with many records.

use std::time::{Duration, Instant};

use latchkey::account::records::{self, Start};
use latchkey::db::Db;
use latchkey::db::audit as chain;
use latchkey::db::records::{Filter, Position};
use latchkey::db::records::{Order, statement};
use latchkey::types::clock::Timestamp;
use latchkey::types::event::{Action, Outcome};
use latchkey::types::id::{SecretId, Uin};

use super::fill;
use crate::support::{Engine, Product, START, execute};

/// A million records of one account: every page of every filter is read along an index, and a download takes hardly any
/// memory. Prints plans and times.
#[ignore = "takes minutes; cargo test --test it records::scale -- --ignored --nocapture"]
#[tokio::test(flavor = "multi_thread")]
async fn a_million_records_are_paged_as_fast_as_few() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let product = Product::start(engine).await;
        let (owner, browser) = product.signed_in("root").await;
        let db = &product.app.db;
        fill(db, owner.uin, 1_000_000).await;
        if engine == Engine::Postgres {
            execute(db, "analyze").await;
        }
        let rows = chain::page(db, 500_000, 2000).await.unwrap();
        let key = rows.iter().find_map(|row| row.target.as_ref()).unwrap().parse().unwrap();
        let middle = rows[0].at;
        let all = Filter::default();
        let none = Filter { key: Some(SecretId::generate()), ..all.clone() };
        let of_key = Filter { key: Some(key), ..all.clone() };
        let filters = [
            ("all", all.clone()),
            (
                "days in the middle",
                Filter { from: Some(middle), until: Some(Timestamp(middle.0 + 1000)), ..all.clone() },
            ),
            ("a common event", Filter { action: Some(Action::SignIn), ..all.clone() }),
            ("a rare event", Filter { action: Some(Action::AccountCreated), ..all.clone() }),
            ("a result", Filter { outcome: Some(Outcome::Done), ..all.clone() }),
            ("a result in the middle", Filter { outcome: Some(Outcome::Refused), until: Some(middle), ..all.clone() }),
            (
                "a common event with its rare result",
                Filter { action: Some(Action::SignIn), outcome: Some(Outcome::Done), ..all.clone() },
            ),
            ("a key", of_key.clone()),
            ("a key nobody has", none),
            ("a key with an event", Filter { action: Some(Action::KeyDisabled), ..of_key.clone() }),
            ("a key with what it never did", Filter { action: Some(Action::KeyDeleted), ..of_key }),
        ];
        for (name, filter) in filters {
            println!("\n{engine:?}, {name}\n{}", plan(db, owner.uin, &filter).await);
            let middle = Position { at: middle, number: 0 };
            for start in [Start::Newest, Start::Before(middle), Start::After(middle)] {
                let mut took = Duration::MAX;
                let mut found = 0;
                for _ in 0..5 {
                    let began = Instant::now();
                    found = records::page(&product.app, &owner.proof(), &filter, start).await.unwrap().rows.len();
                    took = took.min(began.elapsed());
                }
                println!("{start:?}: {found} records in {took:?}");
                assert!(took < Duration::from_millis(50), "{name}: {took:?}");
            }
        }
        let (before, began) = (resident_mib(), Instant::now());
        let mut csv = browser.request(reqwest::Method::GET, "/cam/records.csv").send().await.unwrap();
        let (mut bytes, mut most) = (0, 0);
        while let Some(chunk) = csv.chunk().await.unwrap() {
            bytes += chunk.len();
            most = most.max(resident_mib());
        }
        println!(
            "\n{engine:?}: {bytes} bytes of CSV in {:?}, {before} MiB resident before, {most} while",
            began.elapsed()
        );
        assert!(bytes > 100_000_000 && most < before + 30);
    }
}

/// SQLite chooses an index by its form alone, so that the plans of an empty database are those of a full one.
#[tokio::test(flavor = "multi_thread")]
async fn a_filter_by_key_and_event_is_read_along_an_index_of_both() {
    let product = Product::start(Engine::Sqlite).await;
    let of_key = Filter { key: Some(SecretId::generate()), ..Filter::default() };
    let of_event = Filter { action: Some(Action::KeyDeleted), ..of_key.clone() };
    for (filter, indexes) in [
        (of_key, ["audit_record_by_target", "audit_record_by_actor_key"]),
        (of_event, ["audit_record_by_target_action", "audit_record_by_actor_key_action"]),
    ] {
        let plan = plan(&product.app.db, Uin(100_000_000_000), &filter).await;
        for index in indexes {
            assert_eq!(plan.matches(&format!("USING INDEX {index} (")).count(), 2, "{index}: {plan}");
        }
    }
}

/// The resident memory of the process, in MiB.
fn resident_mib() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4 / 1024
}

/// The query plan for a page from the middle.
async fn plan(db: &Db, uin: Uin, filter: &Filter) -> String {
    let (text, values) = statement(filter, Order::NewestFirst);
    let explain =
        if matches!(db, Db::Sqlite(..)) { "explain query plan" } else { "explain (analyze, costs off, timing off)" };
    let text = sqlx::AssertSqlSafe(format!("{explain} {text}"));
    macro_rules! lines {
        ($pool:expr, $column:expr) => {{
            let (from, until) = (i64::MIN, START.0 + 560_000);
            let mut query = sqlx::query(text).bind(uin).bind(from).bind(0_i64).bind(until).bind(0_i64).bind(51_i64);
            for value in values {
                query = query.bind(value);
            }
            let rows = query.fetch_all($pool).await.unwrap();
            rows.iter().map(|row| sqlx::Row::get::<String, _>(row, $column)).collect::<Vec<_>>()
        }};
    }
    let lines = match db {
        Db::Sqlite(pool, _) => lines!(pool, "detail"),
        Db::Postgres(pool) => lines!(pool, 0),
    };
    lines.join("\n")
}
