//! `/cam/capi`: the life cycle of a key pair on the page.

use std::time::Duration;

use crate::support::browser::key_ids;
use crate::support::owner::PASSWORD;
use crate::support::{Browser, Engine, Product};

async fn with_owner(engine: crate::support::Engine) -> (Product, crate::support::Owner, Browser) {
    let product = Product::start(engine).await;
    let (owner, browser) = product.signed_in("root").await;
    (product, owner, browser)
}

#[apply(on_both_engines!)]
async fn a_pair_from_creation_to_deletion(engine: Engine) {
    let (product, mut owner, mut browser) = with_owner(engine).await;
    let page = browser.operate("/cam/capi/keys", &[]).await;
    page.says("was created and is enabled").says("Never").says("Enabled");
    assert_eq!(page.secret(), None, "creating shows no secret");
    let key = key_ids(&page)[0].clone();
    assert!(key.starts_with("AKID") && key.len() == 36);

    let secret = owner.reveal(&product, &mut browser, &key).await;
    assert!(secret.len() == 32 && secret.bytes().all(|b| b.is_ascii_alphanumeric()));
    assert_eq!(browser.get("/cam/capi").await.secret(), None, "a reload masks it");

    let path = |action: &str| format!("/cam/capi/keys/{key}/{action}");
    browser.get(&path("disable")).await.is_account_page().says("Disable this key?").says("Calls in the last 24 hours");
    browser.operate(&path("disable"), &[]).await.says("refused from now on").says("Disabled");
    browser.operate(&path("disable"), &[]).await.says("was already disabled");
    browser.get(&path("disable")).await.leads_to("/cam/capi");
    browser.operate(&path("enable"), &[]).await.says("accepted again");
    browser.operate(&path("enable"), &[]).await.says("was already enabled");
    browser.operate(&path("delete"), &[]).await.says("because it is enabled. Disable it first");
    browser.get(&path("delete")).await.leads_to("/cam/capi");
    browser.operate(&path("disable"), &[]).await;
    browser.get(&path("delete")).await.is_account_page().says("cannot be recovered").says(&key);
    browser.operate(&path("delete"), &[]).await.says("was deleted").says("No keys yet");
    for action in ["disable", "enable", "delete", "show"] {
        let page = browser.submit("/cam/capi", &path(action), &[]).await;
        page.is(404).says("may have been deleted");
    }
}

#[apply(on_both_engines!)]
async fn the_limit_is_two_and_disabled_keys_count(engine: Engine) {
    let (_product, _owner, mut browser) = with_owner(engine).await;
    let first = browser.create_key().await;
    browser.create_key().await;
    let page = browser.get("/cam/capi").await;
    page.says("<button class=\"primary\" disabled").says("A root account can have at most two keys");
    browser.operate("/cam/capi/keys", &[]).await.says("already have two keys");
    browser.operate(&format!("/cam/capi/keys/{first}/disable"), &[]).await;
    browser.operate("/cam/capi/keys", &[]).await.says("already have two keys");
    browser.operate(&format!("/cam/capi/keys/{first}/delete"), &[]).await;
    browser.operate("/cam/capi/keys", &[]).await.says("was created");
    assert_eq!(key_ids(&browser.get("/cam/capi").await).len(), 2);
}

/// Attack 17: fifty creates at the same time, on one process and on two.
#[apply(on_both_engines!)]
async fn fifty_creates_at_once_make_two_keys(engine: Engine) {
    let (product, _owner, mut browser) = with_owner(engine).await;
    let sibling = product.sibling().await;
    let token = browser.get("/cam/capi").await.form_token();
    let elsewhere = browser.at(sibling.url());
    let creates: Vec<_> = (0..50)
        .map(|at| {
            let mut browser = if at % 2 == 0 { browser.clone() } else { elsewhere.clone() };
            let token = token.clone();
            tokio::spawn(async move { browser.post("/cam/capi/keys", &token, &[]).await.status })
        })
        .collect();
    for create in creates {
        assert_eq!(create.await.unwrap().as_u16(), 303);
    }
    assert_eq!(key_ids(&browser.get("/cam/capi").await).len(), 2);
}

