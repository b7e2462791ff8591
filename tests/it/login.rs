//! `/login`: password, then code; throttles; the life cycle of a session.

use std::time::Duration;

use latchkey::operate::accounts;

use crate::support::owner::PASSWORD;
use crate::support::{Browser, Engine, Owner, Page, Product};

async fn try_password(browser: &mut Browser, name: &str, password: &str) -> Page {
    browser.submit("/login", "/login", &[("name", name), ("password", password)]).await
}

async fn try_code(browser: &mut Browser, code: &str) -> Page {
    browser.submit("/login/code", "/login/code", &[("kind", "totp"), ("code", code)]).await
}

async fn try_recovery(browser: &mut Browser, code: &str) -> Page {
    browser.submit("/login/code", "/login/code", &[("kind", "recovery"), ("code", code)]).await
}

/// A browser of `owner` after the password step.
async fn half(product: &Product, owner: &Owner) -> Browser {
    let mut browser = product.browser();
    owner.give_password(&mut browser).await;
    browser
}

#[apply(on_both_engines!)]
async fn signing_in_and_out(engine: Engine) {
    let product = Product::start(engine).await;
    let mut owner = product.owner("Root").await;
    let mut browser = product.browser();
    browser.get("/cam/capi").await.leads_to("/login");
    owner.sign_in_with(&product, &mut browser).await;
    browser.get("/cam/capi").await.is_account_page().says("Root").does_not_say("Previous sign-in");
    let out = browser.submit("/cam/capi", "/logout", &[]).await;
    out.leads_to("/login?notice=signed-out");
    // Without these attributes a browser ignores the removal.
    let removal =
        out.headers.get_all("set-cookie").iter().find(|cookie| cookie.to_str().unwrap().contains("Max-Age=0"));
    assert!(removal.unwrap().to_str().unwrap().contains("; Secure"));
    browser.get("/login?notice=signed-out").await.says("You are signed out");
    browser.get("/cam/capi").await.leads_to("/login");

    product.advance(Duration::from_mins(1));
    for _ in 0..2 {
        try_password(&mut product.browser(), "root", "wrong").await.is(422);
    }
    owner.sign_in_with(&product, &mut browser).await;
    browser.get("/cam/capi").await.says("Previous sign-in").says("127.0.0.1").says("2 failed attempts since");
}

/// Attack 1: a code works only once, however it is written, and only six ASCII digits are a code.
#[apply(on_both_engines!)]
async fn a_code_works_once_and_only_as_six_digits(engine: Engine) {
    let product = Product::start(engine).await;
    let mut owner = product.owner("root").await;
    let code = owner.code(&product);
    let mut browser = half(&product, &owner).await;
    let wide: String = code.chars().map(|c| char::from_u32(c as u32 - 0x30 + 0xff10).unwrap()).collect();
    let dashed = format!("{}-{}", &code[..3], &code[3..]);
    for other in [wide, dashed, format!("{code}\0"), format!("{code}0"), format!("{code}\n"), String::new()] {
        try_code(&mut browser, &other).await.is(422);
    }
    let shown = format!("{} {}", &code[..3], &code[3..]);
    try_code(&mut browser, &shown).await.leads_to("/cam/capi");
    let mut second = half(&product, &owner).await;
    let spellings = [
        code.clone(),
        shown,
        format!("{code} "),
        format!(" {code}"),
        format!("\t{code}"),
        format!("{}\u{a0}{}", &code[..3], &code[3..]),
        format!("{} {}", &code[..2], &code[2..]),
    ];
    for spelt in spellings {
        try_code(&mut second, &spelt).await.is(422).says("has just been used").says("data-seconds=\"30\"");
    }

    // It does not work for verification either.
    let key = browser.create_key().await;
    let show = format!("/cam/capi/keys/{key}/show");
    let fields = [("password", PASSWORD), ("code", code.as_str())];
    browser.submit("/cam/capi", &show, &fields).await.is(422).says("Your app shows the next one in 30 s");
    product.advance(Duration::from_millis(29_100));
    browser.submit("/cam/capi", &show, &fields).await.is(422).says("Your app shows the next one in 1 s");
    product.advance(Duration::from_secs(1));
    browser.submit("/cam/capi", &show, &fields).await.is(422).says("Enter the one that your app shows now");
    // It does not count as a failure, however often it is entered: the next code is accepted.
    for _ in 0..12 {
        try_code(&mut second, &code).await.is(422);
    }
    // A code spent for verification is also spent for sign-in.
    let next = owner.code(&product);
    let fields = [("password", PASSWORD), ("code", next.as_str())];
    assert_eq!(browser.submit("/cam/capi", &show, &fields).await.status.as_u16(), 303);
    try_code(&mut second, &next).await.is(422).says("has just been used");
    let after = owner.code(&product);
    try_code(&mut second, &after).await.leads_to("/cam/capi");
}

