//! The health of an account's keys: advice on `/cam/capi`, the page of a key with its snippets, rotation, and the
//! emergency stop.

use std::time::Duration;

use latchkey::audit::Verdict;
use latchkey::db::audit as chain;
use latchkey::db::freshness::Reader;

use crate::support::browser::key_ids;
use crate::support::owner::PASSWORD;
use crate::support::signer::{Call, Signer, error_code};
use crate::support::{Browser, Engine, Owner, Page, Product};

const STOP: &str = "/cam/capi/disable-all";

async fn with_owner(engine: Engine) -> (Product, Owner, Browser) {
    let product = Product::start(engine).await;
    let (owner, browser) = product.signed_in("root").await;
    (product, owner, browser)
}

/// A signer with the key's current secret.
async fn signer(product: &Product, owner: &mut Owner, browser: &mut Browser, key: &str) -> Signer {
    let secret = owner.reveal(product, browser, key).await;
    Signer::new(product.api, key, &secret)
}

async fn call(product: &Product, signer: &Signer) {
    assert_eq!(signer.refusal(product.clock.now()).await, None);
}

/// Moves the clock. Sessions do not last that long, so the owner signs in again.
async fn days_later(product: &Product, owner: &mut Owner, days: u64) -> Browser {
    product.advance(Duration::from_hours(24 * days));
    owner.sign_in(product).await
}

fn key_path(key: &str, act: &str) -> String {
    format!("/cam/capi/keys/{key}/{act}")
}

/// Only the advice above the table.
async fn advice(browser: &mut Browser) -> Page {
    let page = browser.get("/cam/capi").await;
    let body = page.between("<ul class=\"health\"", "</ul>").unwrap_or_default();
    Page { body, ..page }
}

/// The page of the rotation, and for each step whether nothing is left to do.
async fn steps(browser: &mut Browser, key: &str) -> (Page, Vec<bool>) {
    let page = browser.get(&key_path(key, "rotate")).await;
    page.is_account_page();
    let list = page.between("<ol class=\"rotation\"", "</ol>").unwrap();
    let done =
        list.split("</h2>").skip(1).map(|step| step.trim_start().starts_with("<span class=\"state on\">")).collect();
    (page, done)
}

async fn in_rotation(browser: &mut Browser, key: &str, action: &str) -> Page {
    let page = key_path(key, "rotate");
    browser.submit(&page, action, &[("rotation", key)]).await.leads_to(&page);
    browser.get(&page).await
}

async fn change_number(product: &Product) -> i64 {
    Reader::open(&product.app.db).await.unwrap().latest().await.unwrap().number
}

/// The keys whose disabling is recorded. The chain must be intact.
async fn recorded_disables(product: &Product) -> Vec<String> {
    let verdict = product.app.audit.verify(&product.app.db, None).await.unwrap();
    assert!(matches!(verdict, Verdict::Intact { .. }), "{verdict:?}");
    let rows = chain::page(&product.app.db, 0, 1000).await.unwrap();
    rows.into_iter()
        .filter(|row| row.action == "key.disable" && row.result == "done")
        .filter_map(|row| row.target)
        .collect()
}

#[apply(on_both_engines!)]
async fn advice_on_a_key_comes_and_goes_with_the_clock(engine: Engine) {
    let (product, mut owner, mut browser) = with_owner(engine).await;
    let key = browser.create_key().await;
    let signer = signer(&product, &mut owner, &mut browser, &key).await;
    let created = product.clock.now();
    advice(&mut browser).await.does_not_say(&key);
    product.clock.set(created.plus(Duration::from_hours(24)));
    let mut browser = owner.sign_in(&product).await;
    advice(&mut browser).await.says("has never been used").says(&format!("href=\"/cam/capi/keys/{key}\""));
    call(&product, &signer).await;
    advice(&mut browser).await.does_not_say(&key);

    let mut browser = days_later(&product, &mut owner, 88).await;
    call(&product, &signer).await;
    advice(&mut browser).await.does_not_say(&key);
    let mut browser = days_later(&product, &mut owner, 1).await;
    advice(&mut browser).await.says("is 90 days old").says(&format!("href=\"{}\"", key_path(&key, "rotate")));

    let mut browser = days_later(&product, &mut owner, 89).await;
    advice(&mut browser)
        .await
        .says("has not been used for 90 days")
        .says(&format!("href=\"{}\"", key_path(&key, "disable")))
        .does_not_say("days old");
    call(&product, &signer).await;
    advice(&mut browser).await.says("days old").does_not_say("not been used");
    browser.operate(&key_path(&key, "disable"), &[]).await;
    advice(&mut browser).await.does_not_say(&key);
}