#[apply(on_both_engines!)]
async fn showing_asks_for_password_and_code(engine: Engine) {
    let (product, mut owner, mut browser) = with_owner(engine).await;
    let key = browser.create_key().await;
    let show = format!("/cam/capi/keys/{key}/show");
    browser.get(&show).await.is_account_page().says("Verify your identity");
    browser.submit("/cam/capi", &show, &[]).await.leads_to(&show);
    let code = owner.code(&product);
    let wrong = browser.submit(&show, &show, &[("password", "wrong"), ("code", &code)]).await;
    wrong.is(422).says("id=\"password-error\"");
    let wrong = browser.submit(&show, &show, &[("password", PASSWORD), ("code", "000000")]).await;
    wrong.is(422).says("id=\"code-error\"").does_not_say(PASSWORD);
    // The script of the pop-up gets the errors by field name.
    let token = browser.get("/cam/capi").await.form_token();
    let form = [("form_token", token.as_str()), ("password", PASSWORD), ("code", "000000")];
    let request = browser.request(reqwest::Method::POST, &show).header("accept", "application/json").form(&form);
    let told = browser.send(request).await;
    let told: serde_json::Value = serde_json::from_str(&told.is(422).body).unwrap();
    assert!(told["fields"]["code"].as_str().unwrap().contains("code is wrong"), "{told}");
    assert_eq!(told["fields"].as_object().unwrap().len(), 1, "{told}");
    assert_eq!(browser.get("/cam/capi").await.secret(), None);
    // The code that was sent with the wrong password has not been spent.
    let fields = [("password", PASSWORD), ("code", code.as_str())];
    browser.submit(&show, &show, &fields).await.leads_to("/cam/capi#secret");
    assert!(browser.get("/cam/capi").await.secret().is_some());

    // Within the window, nothing is asked for; after it, everything is.
    product.advance(Duration::from_secs(299));
    browser.submit("/cam/capi", &show, &[]).await.leads_to("/cam/capi#secret");
    assert!(browser.get("/cam/capi").await.secret().is_some());
    product.advance(Duration::from_secs(1));
    browser.submit("/cam/capi", &show, &[]).await.leads_to(&show);
    assert_eq!(browser.get("/cam/capi").await.secret(), None);
}

#[apply(on_both_engines!)]
async fn one_reveal_is_one_look_within_a_minute(engine: Engine) {
    let (product, mut owner, mut browser) = with_owner(engine).await;
    let key = browser.create_key().await;
    let show = format!("/cam/capi/keys/{key}/show");
    let code = owner.code(&product);
    browser.submit("/cam/capi", &show, &[("password", PASSWORD), ("code", &code)]).await.is(303);
    let looks: Vec<_> = (0..8)
        .map(|_| {
            let mut browser = browser.clone();
            tokio::spawn(async move { browser.get("/cam/capi").await.secret().is_some() })
        })
        .collect();
    let mut shown = 0;
    for look in looks {
        shown += usize::from(look.await.unwrap());
    }
    assert_eq!(shown, 1);
    browser.submit("/cam/capi", &show, &[]).await.is(303);
    product.advance(Duration::from_mins(1));
    assert_eq!(browser.get("/cam/capi").await.secret(), None);
}

#[apply(on_both_engines!)]
async fn verifying_in_one_tab_leaves_the_forms_of_others_alone(engine: Engine) {
    let (product, mut owner, mut browser) = with_owner(engine).await;
    let key = browser.create_key().await;
    let other_tab = browser.get("/cam/capi").await.form_token();
    owner.reveal(&product, &mut browser, &key).await;
    let disabled = browser.post(&format!("/cam/capi/keys/{key}/disable"), &other_tab, &[]).await;
    disabled.leads_to("/cam/capi");
}

