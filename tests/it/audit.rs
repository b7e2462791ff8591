//! The chain of operations: everything is in it, and every alteration shows.

use latchkey::audit::Verdict;
use latchkey::db::Db;
use latchkey::db::audit as chain;

use crate::support::Product;
use crate::support::owner::PASSWORD;

/// Changes the database behind the product's back.
async fn tamper(db: &Db, statement: &'static str) {
    let done = match db {
        Db::Sqlite(pool, _) => sqlx::query(statement).execute(pool).await.map(drop),
        Db::Postgres(pool) => sqlx::query(statement).execute(pool).await.map(drop),
    };
    done.unwrap();
}

/// A product with a chain of a dozen records.
async fn with_history(engine: crate::support::Engine) -> Product {
    let product = Product::start(engine).await;
    let (mut owner, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    owner.reveal(&product, &mut browser, &key).await;
    for action in ["disable", "enable", "disable", "delete"] {
        browser.operate(&format!("/cam/capi/keys/{key}/{action}"), &[]).await;
    }
    browser.submit("/cam/capi", "/logout", &[]).await;
    let fields = [("name", "root"), ("password", "wrong")];
    browser.submit("/login", "/login", &fields).await.is(422);
    product
}

async fn verdict(product: &Product) -> Verdict {
    product.app.audit.verify(&product.app.db, None).await.unwrap()
}

on_both_engines! {
    async fn every_operation_is_recorded_with_who_when_and_where(engine) {
        let product = with_history(engine).await;
        let rows = chain::page(&product.app.db, 0, 100).await.unwrap();
        let actions: Vec<(&str, &str)> = rows.iter().map(|row| (row.action.as_str(), row.result.as_str())).collect();
        assert_eq!(actions, [
            ("account.create", "done"), ("account.set-up", "done"), ("sign-in.password", "done"), ("sign-in", "done"),
            ("key.create", "done"), ("verification", "done"), ("key.reveal", "done"), ("key.disable", "done"),
            ("key.enable", "done"), ("key.disable", "done"), ("key.delete", "done"), ("sign-out", "done"),
            ("sign-in", "refused"),
        ]);
        for row in &rows[2..] {
            assert_eq!(row.address.as_deref(), Some("127.0.0.1"));
            assert!(row.request_id.is_some() && row.uin.is_some());
            let is_stranger = row.action == "sign-in.password" || row.result == "refused";
            assert_eq!(row.actor, if is_stranger { "stranger" } else { "account" });
        }
        let text = format!("{rows:?}");
        assert!(!text.contains(PASSWORD));
        let Verdict::Intact { records: 13, head } = verdict(&product).await else { panic!() };
        assert_eq!(head.len(), 64);
    }

    /// Attack 24.
    async fn every_alteration_is_found(engine) {
        for (statement, broken_at) in [
            ("update audit_record set result = 'refused' where number = 4", 4),
            ("update audit_record set at = at + 1 where number = 7", 7),
            ("update audit_record set target = null where number = 7", 7),
            ("delete from audit_record where number = 5", 5),
            ("delete from audit_record where number = 13", 13),
            ("delete from audit_record where number > 9", 10),
            ("update audit_record set number = 100 - number where number in (48, 5, 6)", 5),
            ("insert into audit_record (number, at, actor, action, result, mac) select 14, at, actor, action, result, mac
                from audit_record where number = 13", 14),
            ("update audit_head set number = 12", 12),
        ] {
            let product = with_history(engine).await;
            tamper(&product.app.db, statement).await;
            let Verdict::Broken { number, .. } = verdict(&product).await else { panic!("{statement}") };
            assert_eq!(number, broken_at, "{statement}");
        }
    }
}