#[apply(on_both_engines!)]
async fn advice_on_the_account_comes_and_goes(engine: Engine) {
    let (product, owner, mut browser) = with_owner(engine).await;
    advice(&mut browser)
        .await
        .says("only device you can sign in with")
        .does_not_say("recovery codes left")
        .does_not_say("finish the rotation");
    let first = browser.create_key().await;
    product.advance(Duration::from_secs(1));
    let second = browser.create_key().await;
    advice(&mut browser).await.says("finish the rotation").says(&format!("href=\"{}\"", key_path(&first, "rotate")));
    browser.operate(&key_path(&second, "disable"), &[]).await;
    advice(&mut browser)
        .await
        .says("is disabled. If nothing needs it")
        .says(&format!("href=\"{}\"", key_path(&second, "delete")));
    browser.operate(&key_path(&second, "delete"), &[]).await;
    advice(&mut browser).await.does_not_say("finish the rotation").does_not_say("is disabled");

    for (spent, code) in owner.recovery_codes.iter().enumerate() {
        let mut browser = product.browser();
        owner.give_password(&mut browser).await;
        browser.submit("/login/code", "/login/code", &[("kind", "recovery"), ("code", code)]).await.is(303);
        let page = advice(&mut browser).await;
        match 9 - spent {
            0 => page.says("You have no recovery codes left"),
            1 => page.says("You have 1 recovery code left"),
            left @ 2..=3 => {
                page.says(&format!("{left} recovery codes left")).says("href=\"/cam/security/recovery-codes\"")
            }
            _ => page.does_not_say("recovery code left").does_not_say("recovery codes left"),
        };
    }
}

#[apply(on_both_engines!)]
async fn a_keys_page_tells_its_age_and_takes_a_remark(engine: Engine) {
    let (product, mut owner, mut browser) = with_owner(engine).await;
    let key = browser.create_key().await;
    let page = format!("/cam/capi/keys/{key}");
    browser.get(&page).await.is_account_page().says("less than a day old").does_not_say("Older than 90 days");
    let remark = key_path(&key, "remark");
    browser.submit(&page, &remark, &[("remark", "Night shift"), ("key", &key)]).await.leads_to(&page);
    browser.get(&page).await.says("was saved").says("Night shift");
    let elsewhere = [("remark", "x"), ("key", "//evil.example")];
    browser.submit(&page, &remark, &elsewhere).await.is(422);
    browser.get(&page).await.says("Night shift");

    let mut browser = days_later(&product, &mut owner, 89).await;
    browser.get(&page).await.says("89 days old").does_not_say("Older than 90 days");
    let mut browser = days_later(&product, &mut owner, 1).await;
    browser
        .get(&page)
        .await
        .says("90 days old")
        .says("Older than 90 days")
        .says(&format!("href=\"{}\"", key_path(&key, "rotate")));
}

