//! `/cam/security`: password, authenticator, recovery codes, sessions.

use std::time::Duration;

use latchkey::audit::Verdict;
use latchkey::db::audit as chain;
use latchkey::secret::totp::Seed;
use reqwest::Method;

use crate::support::owner::PASSWORD;
use crate::support::{Browser, Engine, Owner, Page, Product, execute};

const SECURITY: &str = "/cam/security";
const CHANGE: &str = "/cam/security/password";
const REPLACE: &str = "/cam/security/authenticator";
const CONFIRM: &str = "/cam/security/authenticator/new";
const CODES: &str = "/cam/security/recovery-codes";
const END_OTHERS: &str = "/cam/security/sessions/end-others";
const NEW_PASSWORD: &str = "seven tin kettles hum";
const ENDED: &str = "/login?notice=expired";

/// An owner with two sessions.
async fn signed_in_twice(engine: Engine) -> (Product, Owner, Browser, Browser) {
    let product = Product::start(engine).await;
    let (mut owner, here) = product.signed_in("root").await;
    let there = owner.sign_in(&product).await;
    (product, owner, here, there)
}

/// With a verification window of zero, which asks for everything every time.
async fn without_window(engine: Engine) -> (Product, Owner, Browser) {
    let product = Product::start_with(engine, |mut given| {
        given.verification_window = Some("0".parse().unwrap());
        given
    })
    .await;
    let (owner, browser) = product.signed_in("root").await;
    (product, owner, browser)
}

/// Opens the verification window by showing a key.
async fn verify(product: &Product, owner: &mut Owner, browser: &mut Browser) {
    let key = browser.create_key().await;
    owner.reveal(product, browser, &key).await;
}

async fn with_proof(product: &Product, owner: &mut Owner, browser: &mut Browser, act: &str) -> Page {
    let code = owner.code(product);
    browser.submit(act, act, &[("password", PASSWORD), ("code", &code)]).await
}

async fn change(browser: &mut Browser, current: &str, code: Option<&str>, new: &str) -> Page {
    let mut fields = vec![("password", current), ("new", new), ("again", new)];
    fields.extend(code.map(|code| ("code", code)));
    browser.submit(CHANGE, CHANGE, &fields).await
}

async fn is_signed_in(browser: &mut Browser) -> bool {
    let page = browser.get(SECURITY).await;
    if page.location.is_none() {
        page.is_account_page();
        return true;
    }
    page.leads_to(ENDED);
    false
}

/// Returns whether the session continues after this response in a race with its end. If it does not, its user is told:
/// by the response itself, which removes the cookie, if the session had already ended when the request was processed;
/// otherwise by the next response.
async fn goes_on(browser: &mut Browser, answer: &Page) -> bool {
    let next = browser.get(SECURITY).await;
    if next.location.is_none() {
        next.is_account_page();
        return true;
    }
    assert!([answer, &next].iter().any(|page| page.location.as_deref() == Some(ENDED)), "{answer:?} {next:?}");
    false
}

/// Returns whether a sign-in with these succeeds.
async fn opens(product: &Product, name: &str, password: &str, kind: &str, code: &str) -> bool {
    let mut browser = product.browser();
    let first = browser.submit("/login", "/login", &[("name", name), ("password", password)]).await;
    if first.status.as_u16() == 422 {
        return false;
    }
    let second = browser.submit("/login/code", "/login/code", &[("kind", kind), ("code", code)]).await;
    second.status.as_u16() == 303
}

fn seed_on(page: &Page) -> Seed {
    let typed = page.between("class=\"seed\">", "<").expect("the seed is shown").replace(' ', "");
    Seed::from_bytes(&data_encoding::BASE32_NOPAD.decode(typed.as_bytes()).unwrap()).unwrap()
}