/// Attack 1: of fifty attempts at the same time, exactly one succeeds.
#[apply(on_both_engines!)]
async fn of_fifty_uses_at_once_one_wins(engine: Engine) {
    let product = Product::start(engine).await;
    let mut owner = product.owner("root").await;
    let code = owner.code(&product);
    let browser = half(&product, &owner).await;
    assert_eq!(race(browser, "totp", &code).await, 1);
}

/// Attack 17: the same for a recovery code.
#[apply(on_both_engines!)]
async fn of_fifty_uses_of_a_recovery_code_one_wins(engine: Engine) {
    let product = Product::start(engine).await;
    let owner = product.owner("root").await;
    let browser = half(&product, &owner).await;
    assert_eq!(race(browser, "recovery", &owner.recovery_codes[0]).await, 1);
}

#[apply(on_both_engines!)]
async fn a_recovery_code_stands_in_for_the_authenticator_once(engine: Engine) {
    let product = Product::start(engine).await;
    let owner = product.owner("root").await;
    let mut browser = half(&product, &owner).await;
    browser.get("/login/code?kind=recovery").await.says("Recovery code");
    let typed = owner.recovery_codes[3].to_uppercase().replace('-', " ");
    try_recovery(&mut browser, &typed).await.leads_to("/cam/capi");
    browser.get("/cam/capi").await.says("You have 9 codes left");
    browser.get("/cam/capi").await.does_not_say("You have 9 codes left");
    let mut again = half(&product, &owner).await;
    try_recovery(&mut again, &owner.recovery_codes[3]).await.is(422);
}

/// Attack 5: clock skew, and a clock that is set back.
#[apply(on_both_engines!)]
async fn codes_out_of_their_time_are_refused(engine: Engine) {
    let product = Product::start(engine).await;
    let owner = product.owner("root").await;
    let now = product.clock.now();
    let at = |seconds: i64| owner.seed.code_at(latchkey::types::clock::Timestamp(now.0 + seconds * 1000));
    let mut browser = half(&product, &owner).await;
    try_code(&mut browser, &at(-60)).await.is(422);
    try_code(&mut browser, &at(60)).await.is(422);
    try_code(&mut browser, &at(0)).await.leads_to("/cam/capi");

    product.clock.set(now.minus(Duration::from_hours(1)));
    let mut earlier = half(&product, &owner).await;
    try_code(&mut earlier, &at(-3600)).await.is(422).says("already used");
}

/// Attack 2: wrong codes count, however they are padded. After ten, even the correct one is refused, and starting over
/// gives no new attempts. Attack 6: that also holds for a sign-in that was half done before.
#[apply(on_both_engines!)]
async fn after_ten_wrong_codes_the_right_one_has_to_wait(engine: Engine) {
    let product = Product::start(engine).await;
    let mut owner = product.owner("root").await;
    let mut half_done = half(&product, &owner).await;
    let mut browser = half(&product, &owner).await;
    for wrong in 0..10 {
        if wrong == 5 {
            browser = half(&product, &owner).await;
        }
        try_code(&mut browser, &format!("000 00{wrong} ")).await.is(422);
    }
    let right = owner.code(&product);
    try_code(&mut browser, &right).await.is(422);
    try_code(&mut half_done, &right).await.is(422);
    let mut fresh = half(&product, &owner).await;
    try_code(&mut fresh, &right).await.is(422);
    try_recovery(&mut fresh, &owner.recovery_codes[0]).await.is(422);

    product.advance(Duration::from_mins(61));
    let mut later = half(&product, &owner).await;
    let right = owner.code(&product);
    try_code(&mut later, &right).await.leads_to("/cam/capi");
}

#[apply(on_both_engines!)]
async fn the_operator_can_end_the_wait(engine: Engine) {
    let product = Product::start(engine).await;
    let mut owner = product.owner("root").await;
    let mut browser = half(&product, &owner).await;
    for _ in 0..10 {
        try_code(&mut browser, "000000").await.is(422);
    }
    accounts::unlock(&product.app, "root").await.unwrap();
    let right = owner.code(&product);
    try_code(&mut browser, &right).await.leads_to("/cam/capi");
}