#[apply(on_both_engines!)]
async fn snippets_hold_id_and_endpoint_and_never_the_secret(engine: Engine) {
    let (product, mut owner, mut browser) = with_owner(engine).await;
    let key = browser.create_key().await;
    let secret = owner.reveal(&product, &mut browser, &key).await;
    let path = format!("/cam/capi/keys/{key}");
    let port = product.api.port();
    let page = browser.get(&path).await;
    page.does_not_say(&secret);
    page.says(&format!("export TENCENTCLOUD_SECRET_ID={key}\nread -rs TENCENTCLOUD_SECRET_KEY"));
    page.says(&format!("--endpoint http://localhost:{port}\n"));
    page.says(&format!("Credential(\"{key}\", os.environ[\"TENCENTCLOUD_SECRET_KEY\"])"));
    page.says(&format!("HttpProfile(protocol=\"http\", endpoint=\"localhost:{port}\")"));
    page.says(&format!("secretId: '{key}', secretKey: process.env.TENCENTCLOUD_SECRET_KEY"));
    page.says(&format!("protocol: 'http://', endpoint: 'localhost:{port}'"));
    page.says(&format!("latchkey sign --url http://localhost:{port}/ | sh"));
    page.says(&format!("proxy_pass http://localhost:{port}/forward-auth;\n")).does_not_say("proxy_ssl");
    // With the host name by which the console is reached.
    let mut browser = browser.at(format!("http://127.0.0.1:{}", product.console.port()));
    browser.get(&path).await.says(&format!("--url http://127.0.0.1:{port}/"));
}

#[apply(on_both_engines!)]
async fn a_rotation_goes_through_its_steps(engine: Engine) {
    let (product, mut owner, mut browser) = with_owner(engine).await;
    let old = browser.create_key().await;
    let old_signer = signer(&product, &mut owner, &mut browser, &old).await;
    call(&product, &old_signer).await;
    let (page, done) = steps(&mut browser, &old).await;
    assert_eq!(done, [false; 4]);
    page.says("Both keys work side by side").does_not_say(&format!("action=\"{}\"", key_path(&old, "disable")));

    // The new key.
    product.advance(Duration::from_secs(1));
    in_rotation(&mut browser, &old, "/cam/capi/keys").await.says("was created");
    let new = key_ids(&browser.get("/cam/capi").await).pop().unwrap();
    let (page, done) = steps(&mut browser, &old).await;
    assert_eq!(done, [true, false, false, false]);
    in_rotation(&mut browser, &old, &key_path(&old, "disable")).await.says("refused from now on");
    assert_eq!(steps(&mut browser, &old).await.1, [true, false, true, false], "disabled before the new one was used");
    in_rotation(&mut browser, &old, &key_path(&old, "enable")).await.says("accepted again");
    page.says("still in use")
        .says("GetCallerIdentity · 127.0.0.1")
        .says("<span class=\"address\">127.0.0.1</span>")
        .says(&new);
    let (page, done) = steps(&mut browser, &new).await;
    assert_eq!(done, [false; 4]);
    page.says("Your other key is older").says(&key_path(&old, "rotate"));

    // The new key is used, and the old one no longer is.
    let new_signer = signer(&product, &mut owner, &mut browser, &new).await;
    call(&product, &new_signer).await;
    call(&product, &new_signer).await;
    let (page, done) = steps(&mut browser, &old).await;
    assert_eq!(done, [true, false, false, false], "the old one is called too");
    let side = |side: &str| page.between(&format!("<section aria-labelledby=\"{side}\">"), "</section>").unwrap();
    assert!(side("old").contains("24 hours</dt><dd class=\"num\">1<"), "{}", side("old"));
    assert!(side("new").contains("24 hours</dt><dd class=\"num\">2<"), "{}", side("new"));
    let mut browser = days_later(&product, &mut owner, 2).await;
    let (page, done) = steps(&mut browser, &old).await;
    assert_eq!(done, [true, true, false, false]);
    page.says("has had no accepted calls in the last 24 hours").does_not_say("still in use");

    // Disabled, enabled again, disabled.
    page.says(&format!("href=\"{}\"", key_path(&new, "show")));
    in_rotation(&mut browser, &old, &key_path(&old, "disable")).await.says("refused from now on");
    assert!(old_signer.refusal(product.clock.now()).await.is_some());
    call(&product, &new_signer).await;
    let (page, done) = steps(&mut browser, &old).await;
    assert_eq!(done, [true, true, true, false]);
    page.says("1 call has been refused since").says(&format!("href=\"{}\"", key_path(&old, "delete")));
    in_rotation(&mut browser, &old, &key_path(&old, "enable")).await.says("accepted again");
    call(&product, &old_signer).await;
    assert_eq!(steps(&mut browser, &old).await.1, [true, false, false, false]);
    in_rotation(&mut browser, &old, &key_path(&old, "disable")).await;

    browser.operate(&key_path(&old, "delete"), &[]).await.says("was deleted").does_not_say(&old);
    browser.get(&key_path(&old, "rotate")).await.is(404);
    call(&product, &new_signer).await;
}

