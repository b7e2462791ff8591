//! Passkeys, as far as they can be tested without an authenticator: who can request challenges, how many and for how
//! long, and the responses to everything that is not a passkey. `tests/browser/passkeys.test.js` tests the rest.

use std::time::Duration;

use latchkey::account::passkey_use::MOST_WAITING;
use latchkey::db::passkeys;
use latchkey::operate::accounts;
use latchkey::secret::token::TokenDigest;
use latchkey::types::clock::Timestamp;
use latchkey::types::id::Uin;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::owner::PASSWORD;
use crate::support::passkey::store;
use crate::support::{Browser, Engine, Owner, Page, Product};

const ASK: &str = "/login/passkey/options";
const SIGN_IN: &str = "/login/passkey";
const ASK_OWN: &str = "/cam/security/passkeys/options";
const ADD: &str = "/cam/security/passkeys/add";
const NEW: &str = "/cam/security/passkeys/new";
const ASK_NEW: &str = "/cam/security/passkeys/new/options";
const REFUSED: &str = "This passkey was not accepted";
const VICTIM: &[u8] = b"a credential id";

async fn signed_in(engine: Engine) -> (Product, Owner, Browser) {
    let product = Product::start(engine).await;
    let (owner, browser) = product.signed_in("root").await;
    (product, owner, browser)
}

/// A well-formed response to these options: with their challenge, but without a valid signature.
fn answer(options: &Value, uin: Uin, credential_id: &[u8]) -> String {
    let encode = |bytes: &[u8]| data_encoding::BASE64URL_NOPAD.encode(bytes);
    let client_data = json!({ "type": "webauthn.get", "challenge": options["publicKey"]["challenge"],
        "origin": "http://localhost:8080", "crossOrigin": false });
    let mut authenticator_data = Sha256::digest("localhost").to_vec();
    authenticator_data.extend([5, 0, 0, 0, 1]);
    let handle = u128::from(uin.0.unsigned_abs()).to_be_bytes();
    json!({ "id": encode(credential_id), "rawId": encode(credential_id), "type": "public-key",
        "clientExtensionResults": {}, "response": {
            "clientDataJSON": encode(client_data.to_string().as_bytes()),
            "authenticatorData": encode(&authenticator_data), "signature": encode(b"no signature"),
            "userHandle": encode(&handle) } })
    .to_string()
}

/// Requests a challenge, as the script of the page at `from` does.
async fn ask(browser: &mut Browser, from: &str, at: &str) -> Value {
    let page = browser.submit(from, at, &[]).await;
    assert_eq!(page.headers["content-type"], "application/json", "{}", page.body);
    page.is(200);
    serde_json::from_str(&page.body).unwrap()
}

async fn verify(product: &Product, owner: &mut Owner, browser: &mut Browser) {
    let code = owner.code(product);
    browser.submit(ADD, ADD, &[("password", PASSWORD), ("code", &code)]).await.leads_to(NEW);
}

async fn sign_in(browser: &mut Browser, passkey: &str) -> Page {
    browser.submit("/login", SIGN_IN, &[("passkey", passkey)]).await
}

async fn challenges(product: &Product) -> i64 {
    let count = "select count(*) from passkey_challenge";
    match &product.app.db {
        latchkey::db::Db::Sqlite(pool, _) => sqlx::query_scalar(count).fetch_one(pool).await.unwrap(),
        latchkey::db::Db::Postgres(pool) => sqlx::query_scalar(count).fetch_one(pool).await.unwrap(),
    }
}