/// Attack 3: all spellings of a name share one counter, and a name that does not exist has one as well.
#[apply(on_both_engines!)]
async fn one_counter_for_every_spelling(engine: Engine) {
    for name in ["root", "nobody"] {
        let product = Product::start(engine).await;
        product.owner("Root").await;
        let spellings = ["root", "ROOT", " root ", "ｒｏｏｔ", "Root"];
        let mut answers = Vec::new();
        for spelling in spellings {
            let spelling = if name == "root" { spelling.to_owned() } else { spelling.replace("root", "nobody") };
            let page = try_password(&mut product.browser(), &spelling, "wrong").await;
            answers.push((page.status, page.between("<div class=\"error\"", "</div>")));
        }
        // The fifth failure starts the delay. Until it is over, the correct password is refused in the same words.
        let page = try_password(&mut product.browser(), "root", if name == "root" { PASSWORD } else { "x" }).await;
        answers.push((page.status, page.between("<div class=\"error\"", "</div>")));
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        if name == "root" {
            product.advance(Duration::from_secs(2));
            try_password(&mut product.browser(), "root", PASSWORD).await.leads_to("/login/code");
        }
    }
}

#[apply(on_both_engines!)]
async fn whatever_is_typed_as_a_name_is_answered_in_the_same_words(engine: Engine) {
    let product = Product::start(engine).await;
    for name in ["", "\0", "a\0b", "a:b", &"字".repeat(6000), &"x".repeat(50_000)] {
        try_password(&mut product.browser(), name, PASSWORD)
            .await
            .is(422)
            .says("The account name or password is wrong");
    }
}

#[apply(on_both_engines!)]
async fn a_stranger_cannot_keep_the_owner_out(engine: Engine) {
    let product = Product::start(engine).await;
    let (mut owner, mut known) = product.signed_in("root").await;
    known.submit("/cam/capi", "/logout", &[]).await;
    for _ in 0..12 {
        try_password(&mut product.browser(), "root", "wrong").await.is(422);
    }
    try_password(&mut product.browser(), "root", PASSWORD).await.is(422);
    // The owner's known browser has a counter of its own.
    owner.sign_in_with(&product, &mut known).await;
}

/// Attack 10: addresses forwarded by untrusted clients do not reset a throttle.
#[apply(on_both_engines!)]
async fn an_address_that_fails_too_often_has_to_wait(engine: Engine) {
    let product = Product::start(engine).await;
    let owner = product.owner("root").await;
    for at in 0..20 {
        try_password(&mut product.browser(), &format!("guess{at}"), "wrong").await.is(422);
    }
    let mut browser = product.browser();
    let token = browser.get("/login").await.form_token();
    let form = [("form_token", token.as_str()), ("name", "root"), ("password", PASSWORD)];
    let request = browser.request(reqwest::Method::POST, "/login").header("x-forwarded-for", "203.0.113.7").form(&form);
    browser.send(request).await.is(429).says("Too many attempts");
    product.advance(Duration::from_secs(2));
    owner.give_password(&mut browser).await;
}

/// Attack 7: the session ID changes with every step, and old IDs are invalid.
#[apply(on_both_engines!)]
async fn every_step_takes_a_new_session_id(engine: Engine) {
    let product = Product::start(engine).await;
    let mut owner = product.owner("root").await;
    let mut browser = product.browser();
    let planted = "AAAAAAAAAAAAAAAAAAAAAA".to_owned();
    browser.cookies.insert("__Host-latchkey-session".to_owned(), planted.clone());
    owner.give_password(&mut browser).await;
    let after_password = browser.session_cookie().unwrap().clone();
    let half_done = browser.clone();
    let code = owner.code(&product);
    try_code(&mut browser, &code).await.leads_to("/cam/capi");
    let after_code = browser.session_cookie().unwrap().clone();
    let before_verification = browser.clone();
    let key = browser.create_key().await;
    owner.reveal(&product, &mut browser, &key).await;
    let after_verification = browser.session_cookie().unwrap().clone();
    let signed_in = browser.clone();
    browser.submit("/cam/capi", "/logout", &[]).await;
    assert_eq!(browser.session_cookie(), None);

    let ids = [planted, after_password, after_code, after_verification];
    for (at, id) in ids.iter().enumerate() {
        assert!(!ids[..at].contains(id), "{ids:?}");
    }
    for (mut old, path) in [(half_done, "/login/code"), (before_verification, "/cam/capi"), (signed_in, "/cam/capi")] {
        old.get(path).await.leads_to("/login?notice=expired");
    }
}

