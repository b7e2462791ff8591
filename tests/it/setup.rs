//! `/setup`: from a one-time link to an account.

use latchkey::account::setup as account_setup;
use latchkey::db::Db;
use latchkey::operate::accounts;
use latchkey::secret::totp::Seed;
use latchkey::types::clock::Timestamp;

use crate::support::owner::PASSWORD;
use crate::support::{Browser, Engine, Page, Product};

async fn first_link(product: &Product) -> String {
    let token = accounts::first_setup_link(&product.app).await.unwrap().expect("the first setup is open");
    path_of(&account_setup::link_address(&product.url().parse().unwrap(), &token))
}

pub fn path_of(link: &str) -> String {
    link[link.find("/setup").unwrap()..].to_owned()
}

pub fn token_of(path: &str) -> &str {
    path.split_once("token=").unwrap().1
}

async fn give_name(browser: &mut Browser, link: &str, name: &str, password: &str, again: &str) -> Page {
    let fields = [("token", token_of(link)), ("name", name), ("password", password), ("again", again)];
    browser.submit(link, "/setup", &fields).await
}

/// The seed on the page.
fn seed_on(page: &Page) -> Seed {
    let typed = page.between("class=\"seed\">", "<").expect("the seed is shown").replace(' ', "");
    Seed::from_bytes(&data_encoding::BASE32_NOPAD.decode(typed.as_bytes()).unwrap()).unwrap()
}

pub async fn enrol(browser: &mut Browser, now: Timestamp) -> Page {
    let page = browser.get("/setup/authenticator").await;
    let code = seed_on(&page).code_at(now);
    browser.post("/setup/authenticator", &page.form_token(), &[("code", &code)]).await
}

#[apply(on_both_engines!)]
async fn the_link_makes_the_first_account_and_lands_on_the_page(engine: Engine) {
    let product = Product::start(engine).await;
    let link = first_link(&product).await;
    let mut browser = product.browser();

    give_name(&mut browser, &link, "Root", "password1", "password1").await.is(422).says("first to be guessed");
    give_name(&mut browser, &link, "Root", "latchkey", "latchkey")
        .await
        .is(422)
        .says("made of the account name or the product name");
    give_name(&mut browser, &link, "Root", "short", "short").await.is(422).says("shorter than 8");
    give_name(&mut browser, &link, "a:b", PASSWORD, PASSWORD).await.is(422).says("without a colon").says("a:b");
    let differs = give_name(&mut browser, &link, "Root", PASSWORD, "something else").await;
    differs.is(422).says("passwords do not match").says("value=\"Root\"").does_not_say(PASSWORD);
    give_name(&mut browser, &link, "Root", PASSWORD, PASSWORD).await.leads_to("/setup/authenticator");

    let page = browser.get("/setup/authenticator").await;
    page.says("<svg class=\"qr\"").says("otpauth://totp/Latchkey:Root?");
    let wrong = browser.post("/setup/authenticator", &page.form_token(), &[("code", "000000")]).await;
    wrong.is(422).says("does not match this QR code");
    assert_eq!(seed_on(&wrong).expose(), seed_on(&page).expose(), "a wrong code changes nothing");

    let codes = enrol(&mut browser, product.clock.now()).await;
    assert_eq!(codes.is_account_page().body.matches("<li><code>").count(), 10);
    let keys = browser.get("/cam/capi").await;
    keys.is_account_page().says("API Key Management").says("No keys yet").says("Root");

    // Neither the link nor the enrolment can be used again.
    product.browser().get(&link).await.is(410).says("cannot be used");
    browser.get("/setup/authenticator").await.leads_to("/login?notice=expired");
    assert!(accounts::first_setup_link(&product.app).await.unwrap().is_none());
}

/// The name can be taken by anybody: here, by an account that was created while the first setup was still open.
#[apply(on_both_engines!)]
async fn a_name_that_is_taken_is_said_beside_its_field(engine: Engine) {
    let product = Product::start(engine).await;
    let link = first_link(&product).await;
    let mut late = product.browser();
    give_name(&mut late, &link, "Root", PASSWORD, PASSWORD).await.leads_to("/setup/authenticator");
    product.owner("root").await;
    let statement = "update installation set set_up = false";
    match product.store.db().await {
        Db::Sqlite(pool, _) => sqlx::query(statement).execute(&pool).await.map(drop),
        Db::Postgres(pool) => sqlx::query(statement).execute(&pool).await.map(drop),
    }
    .unwrap();

    for (language, says) in [("en", "An account with this name already exists"), ("zh-CN", "该账号名称已被使用")]
    {
        let mut browser = product.browser();
        browser.cookies.insert("__Host-latchkey-language".to_owned(), language.to_owned());
        let page = give_name(&mut browser, &link, "ROOT", PASSWORD, PASSWORD).await;
        page.is(422).says("value=\"ROOT\"").does_not_say(PASSWORD).does_not_say("could not be read");
        assert!(page.between("id=\"name-error\"", "</p>").unwrap().contains(says), "{}", page.body);
    }
    // If the name was free at first, the page says so, and the link can be used again.
    let page = enrol(&mut late, product.clock.now()).await;
    page.is(422).says("Meanwhile, an account with this name was created").says("Open the set-up link again");
    let mut browser = product.browser();
    give_name(&mut browser, &link, "another", PASSWORD, PASSWORD).await.leads_to("/setup/authenticator");
    enrol(&mut browser, product.clock.now()).await.is_account_page();
}