#[apply(on_both_engines!)]
async fn what_the_browser_is_asked(engine: Engine) {
    let (product, mut owner, mut browser) = signed_in(engine).await;
    let mut stranger = product.browser();
    stranger.get("/login").await.says("Sign in with a passkey");
    let options = ask(&mut stranger, "/login", ASK).await;
    let public_key = &options["publicKey"];
    assert_eq!(public_key["rpId"], "localhost");
    assert_eq!(public_key["userVerification"], "required");
    assert_eq!(public_key["allowCredentials"], json!([]), "says nothing about any account");
    assert_ne!(ask(&mut stranger, "/login", ASK).await["publicKey"]["challenge"], public_key["challenge"]);

    verify(&product, &mut owner, &mut browser).await;
    let options = ask(&mut browser, NEW, ASK_NEW).await;
    let public_key = &options["publicKey"];
    assert_eq!(public_key["rp"], json!({ "id": "localhost", "name": "Latchkey" }));
    assert_eq!(public_key["user"]["name"], "root");
    let selection = &public_key["authenticatorSelection"];
    assert_eq!((&selection["userVerification"], &selection["residentKey"]), (&json!("required"), &json!("required")));

    // Only the account's own passkeys count.
    let (elsewhere, _) = product.signed_in("elsewhere").await;
    store(&product, elsewhere.uin, b"theirs", "theirs").await.unwrap();
    browser.submit(NEW, ASK_OWN, &[]).await.is(404);
    store(&product, owner.uin, b"mine", "mine").await.unwrap();
    let options = ask(&mut browser, NEW, ASK_OWN).await;
    let mine = json!([{ "type": "public-key", "id": "bWluZQ" }]);
    assert_eq!(options["publicKey"]["allowCredentials"], mine);
    assert_eq!(ask(&mut browser, NEW, ASK_NEW).await["publicKey"]["excludeCredentials"], mine);
}

#[apply(on_both_engines!)]
async fn nothing_without_the_form_token(engine: Engine) {
    let (product, mut owner, mut browser) = signed_in(engine).await;
    verify(&product, &mut owner, &mut browser).await;
    let handle = store(&product, owner.uin, VICTIM, "mine").await.unwrap();
    let own = ["name", "remove"].map(|act| format!("/cam/security/passkeys/{handle}/{act}"));
    for path in [ASK_OWN, ADD, NEW, ASK_NEW, &own[0], &own[1]] {
        browser.post(path, "", &[("name", "x"), ("passkey", "{}")]).await.is(403);
    }
    let mut stranger = product.browser();
    for path in [ASK, SIGN_IN] {
        stranger.post(path, "", &[("passkey", "{}")]).await.is(403);
        let foreign = stranger.request(Method::POST, path).header("origin", "https://elsewhere.example");
        stranger.send(foreign).await.is(403);
    }
    assert_eq!(challenges(&product).await, 0);
}

#[apply(on_both_engines!)]
async fn whatever_is_no_passkey_is_refused(engine: Engine) {
    let (product, mut owner, mut browser) = signed_in(engine).await;
    store(&product, owner.uin, VICTIM, "mine").await.unwrap();
    let deep = "[".repeat(10_000);
    let mut stranger = product.browser();
    // Without a challenge.
    sign_in(&mut stranger, "{}").await.is(422).says(REFUSED);
    for passkey in ["", "{", "null", "{}", "[]", "\u{0}", deep.as_str(), r#"{"id":1}"#] {
        ask(&mut stranger, "/login", ASK).await;
        sign_in(&mut stranger, passkey).await.is(422).says(REFUSED);
    }
    let options = ask(&mut stranger, "/login", ASK).await;
    sign_in(&mut stranger, &answer(&options, owner.uin, b"unknown")).await.is(422).says(REFUSED);
    stranger.submit("/login", SIGN_IN, &[]).await.is(422);
    stranger.get("/cam/capi").await.leads_to("/login");

    let key = browser.create_key().await;
    let show = format!("/cam/capi/keys/{key}/show");
    for passkey in ["", "{}", deep.as_str()] {
        ask(&mut browser, "/cam/capi", ASK_OWN).await;
        browser.submit(&show, &show, &[("passkey", passkey)]).await.is(422).says(REFUSED);
    }
    // A passkey is not half a proof: nothing else in the form makes up for a wrong one.
    product.advance(Duration::from_mins(1));
    let code = owner.code(&product);
    let both = [("passkey", "{}"), ("password", PASSWORD), ("code", code.as_str())];
    browser.submit(&show, &show, &both).await.is(422);
    assert!(browser.get("/cam/capi").await.secret().is_none());
    // The code has not been spent.
    browser.submit(&show, &show, &both[1..]).await.leads_to("/cam/capi#secret");

    verify(&product, &mut owner, &mut browser).await;
    for passkey in ["", "{}", deep.as_str()] {
        ask(&mut browser, NEW, ASK_NEW).await;
        browser.submit(NEW, NEW, &[("name", "x"), ("passkey", passkey)]).await.is(422).says("was not added");
    }
    // A response to another challenge.
    let options = ask(&mut browser, NEW, ASK_NEW).await;
    let other = answer(&options, owner.uin, VICTIM);
    browser.submit(&show, &show, &[("passkey", &other)]).await.is(422).says(REFUSED);
}