#[apply(on_both_engines!)]
async fn sessions_end_when_idle_and_in_any_case(engine: Engine) {
    let product = Product::start(engine).await;
    let (mut owner, mut browser) = product.signed_in("root").await;
    for _ in 0..3 {
        product.advance(Duration::from_mins(14));
        browser.get("/cam/capi").await.is_account_page();
    }
    product.advance(Duration::from_mins(15));
    browser.get("/cam/capi").await.leads_to("/login?notice=expired");

    let mut browser = owner.sign_in(&product).await;
    for _ in 0..71 {
        product.advance(Duration::from_mins(10));
        browser.get("/cam/capi").await.is_account_page();
    }
    product.advance(Duration::from_mins(10));
    browser.get("/cam/capi").await.leads_to("/login?notice=expired");

    let mut half_done = half(&product, &owner).await;
    product.advance(Duration::from_mins(5));
    half_done.get("/login/code").await.leads_to("/login?notice=expired");
}

#[apply(on_both_engines!)]
async fn the_operator_can_end_every_session(engine: Engine) {
    let product = Product::start(engine).await;
    let (mut owner, mut one) = product.signed_in("root").await;
    let mut two = owner.sign_in(&product).await;
    assert_eq!(accounts::end_sessions(&product.app, "root").await.unwrap(), 2);
    for browser in [&mut one, &mut two] {
        browser.get("/cam/capi").await.leads_to("/login?notice=expired");
    }
}

/// Sends one code fifty times at once from one half-done sign-in, and counts the successes.
async fn race(mut browser: Browser, kind: &'static str, code: &str) -> usize {
    let token = browser.get("/login/code").await.form_token();
    let tries: Vec<_> = (0..50)
        .map(|_| {
            let (mut browser, token, code) = (browser.clone(), token.clone(), code.to_owned());
            tokio::spawn(async move { browser.post("/login/code", &token, &[("kind", kind), ("code", &code)]).await })
        })
        .collect();
    let mut won = 0;
    for attempt in tries {
        let page = attempt.await.unwrap();
        assert!(!page.status.is_server_error(), "{}", page.body);
        won += usize::from(page.location.as_deref() == Some("/cam/capi"));
    }
    won
}

/// Names can be invented without limit, but the data kept about them is limited.
#[apply(on_both_engines!)]
async fn names_that_nobody_has_do_not_fill_the_database(engine: Engine) {
    use latchkey::db::throttle as db;
    use latchkey::throttle::{self, Subject};
    let product = Product::start(engine).await;
    let count = async || {
        let count = "select count(*) from throttle";
        match &product.app.db {
            latchkey::db::Db::Sqlite(pool, _) => sqlx::query_scalar::<_, i64>(count).fetch_one(pool).await.unwrap(),
            latchkey::db::Db::Postgres(pool) => sqlx::query_scalar::<_, i64>(count).fetch_one(pool).await.unwrap(),
        }
    };
    let shared: std::collections::HashSet<String> =
        (0..100_000).map(|number| format!("{:?}", Subject::nobody(&format!("name {number}")))).collect();
    assert!(shared.len() <= 65_536, "{}", shared.len());
    assert_ne!(Subject::nobody("root"), Subject::account("root"));
    product.browser().submit("/login", "/login", &[("name", "nobody"), ("password", "wrong")]).await.is(422);
    assert_eq!(count().await, 2, "one of the name, one of the address");
    // A day after their last change, counters are worthless, except those of wrong codes.
    let mut tx = product.app.db.begin().await.unwrap();
    throttle::settle(&mut tx, &Subject::code(latchkey::types::id::Uin(1)), false, product.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    product.advance(Duration::from_hours(25));
    throttle::purge(&product.app.db, product.clock.now()).await.unwrap();
    assert_eq!(count().await, 1);
    // Only the latest addresses are kept.
    let now = product.clock.now();
    for at in 1..=20_u8 {
        let mut tx = product.app.db.begin().await.unwrap();
        let address = Subject::address([192, 0, 2, at].into());
        throttle::settle(&mut tx, &address, false, now.plus(Duration::from_secs(at.into()))).await.unwrap();
        tx.commit().await.unwrap();
    }
    db::trim(&product.app.db, "password/address", 9).await.unwrap();
    assert_eq!(count().await, 11);
}