#[apply(on_both_engines!)]
async fn the_enrolment_code_is_spent(engine: Engine) {
    let product = Product::start(engine).await;
    let link = first_link(&product).await;
    let mut browser = product.browser();
    give_name(&mut browser, &link, "root", PASSWORD, PASSWORD).await;
    let page = browser.get("/setup/authenticator").await;
    let code = seed_on(&page).code_at(product.clock.now());
    enrol(&mut browser, product.clock.now()).await.is_account_page();

    let mut other = product.browser();
    other.submit("/login", "/login", &[("name", "root"), ("password", PASSWORD)]).await.leads_to("/login/code");
    let again = other.submit("/login/code", "/login/code", &[("kind", "totp"), ("code", &code)]).await;
    again.is(422).says("has just been used");
}

#[apply(on_both_engines!)]
async fn of_two_set_ups_at_once_one_wins_and_the_first_setup_closes(engine: Engine) {
    let product = Product::start(engine).await;
    let (one, two) = (first_link(&product).await, first_link(&product).await);
    let mut browsers = Vec::new();
    // Two links, one of them in two browsers: three enrolments, each in its own session.
    for (at, link) in [&one, &one, &two].into_iter().enumerate() {
        let mut browser = product.browser();
        give_name(&mut browser, link, &format!("root{at}"), PASSWORD, PASSWORD).await.leads_to("/setup/authenticator");
        browsers.push(browser);
    }
    let now = product.clock.now();
    let tries =
        browsers.into_iter().map(|mut browser| tokio::spawn(async move { enrol(&mut browser, now).await.status }));
    let mut won = 0;
    for attempt in tries {
        match attempt.await.unwrap().as_u16() {
            203 => won += 1,
            410 => {}
            other => panic!("{other}"),
        }
    }
    assert_eq!(won, 1);
    assert_eq!(latchkey::db::accounts::all(&product.app.db).await.unwrap().len(), 1);
    for link in [&one, &two] {
        product.browser().get(link).await.is(410);
    }
}

#[apply(on_both_engines!)]
async fn nobody_else_can_touch_a_pending_enrolment(engine: Engine) {
    let product = Product::start(engine).await;
    let link = first_link(&product).await;
    let mut browser = product.browser();
    give_name(&mut browser, &link, "root", PASSWORD, PASSWORD).await;
    let seed = seed_on(&browser.get("/setup/authenticator").await);

    // An anonymous visitor, with and without the link, sees nothing of it and changes nothing.
    let mut stranger = product.browser();
    stranger.get("/setup/authenticator").await.leads_to("/login");
    let posted = stranger.submit("/login", "/setup/authenticator", &[("code", "123456")]).await;
    posted.leads_to("/login");
    give_name(&mut stranger, &link, "other", PASSWORD, PASSWORD).await.leads_to("/setup/authenticator");

    let still = browser.get("/setup/authenticator").await;
    assert_eq!(seed_on(&still).expose(), seed.expose());
    enrol(&mut browser, product.clock.now()).await.is_account_page();
}

#[apply(on_both_engines!)]
async fn a_link_from_the_command_line_completes_its_account(engine: Engine) {
    let product = Product::start(engine).await;
    let before = first_link(&product).await;
    let token = accounts::create_with_link(&product.app, "Ops").await.unwrap();
    product.browser().get(&before).await.is(410);

    let link = path_of(&account_setup::link_address(&product.url().parse().unwrap(), &token));
    let mut browser = product.browser();
    browser.get(&link).await.is(200).says("value=\"Ops\"").says("readonly");
    // The name in the form does not matter; the account is the link's.
    give_name(&mut browser, &link, "Mallory", PASSWORD, PASSWORD).await.leads_to("/setup/authenticator");
    enrol(&mut browser, product.clock.now()).await.is_account_page();
    browser.get("/cam/capi").await.says("Ops");
}