#[apply(on_both_engines!)]
async fn a_challenge_is_for_one_answer_and_five_minutes(engine: Engine) {
    let (product, owner, _browser) = signed_in(engine).await;
    store(&product, owner.uin, VICTIM, "mine").await.unwrap();
    let mut stranger = product.browser();
    let options = ask(&mut stranger, "/login", ASK).await;
    assert_eq!(challenges(&product).await, 1);
    let passkey = answer(&options, owner.uin, VICTIM);
    sign_in(&mut stranger, &passkey).await.is(422);
    assert_eq!(challenges(&product).await, 0, "a wrong answer takes it, too");
    sign_in(&mut stranger, &passkey).await.is(422);

    // Of ten responses at once, only one is checked.
    ask(&mut stranger, "/login", ASK).await;
    let token = stranger.get("/login").await.form_token();
    let tries = (0..10).map(|_| {
        let (mut stranger, token) = (stranger.clone(), token.clone());
        tokio::spawn(async move { stranger.post(SIGN_IN, &token, &[("passkey", "{}")]).await.status.as_u16() })
    });
    for tried in tries.collect::<Vec<_>>() {
        assert_eq!(tried.await.unwrap(), 422);
    }

    // A challenge belongs to one browser, and expires.
    let options = ask(&mut stranger, "/login", ASK).await;
    let mut other = product.browser();
    other.get("/login").await;
    sign_in(&mut other, &answer(&options, owner.uin, VICTIM)).await.is(422);
    assert_eq!(challenges(&product).await, 1, "somebody else does not take it");
    product.advance(Duration::from_mins(5));
    passkeys::purge(&product.app.db, product.clock.now()).await.unwrap();
    assert_eq!(challenges(&product).await, 0, "what is not answered is cleared out");
    let token = &TokenDigest::of("a token");
    passkeys::insert_challenge(&product.app.db, token, "{}", "x", Timestamp(100), 10).await.unwrap();
    assert!(passkeys::take_challenge(&product.app.db, token, Timestamp(100)).await.unwrap().is_none());
}

/// An anonymous client that requests many challenges: their number is limited, nothing else is kept, and known browsers
/// are not affected.
#[apply(on_both_engines!)]
async fn a_stranger_cannot_ask_without_end(engine: Engine) {
    let (product, owner, mut browser) = signed_in(engine).await;
    let most = MOST_WAITING;
    let sessions = async || {
        let count = "select count(*) from session";
        match &product.app.db {
            latchkey::db::Db::Sqlite(pool, _) => sqlx::query_scalar::<_, i64>(count).fetch_one(pool).await.unwrap(),
            latchkey::db::Db::Postgres(pool) => sqlx::query_scalar::<_, i64>(count).fetch_one(pool).await.unwrap(),
        }
    };
    let before = sessions().await;
    for _ in 0..most {
        ask(&mut product.browser(), "/login", ASK).await;
    }
    for _ in 0..3 {
        let refused = product.browser().submit("/login", ASK, &[]).await;
        refused.is(429);
        assert_eq!(refused.headers["retry-after"], "300");
    }
    assert_eq!((challenges(&product).await, sessions().await), (most, before), "a question makes no session");
    // A signed-in owner, or a browser that has signed in before, does not share the limit.
    store(&product, owner.uin, VICTIM, "mine").await.unwrap();
    let key = browser.create_key().await;
    ask(&mut browser, "/cam/capi", ASK_OWN).await;
    browser.submit("/cam/capi", "/logout", &[]).await;
    ask(&mut browser, "/login", ASK).await;
    assert!(!key.is_empty());
    // A response makes room, and so does the expiry.
    product.advance(Duration::from_mins(5));
    ask(&mut product.browser(), "/login", ASK).await;
}

/// Anonymous clients with any number of addresses evict the oldest challenges, not the newest.
#[apply(on_both_engines!)]
async fn of_all_questions_only_so_many_wait(engine: Engine) {
    let (product, _owner, _browser) = signed_in(engine).await;
    let of = |at: u8| TokenDigest::of(&at.to_string());
    for at in 1..=20_u8 {
        let asker = format!("address/192.0.2.{at}");
        passkeys::insert_challenge(&product.app.db, &of(at), "{}", &asker, Timestamp(i64::from(at)), 10).await.unwrap();
        assert!(challenges(&product).await <= 11);
    }
    let taken =
        async |at: u8| passkeys::take_challenge(&product.app.db, &of(at), Timestamp(0)).await.unwrap().is_some();
    assert!(taken(20).await && taken(11).await);
    assert!(!taken(1).await && !taken(9).await);
}