#[apply(on_both_engines!)]
async fn a_rotation_needs_room_and_an_own_key(engine: Engine) {
    let (product, _owner, mut browser) = with_owner(engine).await;
    let (_, mut other) = product.signed_in("other").await;
    let foreign = other.create_key().await;
    browser.get(&key_path(&foreign, "rotate")).await.is(404).says("There is no such key in this account");
    browser.get(&key_path("nonsense", "rotate")).await.is(404);

    let old = browser.create_key().await;
    product.advance(Duration::from_secs(1));
    let spare = browser.create_key().await;
    browser.operate(&key_path(&spare, "disable"), &[]).await;
    let (page, done) = steps(&mut browser, &old).await;
    assert_eq!(done, [false; 4]);
    let delete = format!("{}?rotation={old}", key_path(&spare, "delete"));
    page.says("There is no room for a new key").says(&format!("href=\"{delete}\""));
    // Cancelling leads back to the rotation.
    browser.get(&delete).await.says(&format!("href=\"{}\"", key_path(&old, "rotate")));
    in_rotation(&mut browser, &old, &key_path(&spare, "enable")).await.says("accepted again");
    let (page, done) = steps(&mut browser, &old).await;
    assert_eq!(done, [true, true, false, false]);
    page.says("Nothing has ever called the old key").says("Not needed").does_not_say("There is no room");
}