#[apply(on_both_engines!)]
async fn a_window_of_zero_asks_every_time(engine: Engine) {
    let product = Product::start_with(engine, |mut given| {
        given.verification_window = Some("0".parse().unwrap());
        given
    })
    .await;
    let (mut owner, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    for _ in 0..2 {
        owner.reveal(&product, &mut browser, &key).await;
        let show = format!("/cam/capi/keys/{key}/show");
        browser.submit("/cam/capi", &show, &[]).await.leads_to(&show);
    }
}

/// Attack 2, for verification: ten wrong codes, then a wait.
#[apply(on_both_engines!)]
async fn wrong_codes_of_verification_count(engine: Engine) {
    let (product, mut owner, mut browser) = with_owner(engine).await;
    let key = browser.create_key().await;
    let show = format!("/cam/capi/keys/{key}/show");
    for _ in 0..10 {
        browser.submit(&show, &show, &[("password", PASSWORD), ("code", "000000 ")]).await.is(422);
    }
    let code = owner.code(&product);
    let fields = [("password", PASSWORD), ("code", code.as_str())];
    browser.submit(&show, &show, &fields).await.is(422);
    product.advance(Duration::from_mins(61));
    let mut browser = owner.sign_in(&product).await;
    owner.reveal(&product, &mut browser, &key).await;
}

/// Attack 16: another account's key, a deleted key and an invented key lead to the same 404.
#[apply(on_both_engines!)]
async fn keys_of_others_do_not_exist(engine: Engine) {
    let (product, mut owner, mut browser) = with_owner(engine).await;
    let (_, mut other) = product.signed_in("other").await;
    let foreign = other.create_key().await;
    let deleted = browser.create_key().await;
    browser.operate(&format!("/cam/capi/keys/{deleted}/disable"), &[]).await;
    browser.operate(&format!("/cam/capi/keys/{deleted}/delete"), &[]).await;
    let invented = "AKIDaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned();
    let code = owner.code(&product);
    for id in [&foreign, &deleted, &invented, &"nonsense".to_owned()] {
        for action in ["show", "disable", "enable", "delete", "remark"] {
            let path = format!("/cam/capi/keys/{id}/{action}");
            let fields = [("remark", "x"), ("password", PASSWORD), ("code", code.as_str())];
            let page = browser.submit("/cam/capi", &path, &fields).await;
            page.is(404).says("There is no such key in this account");
            browser.get(&format!("/cam/capi/keys/{id}")).await.is(404).says("There is no such key in this account");
            if matches!(action, "show" | "disable" | "delete") {
                browser.get(&path).await.is(404).says("There is no such key in this account");
            }
        }
    }
    other.get("/cam/capi").await.says(&foreign).says("Enabled");
}

#[apply(on_both_engines!)]
async fn a_remark_is_edited_in_place(engine: Engine) {
    let (_product, _owner, mut browser) = with_owner(engine).await;
    let key = browser.create_key().await;
    let path = format!("/cam/capi/keys/{key}/remark");
    browser
        .operate(&path, &[("remark", "店铺 <script>alert(1)</script> & co")])
        .await
        .says("店铺 &#60;script&#62;alert(1)&#60;/script&#62; &#38; co")
        .does_not_say("<script>alert");
    let long = "x".repeat(1025);
    let refused = browser.submit("/cam/capi", &path, &[("remark", &long)]).await;
    refused.is(422).says("at most 1024 characters").says(&long);
    browser.get("/cam/capi").await.says("店铺");
    browser.operate(&path, &[("remark", "  ")]).await.does_not_say("店铺");
}

#[apply(on_both_engines!)]
async fn the_secret_is_destroyed_with_the_key(engine: Engine) {
    let (product, mut owner, mut browser) = with_owner(engine).await;
    let key = browser.create_key().await;
    owner.reveal(&product, &mut browser, &key).await;
    browser.operate(&format!("/cam/capi/keys/{key}/disable"), &[]).await;
    browser.operate(&format!("/cam/capi/keys/{key}/delete"), &[]).await;
    let mut reader = latchkey::db::freshness::Reader::open(&product.app.db).await.unwrap();
    let beginning = latchkey::db::freshness::Change { number: 0, mark: 0 };
    let rows = reader.changes(beginning, &(0, String::new())).await.unwrap().keys;
    assert_eq!(rows.len(), 1, "the tombstone");
    assert!(rows[0].sealed_secret.is_none());
}

/// Attack 11: the data contains no plain secret.
#[tokio::test(flavor = "multi_thread")]
async fn no_plain_secret_is_in_the_data() {
    let (product, mut owner, mut browser) = with_owner(crate::support::Engine::Sqlite).await;
    let key = browser.create_key().await;
    let secret = owner.reveal(&product, &mut browser, &key).await;
    let session = browser.session_cookie().unwrap().clone();
    let device = browser.cookies["__Host-latchkey-device"].clone();
    let seed = owner.seed.expose().to_vec();
    let code = owner.recovery_codes[0].clone();
    let data = product.store.dir.path().join("data");
    product.app.usage.flush().await;
    let mut files = 0;
    for entry in std::fs::read_dir(data).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        files += 1;
        for hidden in
            [secret.as_bytes(), PASSWORD.as_bytes(), &seed, code.as_bytes(), session.as_bytes(), device.as_bytes()]
        {
            assert!(!bytes.windows(hidden.len()).any(|window| window == hidden));
        }
    }
    assert!(files >= 3, "database, write-ahead log and master key");
}