#[apply(on_both_engines!)]
async fn failed_uses_count_as_failed_tries(engine: Engine) {
    let (product, owner, mut browser) = signed_in(engine).await;
    store(&product, owner.uin, VICTIM, "mine").await.unwrap();
    // At verification, failures count like wrong passwords, so that the correct one has to wait as well.
    let key = browser.create_key().await;
    let show = format!("/cam/capi/keys/{key}/show");
    for _ in 0..5 {
        let options = ask(&mut browser, "/cam/capi", ASK_OWN).await;
        let passkey = answer(&options, owner.uin, VICTIM);
        browser.submit(&show, &show, &[("passkey", &passkey)]).await.is(422).says(REFUSED);
    }
    let code = owner.seed.code_at(product.clock.now().plus(Duration::from_secs(30)));
    let right = [("password", PASSWORD), ("code", code.as_str())];
    browser.submit(&show, &show, &right).await.is(422).says("password is wrong");
    product.advance(Duration::from_secs(1));
    browser.submit(&show, &show, &right).await.leads_to("/cam/capi#secret");

    // At sign-in, they count for the address.
    let mut stranger = product.browser();
    for _ in 0..20 {
        let options = ask(&mut stranger, "/login", ASK).await;
        sign_in(&mut stranger, &answer(&options, owner.uin, VICTIM)).await.is(422);
    }
    ask(&mut stranger, "/login", ASK).await;
    sign_in(&mut stranger, "{}").await.is(429);
    let name = [("name", "root"), ("password", PASSWORD)];
    product.browser().submit("/login", "/login", &name).await.is(429);
}

#[apply(on_both_engines!)]
async fn one_is_added_after_a_verification_only(engine: Engine) {
    let (product, mut owner, mut browser) = signed_in(engine).await;
    browser.get(NEW).await.leads_to(ADD);
    browser.submit("/cam/security", ASK_NEW, &[]).await.leads_to(ADD);
    browser.submit("/cam/security", NEW, &[("name", "x"), ("passkey", "{}")]).await.leads_to(ADD);
    browser.submit(ADD, ADD, &[("password", "wrong"), ("code", "000000")]).await.is(422);
    browser.get(NEW).await.leads_to(ADD);

    verify(&product, &mut owner, &mut browser).await;
    browser.get(NEW).await.is_account_page().says("New passkey");
    for name in ["", " ", "a\nb", &"x".repeat(65)] {
        let refused = browser.submit(NEW, NEW, &[("name", name), ("passkey", "{}")]).await;
        refused.is(422).says("Choose a name of 1 to 64 characters");
    }
    product.advance(Duration::from_mins(10));
    browser.get(NEW).await.leads_to(ADD);
    browser.submit("/cam/security", ASK_NEW, &[]).await.leads_to(ADD);
}

#[apply(on_both_engines!)]
async fn at_most_ten_an_account(engine: Engine) {
    let (product, owner, mut browser) = signed_in(engine).await;
    browser.get("/cam/security").await.says("You have no passkeys").says("Add a passkey");
    let mut handles = Vec::new();
    for number in 0..10_u8 {
        handles.push(store(&product, owner.uin, &[number], &format!("number {number}")).await.unwrap());
    }
    assert!(store(&product, owner.uin, b"eleventh", "eleventh").await.is_none());
    browser.get("/cam/security").await.says("You have 10 passkeys").does_not_say("Add a passkey").says("number 9");
    let mut tx = product.app.db.begin().await.unwrap();
    assert!(passkeys::delete(&mut tx, owner.uin, &handles[4]).await.unwrap());
    tx.commit().await.unwrap();
    assert!(store(&product, owner.uin, b"eleventh", "eleventh").await.is_some(), "in the place that is free");
    let (other, _) = product.signed_in("other").await;
    assert!(store(&product, other.uin, b"twelfth", "twelfth").await.is_some());
}