#[apply(on_both_engines!)]
async fn all_keys_are_disabled_at_once_and_enabled_after_a_step_up(engine: Engine) {
    let (product, mut owner, mut browser) = with_owner(engine).await;
    let (mut neighbour, mut next_door) = product.signed_in("other").await;
    let foreign = next_door.create_key().await;
    let foreign = signer(&product, &mut neighbour, &mut next_door, &foreign).await;
    browser.get("/cam/capi").await.does_not_say(STOP);
    let one = browser.create_key().await;
    product.advance(Duration::from_secs(1));
    let two = browser.create_key().await;
    let signers = [
        signer(&product, &mut owner, &mut browser, &one).await,
        signer(&product, &mut owner, &mut browser, &two).await,
    ];
    for signer in &signers {
        call(&product, signer).await;
    }
    // Past the window of the reveals.
    product.advance(Duration::from_mins(5));
    browser.get("/cam/capi").await.says(&format!("href=\"{STOP}\""));
    browser
        .get(STOP)
        .await
        .is_account_page()
        .says("Disable all keys?")
        .says(&one)
        .says(&two)
        .says("GetCallerIdentity · 127.0.0.1")
        .does_not_say("name=\"password\"");

    // Stopping is safe, so it takes no proof.
    let before = change_number(&product).await;
    browser.submit(STOP, STOP, &[]).await.leads_to("/cam/capi");
    for signer in &signers {
        assert_eq!(signer.refusal(product.clock.now()).await.as_deref(), Some("AuthFailure.SecretIdNotFound"));
    }
    call(&product, &foreign).await;
    let page = browser.get("/cam/capi").await;
    page.says("2 keys were disabled").says("by the emergency stop").does_not_say(STOP);
    assert_eq!(change_number(&product).await, before + 2);
    assert_eq!(recorded_disables(&product).await, [one.clone(), two.clone()]);

    // None is enabled: nothing happens.
    browser.get(STOP).await.leads_to("/cam/capi");
    browser.get("/cam/capi").await.says("No key was enabled");
    browser.submit("/cam/capi", STOP, &[]).await.leads_to("/cam/capi");
    browser.get("/cam/capi").await.says("No key was enabled");
    assert_eq!((change_number(&product).await, recorded_disables(&product).await.len()), (before + 2, 2));

    // Starting again is what needs proof.
    let enable = key_path(&two, "enable");
    next_door.get(&enable).await.is(404);
    browser.submit("/cam/capi", &enable, &[]).await.leads_to(&enable);
    browser.get(&enable).await.is_account_page().says("Enable this key again?").says("name=\"password\"");
    let code = owner.code(&product);
    let wrong = browser.submit(&enable, &enable, &[("password", "wrong"), ("code", &code)]).await;
    wrong.is(422).says("id=\"password-error\"").says(&two);
    browser.submit(&enable, &enable, &[("password", PASSWORD), ("code", "000000")]).await.is(422);
    assert!(signers[1].refusal(product.clock.now()).await.is_some());
    browser.submit(&enable, &enable, &[("password", PASSWORD), ("code", &code)]).await.leads_to("/cam/capi");
    browser.get("/cam/capi").await.says("accepted again");
    call(&product, &signers[1]).await;
    // A program cannot do it with the key that is enabled.
    let parameters = serde_json::json!({ "AccessKeyId": one, "Status": "Active" });
    let now = product.clock.now();
    let update = Call { action: "UpdateAccessKey", body: parameters.to_string(), ..Call::list_keys(now) };
    let refused = signers[1].send(&update).await;
    assert_eq!(error_code(&refused).as_deref(), Some("AuthFailure.UnauthorizedOperation"), "{refused}");

    // A key that is disabled by itself is enabled without proof, on the page of the keys.
    browser.get(&enable).await.leads_to("/cam/capi");
    product.advance(Duration::from_mins(6));
    browser.operate(&key_path(&two, "disable"), &[]).await;
    browser.operate(&key_path(&two, "enable"), &[]).await.says("accepted again");
    browser.get(STOP).await.says(&two).does_not_say(&one);
    browser.submit(STOP, STOP, &[]).await.leads_to("/cam/capi");
    browser.get("/cam/capi").await.says("1 key was disabled");
    for signer in &signers {
        assert_eq!(signer.refusal(product.clock.now()).await.as_deref(), Some("AuthFailure.SecretIdNotFound"));
    }
}

/// Every process refuses the keys, not only the one that was asked to.
#[apply(on_both_engines!)]
async fn a_sibling_refuses_all_keys_too(engine: Engine) {
    let (product, mut owner, mut browser) = with_owner(engine).await;
    let sibling = product.sibling().await;
    let key = browser.create_key().await;
    let secret = owner.reveal(&product, &mut browser, &key).await;
    let there = Signer::new(sibling.api, &key, &secret);
    call(&product, &there).await;
    browser.submit(STOP, STOP, &[]).await.leads_to("/cam/capi");
    assert!(there.refusal(product.clock.now()).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_address_of_the_api_is_in_the_snippets() {
    let product = Product::start_with(Engine::Sqlite, |mut given| {
        given.api_public_url = Some("https://api.keys.example".parse().unwrap());
        given
    })
    .await;
    let (_, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    let page = browser.get(&format!("/cam/capi/keys/{key}")).await;
    page.says("--endpoint api.keys.example\n").says("endpoint=\"api.keys.example\"").says("protocol: 'https://'");
    page.says("--url https://api.keys.example/ ").says("proxy_pass https://api.keys.example/forward-auth;\n");
    page.says("proxy_ssl_verify on;").does_not_say("http://api.keys.example").does_not_say("localhost:");
}
