//! Attack 20: a sealed value is bound to its row and its account, and one that does not open causes a fault and an
//! alarm.

use latchkey::db::sealed::{COLUMNS, count};
use latchkey::types::clock::Clock;
use serde_json::Value;

use crate::support::process::{Server, latchkey, run};
use crate::support::signer::Signer;
use crate::support::{Browser, Engine, Product, Store, statement};

const PASSWORD: &str = "a quiet blue lantern";

/// Moves the key and its sealed secret to the other account, so that every process loads it again.
async fn move_key(store: &Store, key: &str, to: &str) {
    let db = store.db().await;
    let moved = format!(
        "update api_key set uin = {to}, change_number = (select number + 1 from key_change) where secret_id = '{key}'"
    );
    statement(&db, &moved).await;
    // Last, like the end of a change: a server that reads between the two statements must not take the key as seen.
    statement(&db, "update key_change set number = number + 1").await;
    db.close().await;
}

/// The alarms in a log.
fn alarms(log: &std::path::Path) -> Vec<Value> {
    let log = std::fs::read_to_string(log).unwrap();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["message"].as_str().unwrap_or_default().starts_with("ALARM")).collect()
}

#[apply(on_both_engines!)]
async fn a_key_that_is_moved_to_another_account_opens_for_nobody(engine: Engine) {
    let product = Product::start(engine).await;
    let (mut owner, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    let secret = owner.reveal(&product, &mut browser, &key).await;
    let signer = Signer::new(product.api, &key, &secret);
    assert_eq!(signer.refusal(product.clock.now()).await, None);
    let (mut thief, mut elsewhere) = product.signed_in("thief").await;

    move_key(&product.store, &key, &thief.uin.to_string()).await;
    assert_eq!(signer.refusal(product.clock.now()).await.as_deref(), Some("InternalError"));
    let show = format!("/cam/capi/keys/{key}/show");
    let code = thief.code(&product);
    let fields = [("password", crate::support::owner::PASSWORD), ("code", code.as_str())];
    elsewhere.submit(&show, &show, &fields).await.leads_to("/cam/capi#secret");
    elsewhere.get("/cam/capi").await.is(500).does_not_say(&secret);
    // The owner no longer has such a key. Once moved back, it works as before.
    browser.get(&show).await.is(404);
    move_key(&product.store, &key, &owner.uin.to_string()).await;
    assert_eq!(signer.refusal(product.clock.now()).await, None);
}

/// A SecretKey and a TOTP seed are treated alike.
#[apply(on_both_engines!)]
async fn whatever_does_not_open_raises_the_alarm(engine: Engine) {
    let store = Store::new(engine).await;
    let mut accounts = Vec::new();
    for name in ["root", "thief"] {
        let made = run(latchkey(&store, &["account", "create", name, "--password-stdin", "--json"]), PASSWORD);
        accounts.push(serde_json::from_slice::<Value>(&made.stdout).unwrap()["uin"].as_str().unwrap().to_owned());
    }
    let log = store.dir.path().join("log");
    let mut command = latchkey(&store, &["--console", "127.0.0.1:0", "--api", "127.0.0.1:0"]);
    command.env("RUST_LOG", "error").stderr(std::fs::File::create(&log).unwrap());
    let mut server = Server::spawn(command);
    let db = store.db().await;
    let (one, other) = (&accounts[0], &accounts[1]);
    statement(
        &db,
        &format!(
            "update account set totp_seed = (select totp_seed from account where uin = {other})
            where uin = {one}"
        ),
    )
    .await;
    let key = format!("AKID{}", "7".repeat(32));
    statement(&db, &format!("insert into api_key (secret_id, uin, slot, state, secret, secret_key_version, created_at,
                state_changed_at, change_number)
            select '{key}', {one}, 1, 'enabled', sealed, key_version, 0, 0, (select number + 1 from key_change) from data_key
            where name = 'form'")).await;
    statement(&db, "update key_change set number = number + 1").await;

    let mut browser = Browser::new(format!("http://localhost:{}", server.console.port()));
    browser.submit("/login", "/login", &[("name", "root"), ("password", PASSWORD)]).await.leads_to("/login/code");
    browser.submit("/login/code", "/login/code", &[("kind", "totp"), ("code", "123456")]).await.is(500);
    let signer = Signer::new(server.api, &key, "x");
    assert_eq!(signer.refusal(Clock::system().now()).await.as_deref(), Some("InternalError"));
    server.terminate();

    let alarms = alarms(&log);
    let places: Vec<_> = alarms
        .iter()
        .map(|alarm| ["table", "column", "row"].map(|part| alarm[part].as_str().unwrap().to_owned()))
        .collect();
    assert!(places.contains(&["account", "totp_seed", one].map(str::to_owned)), "{alarms:?}");
    assert!(places.contains(&["api_key", "secret", &key].map(str::to_owned)), "{alarms:?}");
}

/// Every column of the schema that has a version of the master key is resealed and counted.
#[apply(on_both_engines!)]
async fn every_sealed_column_is_known(engine: Engine) {
    let product = Product::start(engine).await;
    let (mut owner, mut browser) = product.signed_in("root").await;
    browser.create_key().await;
    let replace = "/cam/security/authenticator";
    let code = owner.code(&product);
    let fields = [("password", crate::support::owner::PASSWORD), ("code", code.as_str())];
    browser.submit(replace, replace, &fields).await.leads_to("/cam/security/authenticator/new");
    // Two data keys, the authenticator, the pending one, and the key.
    assert_eq!(count(&product.app.db, 1, 1).await.unwrap(), 5);
    let schema = include_str!("../../migrations/0001_initial.sql");
    let columns = schema.lines().filter(|line| line.trim_start().split(' ').next().unwrap().ends_with("key_version"));
    assert_eq!(columns.count(), COLUMNS.len());
}

/// An enrolment that was begun before a change of the master key can be completed on servers that have only the new
/// one.
#[apply(on_both_engines!)]
async fn a_pending_authenticator_outlives_the_master_key(engine: Engine) {
    let product = Product::start(engine).await;
    let (mut owner, mut browser) = product.signed_in("root").await;
    let (replace, confirm) = ("/cam/security/authenticator", "/cam/security/authenticator/new");
    let code = owner.code(&product);
    let fields = [("password", crate::support::owner::PASSWORD), ("code", code.as_str())];
    browser.submit(replace, replace, &fields).await.leads_to(confirm);
    let seed = |page: &crate::support::Page| page.between("class=\"seed\">", "<").unwrap();
    let before = seed(&browser.get(confirm).await);
    assert!(run(latchkey(&product.store, &["master-key", "rotate"]), "").status.success());
    let new = product.sibling().await;
    let mut there = browser.at(new.url());
    let page = there.get(confirm).await;
    assert_eq!(seed(&page), before);
    let bytes = data_encoding::BASE32_NOPAD.decode(before.replace(' ', "").as_bytes()).unwrap();
    let code = latchkey::secret::totp::Seed::from_bytes(&bytes).unwrap().code_at(product.clock.now());
    there.post(confirm, &page.form_token(), &[("code", &code)]).await.leads_to("/cam/security");
    assert_eq!(count(&product.app.db, 1, 2).await.unwrap(), 3, "it does not wait any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_key_is_found_by_the_record() {
    let product = Product::start(Engine::Sqlite).await;
    let (_, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    let (thief, _) = product.signed_in("thief").await;
    move_key(&product.store, &key, &thief.uin.to_string()).await;
    let verdict = product.app.audit.verify(&product.app.db, None).await.unwrap();
    let latchkey::audit::Verdict::Broken { how, .. } = verdict else { panic!("{verdict:?}") };
    assert!(how.contains(&key), "{how}");
}