#[apply(on_both_engines!)]
async fn renamed_and_removed_by_their_owner_only(engine: Engine) {
    let (product, mut owner, mut browser) = signed_in(engine).await;
    let (other, mut theirs) = product.signed_in("other").await;
    let handle = store(&product, owner.uin, VICTIM, "mine").await.unwrap();
    let [rename, remove] = ["name", "remove"].map(|act| format!("/cam/security/passkeys/{handle}/{act}"));
    theirs.submit("/cam/security", &rename, &[("name", "x")]).await.is(404).says("Passkey not found");
    theirs.get(&remove).await.is(404);
    theirs.submit("/cam/security", &remove, &[]).await.is(404);
    theirs.get("/cam/security/passkeys/nothing/remove").await.is(404);
    theirs.get("/cam/security").await.does_not_say("mine");

    browser.submit("/cam/security", &rename, &[("name", "a\tb")]).await.is(422).says("Choose a name");
    browser.submit("/cam/security", &rename, &[("name", " <b>ours</b> ")]).await.leads_to("/cam/security");
    browser.get("/cam/security").await.says("was renamed").does_not_say("<b>ours").says("ours");

    // Removing requires a verification, and ends nothing else.
    browser.get(&remove).await.is_account_page().says("Remove this passkey?").says("ours").says("Use a passkey");
    browser.submit(&remove, &remove, &[]).await.leads_to(&remove);
    let code = owner.code(&product);
    browser.submit(&remove, &remove, &[("password", PASSWORD), ("code", &code)]).await.leads_to("/cam/security");
    browser.get("/cam/security").await.says("The passkey was removed").does_not_say("ours");
    browser.get(&remove).await.is(404);
    let rows = latchkey::db::audit::page(&product.app.db, 0, 1000).await.unwrap();
    let recorded =
        |action: &str| rows.iter().filter(|row| row.action == action && row.target == Some(handle.to_string())).count();
    assert_eq!((recorded("account.passkey-rename"), recorded("account.passkey-remove")), (1, 1));
    assert_ne!(other.uin, owner.uin);
}

/// Where a password is changed, a passkey stands in for the code, and never for the password.
#[apply(on_both_engines!)]
async fn a_passkey_is_offered_where_a_password_is_changed(engine: Engine) {
    let (product, owner, mut browser) = signed_in(engine).await;
    let change = "/cam/security/password";
    browser.get(change).await.says("name=\"code\"").does_not_say("data-passkey");
    store(&product, owner.uin, VICTIM, "mine").await.unwrap();
    browser.get(change).await.says("name=\"code\"").says("data-passkey=").says("data-with=\"password new again\"");
    let options = ask(&mut browser, change, ASK_OWN).await;
    let forged = answer(&options, owner.uin, VICTIM);
    let new = "seven tin kettles hum";
    let fields = [("password", PASSWORD), ("passkey", forged.as_str()), ("new", new), ("again", new)];
    browser.submit(change, change, &fields).await.is(422).says(REFUSED);
}

#[apply(on_both_engines!)]
async fn a_reset_of_factors_removes_them_and_a_new_password_does_not(engine: Engine) {
    let (product, mut owner, mut browser) = signed_in(engine).await;
    store(&product, owner.uin, VICTIM, "mine").await.unwrap();
    let change = "/cam/security/password";
    let (code, new) = (owner.code(&product), "seven tin kettles hum");
    let fields = [("password", PASSWORD), ("code", code.as_str()), ("new", new), ("again", new)];
    browser.submit(change, change, &fields).await.leads_to("/cam/security");
    assert_eq!(passkeys::list(&product.app.db, owner.uin).await.unwrap().len(), 1);
    accounts::reset_mfa(&product.app, "root").await.unwrap();
    assert!(passkeys::list(&product.app.db, owner.uin).await.unwrap().is_empty());
}

#[apply(on_both_engines!)]
async fn under_an_address_of_numbers_there_are_none(engine: Engine) {
    let product = Product::start_with(engine, |mut given| {
        given.public_url = Some("http://127.0.0.1:8080".parse().unwrap());
        given
    })
    .await;
    let (_owner, mut browser) = product.signed_in("root").await;
    product.browser().get("/login").await.does_not_say("passkey");
    browser.get("/cam/security").await.does_not_say("You have no passkeys");
    for path in [ASK, SIGN_IN, ASK_OWN, ADD] {
        browser.submit("/cam/security", path, &[("passkey", "{}")]).await.is(404);
    }
}
