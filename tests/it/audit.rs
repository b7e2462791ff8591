//! The audit chain: it contains everything, and every alteration is found.

use latchkey::audit::Verdict;
use latchkey::db::Db;
use latchkey::db::audit as chain;
use serde_json::Value;

use crate::support::owner::PASSWORD;
use crate::support::process::{latchkey, run};
use crate::support::{Engine, Product, statement as tamper};

/// A product with a chain of a dozen records.
async fn with_history(engine: Engine) -> Product {
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

#[apply(on_both_engines!)]
async fn every_operation_is_recorded_with_who_when_and_where(engine: Engine) {
    let product = with_history(engine).await;
    let rows = chain::page(&product.app.db, 0, 100).await.unwrap();
    let actions: Vec<(&str, &str)> = rows.iter().map(|row| (row.action.as_str(), row.result.as_str())).collect();
    assert_eq!(
        actions,
        [
            ("account.create", "done"),
            ("account.set-up", "done"),
            ("sign-in.password", "done"),
            ("sign-in", "done"),
            ("key.create", "done"),
            ("verification", "done"),
            ("key.reveal", "done"),
            ("key.disable", "done"),
            ("key.enable", "done"),
            ("key.disable", "done"),
            ("key.delete", "done"),
            ("sign-out", "done"),
            ("sign-in", "refused"),
        ]
    );
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
#[apply(on_both_engines!)]
async fn every_alteration_is_found(engine: Engine) {
    for (statement, broken_at) in [
        ("update audit_record set result = 'refused' where number = 4", 4),
        ("update audit_record set at = at + 1 where number = 7", 7),
        ("update audit_record set target = null where number = 7", 7),
        ("delete from audit_record where number = 5", 5),
        ("delete from audit_record where number = 13", 13),
        ("delete from audit_record where number > 9", 10),
        ("update audit_record set number = 100 - number where number in (48, 5, 6)", 5),
        ("insert into audit_record (number, format, at, actor, action, result, mac) select 14, 1, at, actor, action, result, mac
                from audit_record where number = 13", 14),
        ("update audit_head set number = 12", 12),
    ] {
        let product = with_history(engine).await;
        tamper(&product.app.db, statement).await;
        let Verdict::Broken { number, .. } = verdict(&product).await else { panic!("{statement}") };
        assert_eq!(number, broken_at, "{statement}");
    }
}

/// Attack 24: rows that are not numbered from 1 to the head are no one's records, and are never shown.
#[apply(on_both_engines!)]
async fn rows_that_are_not_in_the_chain_are_found_and_not_shown(engine: Engine) {
    let product = Product::start(engine).await;
    let (owner, mut browser) = product.signed_in("root").await;
    browser.create_key().await;
    // The database itself refuses them, but someone who can write to it can change that.
    match &product.app.db {
        Db::Sqlite(pool, _) => {
            // For one connection, which also writes the rows.
            let mut connection = pool.acquire().await.unwrap();
            sqlx::query("pragma ignore_check_constraints = on").execute(&mut *connection).await.unwrap();
            for number in [-3, 0, 4000] {
                sqlx::query(sqlx::AssertSqlSafe(forged(number, owner.uin.0))).execute(&mut *connection).await.unwrap();
            }
            connection.close().await.unwrap();
        }
        Db::Postgres(_) => {
            tamper(&product.app.db, "alter table audit_record drop constraint audit_record_number_check").await;
            for number in [-3, 0, 4000] {
                tamper(&product.app.db, &forged(number, owner.uin.0)).await;
            }
        }
    }
    for number in [-3, 0, 4000] {
        let Verdict::Broken { number: found, how } = verdict(&product).await else { panic!("{number}") };
        assert_eq!(found, number, "{how}");
        let page = browser.get("/cam/records").await;
        page.is_account_page().says("Key created").does_not_say("203.0.113.99");
        let csv = browser.get("/cam/records.csv").await;
        assert!(csv.body.contains("key.create") && !csv.body.contains("203.0.113.99"), "{}", csv.body);
        let export = run(latchkey(&product.store, &["audit", "export"]), "");
        assert!(export.status.success() && !String::from_utf8(export.stdout).unwrap().contains("203.0.113.99"));
        tamper(&product.app.db, &format!("delete from audit_record where number = {number}")).await;
    }
    assert!(matches!(verdict(&product).await, Verdict::Intact { .. }));
}

#[apply(on_both_engines!)]
async fn by_itself_the_database_takes_no_number_below_one(engine: Engine) {
    let product = with_history(engine).await;
    let refused = match &product.app.db {
        Db::Sqlite(pool, _) => sqlx::query(sqlx::AssertSqlSafe(forged(0, 1))).execute(pool).await.map(drop),
        Db::Postgres(pool) => sqlx::query(sqlx::AssertSqlSafe(forged(0, 1))).execute(pool).await.map(drop),
    };
    assert!(refused.unwrap_err().to_string().to_lowercase().contains("check"));
}

/// Attack 24: an installation that has any data also has records.
#[apply(on_both_engines!)]
async fn a_chain_that_is_cut_back_together_with_its_head_is_found(engine: Engine) {
    for (statements, broken_at, what) in [
        (["delete from audit_record", "update audit_head set number = 0, mac = null"], 1, "account"),
        (
            [
                "delete from audit_record where number > 4",
                "update audit_head set number = 4,
                mac = (select mac from audit_record where number = 4)",
            ],
            5,
            "key AKID",
        ),
    ] {
        let product = with_history(engine).await;
        for statement in statements {
            tamper(&product.app.db, statement).await;
        }
        let Verdict::Broken { number, how } = verdict(&product).await else { panic!("{what}") };
        assert_eq!(number, broken_at, "{how}");
        assert!(how.contains(what), "{how}");
        let output = run(latchkey(&product.store, &["audit", "verify", "--json"]), "");
        assert_eq!(output.status.code(), Some(3));
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(said["broken_at"], broken_at);
    }
    // There is no account, but there was one before.
    let product = Product::start(engine).await;
    assert!(matches!(verdict(&product).await, Verdict::Intact { .. }));
    tamper(&product.app.db, "delete from audit_record").await;
    tamper(&product.app.db, "update audit_head set number = 0, mac = null").await;
    assert!(matches!(verdict(&product).await, Verdict::Intact { records: 0, .. }));
    tamper(&product.app.db, "update installation set set_up = true").await;
    assert!(matches!(verdict(&product).await, Verdict::Broken { number: 1, .. }));
}

#[apply(on_both_engines!)]
async fn a_head_that_is_gone_is_found(engine: Engine) {
    let product = with_history(engine).await;
    tamper(&product.app.db, "delete from audit_head").await;
    let output = run(latchkey(&product.store, &["audit", "verify"]), "");
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Attack 11: whatever anonymous clients send, records consist of fixed names. All tables of records are searched for
/// what they can type, because none of it may be kept there for good.
#[apply(on_both_engines!)]
async fn nothing_that_strangers_type_is_in_the_record(engine: Engine) {
    const CANARY: &str = "canary7301";
    let product = Product::start(engine).await;
    let owner = product.owner("root").await;
    for (name, password) in [(CANARY, "x"), ("root", CANARY)] {
        let mut browser = product.browser();
        let token = browser.get("/login").await.form_token();
        let form = [("form_token", token.as_str()), ("name", name), ("password", password)];
        let request = browser.request(reqwest::Method::POST, "/login").form(&form);
        let request = ["user-agent", "x-forwarded-for", "x-request-id", "referer"]
            .iter()
            .fold(request, |request, header| request.header(*header, CANARY));
        browser.send(request).await.is(422);
    }
    let mut half = product.browser();
    owner.give_password(&mut half).await;
    half.submit("/login/code", "/login/code", &[("kind", CANARY), ("code", CANARY)]).await;
    half.submit("/login/code", "/login/code", &[("kind", "recovery"), ("code", CANARY)]).await.is(422);
    let rows = chain::page(&product.app.db, 0, 1000).await.unwrap();
    assert!(rows.iter().filter(|row| row.result == "refused").count() >= 2);
    assert!(!format!("{rows:?}").contains(CANARY), "{rows:?}");
}

/// Names that do not exist add no records, and neither do attempts at a name that has to wait. The owner is told of all
/// attempts.
#[apply(on_both_engines!)]
async fn a_flood_of_refused_sign_ins_is_counted_and_not_recorded(engine: Engine) {
    let product = Product::start(engine).await;
    let (mut owner, mut known) = product.signed_in("root").await;
    known.submit("/cam/capi", "/logout", &[]).await;
    let records = async || chain::page(&product.app.db, 0, 1000).await.unwrap().len();
    let before = records().await;
    for at in 0..8 {
        let fields = [("name", &*format!("guess{at}")), ("password", "wrong")];
        product.browser().submit("/login", "/login", &fields).await.is(422);
    }
    assert_eq!(records().await, before, "names that nobody has");
    for _ in 0..11 {
        product.browser().submit("/login", "/login", &[("name", "root"), ("password", "wrong")]).await.is(422);
    }
    // Four attempts have no delay, the fifth starts one, and the clock stands still.
    assert_eq!(records().await, before + 5);
    owner.sign_in_with(&product, &mut known).await;
    known.get("/cam/capi").await.says("11 failed attempts since");
    assert!(matches!(verdict(&product).await, Verdict::Intact { .. }));
    // From here on, the count starts again.
    known.submit("/cam/capi", "/logout", &[]).await;
    owner.sign_in_with(&product, &mut known).await;
    known.get("/cam/capi").await.says("No failed attempts since");
}

/// A forged record of the account.
fn forged(number: i64, uin: i64) -> String {
    format!(
        "insert into audit_record (number, format, at, uin, actor, action, address, result, mac)
        select {number}, 1, at, {uin}, actor, 'key.reveal', '203.0.113.99', 'done', mac from audit_record where number = 1"
    )
}

/// SQLite stores values of any type in any column. A record that cannot be read counts as altered, and is named.
#[tokio::test(flavor = "multi_thread")]
async fn records_of_another_type_are_named() {
    let product = with_history(Engine::Sqlite).await;
    let Db::Sqlite(pool, _) = &product.app.db else { panic!() };
    for (change, back) in [
        ("at = 'soon'", true),
        ("at = x'00'", true),
        ("uin = 'root'", true),
        ("format = x'01'", true),
        ("format = 2", true),
        ("target = x'ff'", true),
        ("action = x'6b6579'", true),
        ("request_id = x'00'", true),
        ("mac = 7", true),
        ("number = 6.5", false),
        ("number = 'six'", false),
        ("number = x'06'", false),
    ] {
        let mut connection = pool.acquire().await.unwrap();
        sqlx::query("create table kept as select * from audit_record where number = 6")
            .execute(&mut *connection)
            .await
            .unwrap();
        sqlx::query("pragma ignore_check_constraints = on").execute(&mut *connection).await.unwrap();
        let altered = sqlx::AssertSqlSafe(format!("update audit_record set {change} where number = 6"));
        sqlx::query(altered).execute(&mut *connection).await.unwrap();
        let output = run(latchkey(&product.store, &["audit", "verify"]), "");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{change}: {said}");
        assert!(said.contains("record 6"), "{change}: {said}");
        assert_eq!(said.trim_end().lines().count(), 1, "{said}");
        let gone = if back { "number = 6" } else { "cast(number as bigint) <> number or number = 6" };
        for statement in [
            &*format!("delete from audit_record where {gone}"),
            "insert into audit_record select * from kept",
            "drop table kept",
        ] {
            sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut *connection).await.unwrap();
        }
        assert!(matches!(verdict(&product).await, Verdict::Intact { .. }), "{change}");
        connection.close().await.unwrap();
    }
}