#[apply(on_both_engines!)]
async fn a_new_second_factor_needs_the_password(engine: Engine) {
    let product = Product::start(engine).await;
    let (owner, mut old) = product.signed_in("root").await;
    let token = accounts::reset_mfa(&product.app, "ROOT").await.unwrap();
    old.get("/cam/capi").await.leads_to("/login?notice=expired");

    let link = path_of(&account_setup::link_address(&product.url().parse().unwrap(), &token));
    let mut browser = product.browser();
    let fields = [("token", token_of(&link)), ("name", "root"), ("password", "not the password")];
    browser.submit(&link, "/setup", &fields).await.is(422).says("password is wrong");
    let fields = [("token", token_of(&link)), ("name", "root"), ("password", PASSWORD)];
    browser.submit(&link, "/setup", &fields).await.leads_to("/setup/authenticator");
    let page = browser.get("/setup/authenticator").await;
    assert_ne!(seed_on(&page).expose(), owner.seed.expose());
    enrol(&mut browser, product.clock.now()).await.is_account_page();
    browser.get("/cam/capi").await.is_account_page();
}

#[apply(on_both_engines!)]
async fn a_link_ends_after_a_day(engine: Engine) {
    let product = Product::start(engine).await;
    let link = first_link(&product).await;
    product.advance(std::time::Duration::from_secs(24 * 3600 - 1));
    product.browser().get(&link).await.is(200);
    product.advance(std::time::Duration::from_secs(1));
    product.browser().get(&link).await.is(410);
    product.browser().get("/setup?token=nothing").await.is(410);
    product.browser().get("/setup").await.is(410);
}

/// For an owner who has lost everything. Nothing changes until the link is used; then everything is replaced except the
/// keys.
#[apply(on_both_engines!)]
async fn an_account_is_recovered_by_the_operators_link(engine: Engine) {
    let product = Product::start(engine).await;
    let (mut owner, mut old) = product.signed_in("root").await;
    let key = old.create_key().await;
    let token = accounts::begin_recovery(&product.app, "Root").await.unwrap().commit().await.unwrap();
    let link = path_of(&account_setup::link_address(&product.url().parse().unwrap(), &token));
    old.get("/cam/capi").await.is_account_page().does_not_say("link to recover");
    // A sign-in in the meantime shows that the link was created, once.
    let mut second = owner.sign_in(&product).await;
    second.get("/cam/capi").await.says("The operator has made a link to recover this account");
    owner.sign_in(&product).await.get("/cam/capi").await.does_not_say("link to recover");

    let mut browser = product.browser();
    browser.get(&link).await.is(200).says("Recover your account").says("value=\"root\"").says("readonly");
    let new_password = "four brass lanterns sway";
    give_name(&mut browser, &link, "root", new_password, new_password).await.leads_to("/setup/authenticator");
    old.get("/cam/capi").await.is_account_page();
    let page = browser.get("/setup/authenticator").await;
    assert_ne!(seed_on(&page).expose(), owner.seed.expose());
    enrol(&mut browser, product.clock.now()).await.is_account_page().says("Recovery codes");
    old.get("/cam/capi").await.leads_to("/login?notice=expired");
    second.get("/cam/capi").await.leads_to("/login?notice=expired");
    browser.get("/cam/capi").await.is_account_page().says(&key).says("Enabled");
    browser.get("/cam/records").await.says("Recovery link created").says("Account recovered");
    // The old password no longer works, and the link is spent.
    let fields = [("name", "root"), ("password", PASSWORD)];
    product.browser().submit("/login", "/login", &fields).await.is(422);
    product.browser().get(&link).await.is(410);
}

#[apply(on_both_engines!)]
async fn a_link_for_recovery_ends_after_fifteen_minutes(engine: Engine) {
    let product = Product::start(engine).await;
    product.owner("root").await;
    let token = accounts::begin_recovery(&product.app, "root").await.unwrap().commit().await.unwrap();
    let link = path_of(&account_setup::link_address(&product.url().parse().unwrap(), &token));
    let mut browser = product.browser();
    give_name(&mut browser, &link, "root", "four brass lanterns sway", "four brass lanterns sway")
        .await
        .leads_to("/setup/authenticator");
    product.advance(std::time::Duration::from_mins(10));
    let page = browser.get("/setup/authenticator").await;
    product.advance(std::time::Duration::from_mins(5));
    product.browser().get(&link).await.is(410);
    // Also if the enrolment began in time.
    let code = seed_on(&page).code_at(product.clock.now());
    browser.post("/setup/authenticator", &page.form_token(), &[("code", &code)]).await.is(410);
    let fields = [("name", "root"), ("password", PASSWORD)];
    product.browser().submit("/login", "/login", &fields).await.leads_to("/login/code");
}