fn codes_on(page: &Page) -> Vec<String> {
    page.body.split("<li><code>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
}

/// The sessions that the page offers to end, in their order.
async fn others(browser: &mut Browser) -> Vec<String> {
    let page = browser.get(SECURITY).await;
    let acts = page.body.split("/cam/security/sessions/").skip(1).map(|rest| rest.split('"').next().unwrap());
    acts.filter_map(|act| act.strip_suffix("/end")).map(str::to_owned).collect()
}

/// The results of `action` in the audit log, whose chain must be intact.
async fn recorded(product: &Product, action: &str) -> Vec<String> {
    let verdict = product.app.audit.verify(&product.app.db, None).await.unwrap();
    assert!(matches!(verdict, Verdict::Intact { .. }), "{verdict:?}");
    let rows = chain::page(&product.app.db, 0, 1000).await.unwrap();
    let rows = rows.into_iter().filter(|row| row.action == action);
    rows.inspect(|row| assert!(row.uin.is_some() && row.address.is_some() && row.actor == "account"))
        .map(|row| row.result)
        .collect()
}

#[apply(on_both_engines!)]
async fn the_page_says_what_there_is(engine: Engine) {
    let (product, owner, mut here, _there) = signed_in_twice(engine).await;
    let page = here.get("/cam/capi").await;
    page.says("<a href=\"/cam/security\">Security</a>").says("<a href=\"/cam/capi\" aria-current=\"page\">");
    let page = here.get(SECURITY).await;
    page.is_account_page().says("<a href=\"/cam/security\" aria-current=\"page\">").says("You have 10 codes left");
    page.says("<a href=\"/cam/capi\">");
    assert!(opens(&product, "root", PASSWORD, "recovery", &owner.recovery_codes[0]).await);
    here.get(SECURITY).await.says("You have 9 codes left");
}

// Password.

#[apply(on_both_engines!)]
async fn the_password_is_changed_and_everybody_else_is_out(engine: Engine) {
    let (product, mut owner, mut here, mut there) = signed_in_twice(engine).await;
    let mut half = product.browser();
    owner.give_password(&mut half).await;
    let late_token = half.get("/login/code").await.form_token();
    let (session, device) = (here.session_cookie().cloned(), here.cookies["__Host-latchkey-device"].clone());

    let code = owner.code(&product);
    change(&mut here, PASSWORD, Some(&code), NEW_PASSWORD).await.leads_to(SECURITY);
    let page = here.get(SECURITY).await;
    page.is_account_page().says("The password was changed").does_not_say("sessions/end-others");
    assert_ne!(here.session_cookie().cloned(), session, "a new session id");
    let mut old = here.clone();
    old.cookies.insert("__Host-latchkey-session".to_owned(), session.unwrap());
    assert!(!is_signed_in(&mut old).await, "the old id is dead");
    assert!(!is_signed_in(&mut there).await);
    let late = [("kind", "recovery"), ("code", owner.recovery_codes[1].as_str())];
    half.post("/login/code", &late_token, &late).await.leads_to("/login?notice=expired");

    let code = owner.code(&product);
    assert!(!opens(&product, "root", PASSWORD, "totp", &code).await, "the old password");
    assert!(opens(&product, "root", NEW_PASSWORD, "totp", &code).await);
    assert_eq!(recorded(&product, "account.password").await, ["done"]);

    // The present browser is still known; the others are forgotten.
    let is_known = async |token: &str| {
        let hash = latchkey::secret::token::TokenDigest::of(token);
        let now = product.clock.now();
        latchkey::db::accounts::is_known_device(&product.app.db, &hash, owner.uin, now).await.unwrap()
    };
    assert!(is_known(&device).await);
    assert!(!is_known(&there.cookies["__Host-latchkey-device"]).await);
}

#[apply(on_both_engines!)]
async fn a_password_is_changed_with_the_password_and_a_code_only(engine: Engine) {
    let (product, mut owner, mut here, mut there) = signed_in_twice(engine).await;
    let code = owner.code(&product);
    change(&mut here, PASSWORD, None, NEW_PASSWORD).await.is(422).says("id=\"code-error\"");
    change(&mut here, "not the password", Some(&code), NEW_PASSWORD).await.is(422).says("id=\"password-error\"");
    change(&mut here, PASSWORD, Some("000000"), NEW_PASSWORD).await.is(422).says("id=\"code-error\"");
    // The rules are those of the setup, and are applied before the code is spent.
    for (bad, why) in
        [("password1", "first to be guessed"), ("root1234", "made of the account name"), ("quail", "shorter than 8")]
    {
        change(&mut here, PASSWORD, Some(&code), bad)
            .await
            .is(422)
            .says("id=\"new-error\"")
            .says(why)
            .does_not_say(bad);
    }
    let fields = [("password", PASSWORD), ("code", code.as_str()), ("new", NEW_PASSWORD), ("again", "another one")];
    here.submit(CHANGE, CHANGE, &fields).await.is(422).says("passwords do not match").does_not_say(NEW_PASSWORD);
    assert!(is_signed_in(&mut there).await);
    assert!(opens(&product, "root", PASSWORD, "recovery", &owner.recovery_codes[0]).await);
    change(&mut here, PASSWORD, Some(&code), NEW_PASSWORD).await.leads_to(SECURITY);
    assert_eq!(recorded(&product, "account.password").await, ["done"]);
}

#[apply(on_both_engines!)]
async fn the_current_password_is_asked_for_within_the_window_too(engine: Engine) {
    let (product, mut owner, mut here, _there) = signed_in_twice(engine).await;
    verify(&product, &mut owner, &mut here).await;
    here.get(CHANGE).await.is_account_page().says("id=\"password\"").does_not_say("id=\"code\"");
    change(&mut here, "not the password", None, NEW_PASSWORD).await.is(422).says("id=\"password-error\"");
    // It counts like a wrong password for Show. After that, the correct one has to wait.
    for _ in 0..4 {
        change(&mut here, "not the password", None, NEW_PASSWORD).await.is(422);
    }
    change(&mut here, PASSWORD, None, NEW_PASSWORD).await.is(422).says("too many attempts");
    product.advance(Duration::from_secs(2));
    change(&mut here, PASSWORD, None, NEW_PASSWORD).await.leads_to(SECURITY);
    assert_eq!(
        recorded(&product, "account.password").await,
        ["refused"; 6].into_iter().chain(["done"]).collect::<Vec<_>>()
    );
    // A verification with the old password is void.
    here.get(CHANGE).await.says("id=\"code\"");
}

#[apply(on_both_engines!)]
async fn of_two_changes_at_once_one_wins(engine: Engine) {
    let (product, mut owner, mut here, mut there) = signed_in_twice(engine).await;
    verify(&product, &mut owner, &mut here).await;
    there.create_key().await;
    let code = owner.code(&product);
    let key = crate::support::browser::key_ids(&there.get("/cam/capi").await)[0].clone();
    let show = format!("/cam/capi/keys/{key}/show");
    there.submit(&show, &show, &[("password", PASSWORD), ("code", &code)]).await.is(303);

    let tokens = (here.get(CHANGE).await.form_token(), there.get(CHANGE).await.form_token());
    let fields = |new| [("password", PASSWORD), ("new", new), ("again", new)];
    let (one, other) = tokio::join!(async { here.post(CHANGE, &tokens.0, &fields(NEW_PASSWORD)).await }, async {
        there.post(CHANGE, &tokens.1, &fields("nine copper spoons")).await
    },);
    let won = |page: &Page| page.location.as_deref() == Some(SECURITY);
    assert!(won(&one) != won(&other), "{one:?} {other:?}");
    assert!(goes_on(&mut here, &one).await != goes_on(&mut there, &other).await);
    assert_eq!(recorded(&product, "account.password").await.iter().filter(|result| *result == "done").count(), 1);
}

// Authenticator.

#[apply(on_both_engines!)]
async fn the_old_authenticator_holds_until_the_new_one_is_confirmed(engine: Engine) {
    let (product, mut owner, mut here, mut there) = signed_in_twice(engine).await;
    here.get(CONFIRM).await.leads_to(REPLACE);
    here.submit(REPLACE, CONFIRM, &[("code", "123456")]).await.leads_to(REPLACE);
    with_proof(&product, &mut owner, &mut here, REPLACE).await.leads_to(CONFIRM);
    let page = here.get(CONFIRM).await;
    page.is_account_page().says("<svg class=\"qr\"").says("otpauth://totp/Latchkey:root?").does_not_say("Step 2");
    let new = seed_on(&page);
    assert_ne!(new.expose(), owner.seed.expose());

    let wrong = here.post(CONFIRM, &page.form_token(), &[("code", "000000")]).await;
    wrong.is(422).says("does not match this QR code");
    assert_eq!(seed_on(&wrong).expose(), new.expose(), "a wrong code changes nothing");
    let old_code = owner.code(&product);
    here.post(CONFIRM, &page.form_token(), &[("code", &old_code)]).await.is(422);
    assert!(is_signed_in(&mut there).await);
    assert!(!opens(&product, "root", PASSWORD, "totp", &new.code_at(product.clock.now())).await, "not yet");
    assert!(opens(&product, "root", PASSWORD, "totp", &old_code).await, "the old one holds");

    product.advance(Duration::from_secs(30));
    let code = new.code_at(product.clock.now());
    here.post(CONFIRM, &page.form_token(), &[("code", &code)]).await.leads_to(SECURITY);
    here.get(SECURITY).await.is_account_page().says("The new authenticator is in use");
    assert!(!is_signed_in(&mut there).await);
    here.get(CONFIRM).await.leads_to(REPLACE);
    assert!(!opens(&product, "root", PASSWORD, "totp", &code).await, "the confirming code is spent");
    product.advance(Duration::from_secs(30));
    let now = product.clock.now();
    assert!(!opens(&product, "root", PASSWORD, "totp", &owner.seed.code_at(now)).await, "the old one is void");
    assert!(opens(&product, "root", PASSWORD, "totp", &new.code_at(now)).await);
    assert!(opens(&product, "root", PASSWORD, "recovery", &owner.recovery_codes[0]).await, "these go on");
    assert_eq!(recorded(&product, "account.totp").await, ["refused", "refused", "done"]);
    // A verification with the old authenticator is void.
    here.get(REPLACE).await.says("id=\"code\"");
}

/// For an owner who has lost the authenticator. The recovery code is spent, and is good for nothing else.
#[apply(on_both_engines!)]
async fn a_recovery_code_replaces_the_authenticator_and_nothing_else(engine: Engine) {
    const WITH_CODE: &str = "/cam/security/authenticator?kind=recovery";
    let (product, mut owner, mut here, mut there) = signed_in_twice(engine).await;
    here.get(REPLACE).await.says(&format!("href=\"{WITH_CODE}\""));
    here.get(WITH_CODE)
        .await
        .is_account_page()
        .says("one of your recovery codes")
        .says("name=\"kind\" value=\"recovery\"");
    let code = owner.recovery_codes[0].clone();
    let fields = |password, code| [("kind", "recovery"), ("password", password), ("code", code)];
    here.submit(WITH_CODE, REPLACE, &fields("wrong", &code)).await.is(422).says("password is wrong");
    here.submit(WITH_CODE, REPLACE, &fields(PASSWORD, "aaaa-bbbb")).await.is(422).says("code is wrong");
    let right = owner.code(&product);
    here.submit(WITH_CODE, REPLACE, &fields(PASSWORD, &right)).await.is(422).says("code is wrong");
    // For any other step-up, it is not accepted.
    here.submit(CODES, CODES, &fields(PASSWORD, &code)).await.is(422).says("code is wrong");

    here.submit(WITH_CODE, REPLACE, &fields(PASSWORD, &code)).await.leads_to(CONFIRM);
    here.get(CODES).await.says("id=\"code\"");
    assert!(!opens(&product, "root", PASSWORD, "recovery", &code).await, "it is spent");
    let page = here.get(CONFIRM).await;
    let new = seed_on(&page).code_at(product.clock.now());
    here.post(CONFIRM, &page.form_token(), &[("code", &new)]).await.leads_to(SECURITY);
    assert!(!is_signed_in(&mut there).await);
    let records = here.get("/cam/records").await;
    records.says("password and recovery code");
}

#[apply(on_both_engines!)]
async fn a_replacement_waits_ten_minutes_and_is_seen_by_nobody_else(engine: Engine) {
    let (product, mut owner, mut here, mut there) = signed_in_twice(engine).await;
    with_proof(&product, &mut owner, &mut here, REPLACE).await.leads_to(CONFIRM);
    let page = here.get(CONFIRM).await;
    there.get(CONFIRM).await.leads_to(REPLACE);
    product.advance(Duration::from_mins(10));
    let code = seed_on(&page).code_at(product.clock.now());
    here.post(CONFIRM, &page.form_token(), &[("code", &code)]).await.leads_to(REPLACE);
    here.get(CONFIRM).await.leads_to(REPLACE);
    assert!(is_signed_in(&mut there).await);

    // A pending replacement is discarded when the credentials change.
    with_proof(&product, &mut owner, &mut here, REPLACE).await.leads_to(CONFIRM);
    change(&mut here, PASSWORD, None, NEW_PASSWORD).await.leads_to(SECURITY);
    here.get(CONFIRM).await.leads_to(REPLACE);
}

// Recovery codes.

#[apply(on_both_engines!)]
async fn new_recovery_codes_void_the_old_ones(engine: Engine) {
    let (product, mut owner, mut here, mut there) = signed_in_twice(engine).await;
    assert!(opens(&product, "root", PASSWORD, "recovery", &owner.recovery_codes[0]).await);
    here.get(CODES).await.is_account_page().says("shown only once").says("id=\"code\"");
    let page = with_proof(&product, &mut owner, &mut here, CODES).await;
    let codes = codes_on(page.is_account_page());
    assert_eq!(codes.len(), 10);
    page.says("I have saved these codes").says(&format!("href=\"data:text/plain;charset=utf-8,{}%0A", codes[0]));
    page.says("action=\"/cam/security\"").does_not_say("Step 3");
    here.get(SECURITY).await.says("You have 10 codes left").does_not_say(&codes[0]);
    assert!(!opens(&product, "root", PASSWORD, "recovery", &owner.recovery_codes[1]).await, "the old ones");
    assert!(opens(&product, "root", PASSWORD, "recovery", &codes[9]).await);
    assert!(is_signed_in(&mut there).await);
    assert_eq!(recorded(&product, "account.recovery-codes").await, ["done"]);
}

// Sessions.

#[apply(on_both_engines!)]
async fn sessions_are_listed_in_plain_words(engine: Engine) {
    let (product, mut owner, mut here, _there) = signed_in_twice(engine).await;
    for user_agent in [
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned(),
        format!("<script>alert(1)</script>{}", "x".repeat(5000)),
    ] {
        owner.code(&product);
        let mut browser = product.browser();
        owner.give_password(&mut browser).await;
        let token = browser.get("/login/code").await.form_token();
        product.advance(Duration::from_secs(30));
        let code = owner.code(&product);
        let form = [("form_token", token.as_str()), ("kind", "totp"), ("code", &code)];
        let request = browser.request(Method::POST, "/login/code").header("user-agent", user_agent).form(&form);
        browser.send(request).await.leads_to("/cam/capi");
    }
    let page = here.get(SECURITY).await;
    page.says("Firefox on Linux").says("Unknown browser").says("127.0.0.1").says("This session");
    page.does_not_say("alert(1)").does_not_say("xxxx");
    assert_eq!(page.body.matches("This session").count(), 1);
    assert_eq!(others(&mut here).await.len(), 3);

    // Ended sessions are not listed.
    let cookie = here.session_cookie().unwrap().clone();
    page.does_not_say(&cookie);
    product.advance(Duration::from_mins(10));
    is_signed_in(&mut here).await;
    product.advance(Duration::from_mins(6));
    assert_eq!(others(&mut here).await.len(), 0);
    here.get(SECURITY).await.does_not_say("End all others").says("This session");
}

#[apply(on_both_engines!)]
async fn a_session_is_ended_and_its_next_request_is_refused(engine: Engine) {
    let (product, mut owner, mut here, mut there) = signed_in_twice(engine).await;
    let mut third = owner.sign_in(&product).await;
    let before = others(&mut here).await;
    assert_eq!(before.len(), 2);
    // The most recently used first: the third session was the last to sign in.
    let act = format!("/cam/security/sessions/{}/end", before[0]);
    here.get(&act).await.is_account_page().says("End this session?").says("127.0.0.1").says("id=\"code\"");
    here.submit(SECURITY, &act, &[]).await.leads_to(&act);
    let code = owner.code(&product);
    here.submit(&act, &act, &[("password", "not the password"), ("code", &code)])
        .await
        .is(422)
        .says("id=\"password-error\"");
    here.submit(&act, &act, &[("password", PASSWORD), ("code", "000000")]).await.is(422).says("id=\"code-error\"");
    assert!(is_signed_in(&mut third).await);

    here.submit(&act, &act, &[("password", PASSWORD), ("code", &code)]).await.leads_to(SECURITY);
    assert!(!is_signed_in(&mut third).await);
    assert!(is_signed_in(&mut there).await);
    here.get(SECURITY).await.says("The session has ended.");
    here.submit(SECURITY, &act, &[]).await.is(404).says("Session not found");

    // Within the window, nothing is asked for. A session keeps its handle through step-ups.
    verify(&product, &mut owner, &mut there).await;
    let act = format!("/cam/security/sessions/{}/end", others(&mut here).await[0]);
    assert!(before.iter().any(|handle| act.contains(handle)));
    product.advance(Duration::from_secs(30));
    with_proof(&product, &mut owner, &mut here, CODES).await.is_account_page();
    here.submit(SECURITY, &act, &[]).await.leads_to(SECURITY);
    assert!(!is_signed_in(&mut there).await);
    assert_eq!(recorded(&product, "account.end-session").await, ["done", "done"]);
}

#[apply(on_both_engines!)]
async fn an_ended_session_does_not_come_back_with_a_step_up(engine: Engine) {
    let (product, mut owner, mut here, there) = signed_in_twice(engine).await;
    let handle = others(&mut here).await[0].clone();
    let act = format!("/cam/security/sessions/{handle}/end");
    let key = here.create_key().await;
    owner.reveal(&product, &mut here, &key).await;
    let show = format!("/cam/capi/keys/{key}/show");
    let code = owner.code(&product);
    // Whichever comes first, and at any point in between: after the end, the session is over.
    let mut stepping = there.clone();
    let token = stepping.get(&show).await.form_token();
    let (stepped, ended) =
        tokio::join!(async { stepping.post(&show, &token, &[("password", PASSWORD), ("code", &code)]).await }, async {
            here.submit(SECURITY, &act, &[]).await
        },);
    ended.leads_to(SECURITY);
    assert!(!stepped.status.is_server_error(), "{stepped:?}");
    assert!(stepping.get(SECURITY).await.location.is_some());
    assert!(others(&mut here).await.is_empty());
}

/// A step-up deletes the row of the old session ID before it inserts that of the new one.
#[apply(on_both_engines!)]
async fn a_session_can_be_ended_while_it_changes_its_id(engine: Engine) {
    let (product, mut owner, mut here, mut there) = signed_in_twice(engine).await;
    with_proof(&product, &mut owner, &mut here, CODES).await.is_account_page();
    let handle = others(&mut here).await[0].clone();
    let act = format!("/cam/security/sessions/{handle}/end");
    execute(&product.app.db, &format!("delete from session where handle = '{handle}'")).await;
    here.get(&act).await.is_account_page();
    here.submit(SECURITY, &act, &[]).await.leads_to(SECURITY);
    here.submit(SECURITY, &act, &[]).await.is(404);
    assert!(!is_signed_in(&mut there).await);
}

#[apply(on_both_engines!)]
async fn of_two_sessions_that_end_each_other_one_stays(engine: Engine) {
    let (product, mut owner, mut here, mut there) = signed_in_twice(engine).await;
    for browser in [&mut here, &mut there] {
        with_proof(&product, &mut owner, browser, CODES).await.is_account_page();
    }
    let acts = [others(&mut here).await, others(&mut there).await];
    let acts = acts.map(|others| format!("/cam/security/sessions/{}/end", others[0]));
    let tokens = [here.get(SECURITY).await.form_token(), there.get(SECURITY).await.form_token()];
    let (one, other) = tokio::join!(async { here.post(&acts[0], &tokens[0], &[]).await }, async {
        there.post(&acts[1], &tokens[1], &[]).await
    },);
    assert!(!one.status.is_server_error() && !other.status.is_server_error(), "{one:?} {other:?}");
    assert!(goes_on(&mut here, &one).await != goes_on(&mut there, &other).await);
    assert_eq!(recorded(&product, "account.end-session").await, ["done"]);
}

/// The case in which the second request is late, independent of timing.
#[apply(on_both_engines!)]
async fn an_ended_session_is_told_so_by_the_answer_to_its_form(engine: Engine) {
    let (product, mut owner, mut here, mut there) = signed_in_twice(engine).await;
    for browser in [&mut here, &mut there] {
        with_proof(&product, &mut owner, browser, CODES).await.is_account_page();
    }
    let acts = [others(&mut here).await, others(&mut there).await];
    let acts = acts.map(|others| format!("/cam/security/sessions/{}/end", others[0]));
    let token = there.get(SECURITY).await.form_token();
    here.submit(SECURITY, &acts[0], &[]).await.leads_to(SECURITY);
    let answer = there.post(&acts[1], &token, &[]).await;
    answer.leads_to(ENDED);
    assert!(here.get(SECURITY).await.location.is_none());
    assert!(!goes_on(&mut there, &answer).await);
    there.get(SECURITY).await.leads_to("/login");
}

#[apply(on_both_engines!)]
async fn all_other_sessions_are_ended(engine: Engine) {
    let (product, mut owner, mut here, mut there) = signed_in_twice(engine).await;
    let mut third = owner.sign_in(&product).await;
    let mut half = product.browser();
    owner.give_password(&mut half).await;
    let late_token = half.get("/login/code").await.form_token();
    here.submit(SECURITY, END_OTHERS, &[]).await.leads_to(END_OTHERS);
    here.submit(END_OTHERS, END_OTHERS, &[("password", "x"), ("code", "000000")]).await.is(422);
    assert!(is_signed_in(&mut there).await);
    let session = here.session_cookie().cloned();
    with_proof(&product, &mut owner, &mut here, END_OTHERS).await.leads_to(SECURITY);
    here.get(SECURITY).await.is_account_page().says("All other sessions have ended");
    assert_ne!(here.session_cookie().cloned(), session);
    assert!(!is_signed_in(&mut there).await && !is_signed_in(&mut third).await);
    let late = [("kind", "recovery"), ("code", owner.recovery_codes[0].as_str())];
    half.post("/login/code", &late_token, &late).await.leads_to("/login?notice=expired");
    assert_eq!(recorded(&product, "account.end-sessions").await, ["done"]);
}

#[apply(on_both_engines!)]
async fn sessions_of_others_cannot_be_ended(engine: Engine) {
    let (product, mut owner, mut here, _there) = signed_in_twice(engine).await;
    let (mut stranger, mut theirs) = product.signed_in("other").await;
    let mut second = stranger.sign_in(&product).await;
    let foreign = others(&mut theirs).await[0].clone();
    verify(&product, &mut owner, &mut here).await;
    let invented = "a".repeat(22);
    let cookie = second.session_cookie().unwrap().clone();
    for handle in [foreign.as_str(), &invented, "x", &cookie, "%00", "%3Cscript%3E"] {
        let act = format!("/cam/security/sessions/{handle}/end");
        here.get(&act).await.is(404).says("Session not found").does_not_say("127.0.0.1");
        here.submit(SECURITY, &act, &[]).await.is(404).says("Session not found");
    }
    assert!(is_signed_in(&mut second).await && is_signed_in(&mut theirs).await);
    // The handle of a session does not work as its ID.
    let mut thief = product.browser();
    thief.cookies.insert("__Host-latchkey-session".to_owned(), foreign);
    assert!(thief.get(SECURITY).await.location.is_some());
    assert!(recorded(&product, "account.end-session").await.is_empty());
}

#[apply(on_both_engines!)]
async fn signing_out_ends_a_session_for_good(engine: Engine) {
    let (_product, _owner, mut here, mut there) = signed_in_twice(engine).await;
    assert_eq!(others(&mut here).await.len(), 1);
    there.submit(SECURITY, "/logout", &[]).await.leads_to("/login?notice=signed-out");
    assert_eq!(others(&mut here).await.len(), 0);
}

// All operations.

#[apply(on_both_engines!)]
async fn nothing_is_done_without_verification(engine: Engine) {
    let (product, mut owner, mut here, mut there) = signed_in_twice(engine).await;
    let end = format!("/cam/security/sessions/{}/end", others(&mut here).await[0]);
    for act in [REPLACE, CODES, END_OTHERS, &end] {
        here.get(act).await.is_account_page().says("To continue, enter your password and a code");
        here.submit(SECURITY, act, &[]).await.leads_to(act);
        here.submit(SECURITY, act, &[("password", PASSWORD)]).await.leads_to(act);
        let code = owner.code(&product);
        here.submit(SECURITY, act, &[("code", &code)]).await.leads_to(act);
        here.submit(SECURITY, act, &[("password", "wrong"), ("code", &code)])
            .await
            .is(422)
            .says("id=\"password-error\"");
        here.submit(SECURITY, act, &[("password", PASSWORD), ("code", "000000")])
            .await
            .is(422)
            .says("id=\"code-error\"");
        product.advance(Duration::from_mins(1));
        is_signed_in(&mut there).await;
    }
    assert!(is_signed_in(&mut there).await);
    here.get(CONFIRM).await.leads_to(REPLACE);
    assert!(opens(&product, "root", PASSWORD, "recovery", &owner.recovery_codes[0]).await);
    for action in ["account.totp", "account.recovery-codes", "account.end-sessions", "account.end-session"] {
        assert!(recorded(&product, action).await.is_empty(), "{action}");
    }
}

#[apply(on_both_engines!)]
async fn a_window_of_zero_asks_for_every_act(engine: Engine) {
    let (product, mut owner, mut here) = without_window(engine).await;
    for act in [CODES, END_OTHERS, REPLACE, CODES] {
        here.submit(SECURITY, act, &[]).await.leads_to(act);
        let done = with_proof(&product, &mut owner, &mut here, act).await;
        assert!(matches!(done.status.as_u16(), 203 | 303) && done.location.as_deref() != Some(act), "{act}: {done:?}");
    }
    // A recent verification does not count, and its code is spent.
    let code = owner.code(&product);
    here.submit(CODES, CODES, &[("password", PASSWORD), ("code", &code)]).await.is_account_page();
    here.submit(CODES, CODES, &[("password", PASSWORD), ("code", &code)]).await.is(422).says("has just been used");
    change(&mut here, PASSWORD, Some(&code), NEW_PASSWORD).await.is(422).says("has just been used");
    change(&mut here, PASSWORD, None, NEW_PASSWORD).await.is(422).says("id=\"code-error\"");
}

#[apply(on_both_engines!)]
async fn wrong_codes_count_as_everywhere(engine: Engine) {
    let (product, mut owner, mut here, _there) = signed_in_twice(engine).await;
    for act in [REPLACE, CODES, END_OTHERS, REPLACE, CODES, END_OTHERS, REPLACE, CODES, END_OTHERS] {
        here.submit(act, act, &[("password", PASSWORD), ("code", "000000")]).await.is(422);
    }
    change(&mut here, PASSWORD, Some("000000"), NEW_PASSWORD).await.is(422);
    let code = owner.code(&product);
    change(&mut here, PASSWORD, Some(&code), NEW_PASSWORD).await.is(422).says("id=\"code-error\"");
    assert!(!opens(&product, "root", PASSWORD, "recovery", &owner.recovery_codes[0]).await, "nor for signing in");
}

#[apply(on_both_engines!)]
async fn forms_without_their_token_change_nothing(engine: Engine) {
    let (product, mut owner, mut here, mut there) = signed_in_twice(engine).await;
    verify(&product, &mut owner, &mut here).await;
    let end = format!("/cam/security/sessions/{}/end", others(&mut here).await[0]);
    let foreign = there.get(SECURITY).await.form_token();
    let fields = [("password", PASSWORD), ("new", NEW_PASSWORD), ("again", NEW_PASSWORD), ("code", "000000")];
    for act in [CHANGE, REPLACE, CONFIRM, CODES, END_OTHERS, &end] {
        for token in ["", "x", &foreign] {
            here.post(act, token, &fields).await.is(403).says("out of date");
        }
    }
    assert!(is_signed_in(&mut there).await);
    assert!(opens(&product, "root", PASSWORD, "recovery", &owner.recovery_codes[0]).await);
}

/// Attack 11: pending secrets are sealed as well, and codes that have been shown are hashed.
#[tokio::test(flavor = "multi_thread")]
async fn no_plain_secret_of_a_change_is_in_the_data() {
    let (product, mut owner, mut here, _there) = signed_in_twice(Engine::Sqlite).await;
    with_proof(&product, &mut owner, &mut here, REPLACE).await.leads_to(CONFIRM);
    let seed = seed_on(&here.get(CONFIRM).await).expose().to_vec();
    let codes = codes_on(&here.submit(CODES, CODES, &[]).await);
    change(&mut here, PASSWORD, None, NEW_PASSWORD).await.leads_to(SECURITY);
    let mut files = 0;
    for entry in std::fs::read_dir(product.store.dir.path().join("data")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        files += 1;
        for hidden in [seed.as_slice(), codes[0].as_bytes(), NEW_PASSWORD.as_bytes()] {
            assert!(!bytes.windows(hidden.len()).any(|window| window == hidden));
        }
    }
    assert!(files >= 3, "database, write-ahead log and master key");
}

/// Only where the operator has asked for it, only with both factors, and only for the window.
#[apply(on_both_engines!)]
async fn a_sign_in_verifies_where_that_is_set(engine: Engine) {
    let set = |mut given: latchkey::config::GivenSettings| {
        given.sign_in_verifies = Some(true);
        given
    };
    let product = Product::start_with(engine, set).await;
    let (owner, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    let show = format!("/cam/capi/keys/{key}/show");
    browser.submit("/cam/capi", &show, &[]).await.leads_to("/cam/capi#secret");
    product.advance(Duration::from_mins(5));
    browser.submit("/cam/capi", &show, &[]).await.leads_to(&show);

    let code = owner.recovery_codes[0].clone();
    let mut other = product.browser();
    owner.give_password(&mut other).await;
    let fields = [("kind", "recovery"), ("code", code.as_str())];
    other.submit("/login/code", "/login/code", &fields).await.leads_to("/cam/capi");
    other.submit("/cam/capi", &show, &[]).await.leads_to(&show);

    // Otherwise, showing a secret asks for both factors again.
    let product = Product::start(engine).await;
    let (_owner, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    let show = format!("/cam/capi/keys/{key}/show");
    browser.submit("/cam/capi", &show, &[]).await.leads_to(&show);
}
