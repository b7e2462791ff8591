//! Attack 8: every route × every stage; only the pairs that are meant to succeed do.

use std::time::Duration;

use latchkey::account::setup;
use latchkey::operate::accounts;
use reqwest::Method;

use crate::support::owner::PASSWORD;
use crate::support::{Browser, Product};

/// How far somebody has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Anonymous,
    Enrolling,
    PasswordOnly,
    /// Past the password, with the tries for the code used up.
    Locked,
    SignedIn,
    Verified,
    Idle,
    Ended,
    OldEpoch,
}

const STAGES: [Stage; 9] = [
    Stage::Anonymous,
    Stage::Enrolling,
    Stage::PasswordOnly,
    Stage::Locked,
    Stage::SignedIn,
    Stage::Verified,
    Stage::Idle,
    Stage::Ended,
    Stage::OldEpoch,
];
const IN: &[Stage] = &[Stage::SignedIn, Stage::Verified];
const HALF: &[Stage] = &[Stage::PasswordOnly, Stage::Locked];
const ENROLLING: &[Stage] = &[Stage::Enrolling];

/// Every route that is not for everybody, and the stages it is for. `{key}` is a key of the account.
const ROUTES: &[(&str, &str, &[Stage])] = &[
    ("GET", "/login/code", HALF),
    ("POST", "/login/code", HALF),
    ("GET", "/setup/authenticator", ENROLLING),
    ("POST", "/setup/authenticator", ENROLLING),
    ("GET", "/cam/capi", IN),
    ("POST", "/cam/capi/keys", IN),
    ("GET", "/cam/capi/keys/{key}", IN),
    ("GET", "/cam/capi/keys/{key}/show", IN),
    ("POST", "/cam/capi/keys/{key}/show", IN),
    ("GET", "/cam/capi/keys/{key}/disable", IN),
    ("POST", "/cam/capi/keys/{key}/disable", IN),
    ("POST", "/cam/capi/keys/{key}/enable", IN),
    ("GET", "/cam/capi/keys/{key}/delete", IN),
    ("POST", "/cam/capi/keys/{key}/delete", IN),
    ("POST", "/cam/capi/keys/{key}/remark", IN),
    ("GET", "/cam/records", IN),
    ("GET", "/cam/records.csv", IN),
    ("GET", "/cam/capi/keys/{key}/rotate", IN),
    ("GET", "/cam/capi/disable-all", IN),
    ("POST", "/cam/capi/disable-all", IN),
    ("GET", "/cam/security", IN),
    ("GET", "/cam/security/password", IN),
    ("POST", "/cam/security/password", IN),
    ("GET", "/cam/security/authenticator", IN),
    ("POST", "/cam/security/authenticator", IN),
    ("GET", "/cam/security/authenticator/new", IN),
    ("POST", "/cam/security/authenticator/new", IN),
    ("GET", "/cam/security/recovery-codes", IN),
    ("POST", "/cam/security/recovery-codes", IN),
    ("GET", "/cam/security/sessions/of-nobody/end", IN),
    ("POST", "/cam/security/sessions/of-nobody/end", IN),
    ("GET", "/cam/security/sessions/end-others", IN),
    ("POST", "/cam/security/sessions/end-others", IN),
    ("POST", "/cam/security/passkeys/options", IN),
    ("GET", "/cam/security/passkeys/add", IN),
    ("POST", "/cam/security/passkeys/add", IN),
    ("GET", "/cam/security/passkeys/new", IN),
    ("POST", "/cam/security/passkeys/new", IN),
    ("POST", "/cam/security/passkeys/new/options", IN),
    ("POST", "/cam/security/passkeys/of-nobody/name", IN),
    ("GET", "/cam/security/passkeys/of-nobody/remove", IN),
    ("POST", "/cam/security/passkeys/of-nobody/remove", IN),
];

/// A product whose account has a key, and a browser at `stage`.
async fn at(engine: crate::support::Engine, stage: Stage) -> (Product, Browser, String) {
    let product = Product::start(engine).await;
    let link = accounts::first_setup_link(&product.app).await.unwrap().unwrap();
    let mut enrolling = product.browser();
    if stage == Stage::Enrolling {
        let address = setup::link_address(&product.url().parse().unwrap(), &link);
        let path = address[address.find("/setup").unwrap()..].to_owned();
        let token = path.split_once("token=").unwrap().1.to_owned();
        let fields = [("token", token.as_str()), ("name", "new"), ("password", PASSWORD), ("again", PASSWORD)];
        enrolling.submit(&path, "/setup", &fields).await.leads_to("/setup/authenticator");
    }
    let (mut owner, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    match stage {
        Stage::Anonymous => browser = product.browser(),
        Stage::Enrolling => browser = enrolling,
        Stage::PasswordOnly => {
            browser = product.browser();
            owner.give_password(&mut browser).await;
        }
        Stage::Locked => {
            browser = product.browser();
            owner.give_password(&mut browser).await;
            for _ in 0..10 {
                let wrong = [("kind", "totp"), ("code", "000000")];
                browser.submit("/login/code", "/login/code", &wrong).await.is(422);
            }
            // From here on the right code does not help either.
            let code = owner.code(&product);
            let right = [("kind", "totp"), ("code", code.as_str())];
            browser.submit("/login/code", "/login/code", &right).await.is(422);
        }
        Stage::SignedIn => {}
        Stage::Verified => {
            owner.reveal(&product, &mut browser, &key).await;
        }
        Stage::Idle => product.advance(Duration::from_mins(15)),
        Stage::Ended => {
            accounts::end_sessions(&product.app, "root").await.unwrap();
        }
        Stage::OldEpoch => {
            // As a change of the password does, without the ending of sessions that goes with it.
            let mut tx = product.app.db.begin().await.unwrap();
            latchkey::db::accounts::set_password(&mut tx, owner.uin, "$argon2id$changed").await.unwrap();
            tx.commit().await.unwrap();
        }
    }
    (product, browser, key)
}

on_both_engines! {
    async fn only_the_right_stage_gets_through(engine) {
        for stage in STAGES {
            let (_product, mut browser, key) = at(engine, stage).await;
            for (method, path, allowed) in ROUTES {
                let path = path.replace("{key}", &key);
                let mut visitor = browser.clone();
                let method: Method = method.parse().unwrap();
                let page = if method == Method::GET {
                    visitor.get(&path).await
                } else {
                    let from = match stage {
                        Stage::PasswordOnly | Stage::Locked => "/login/code",
                        Stage::Enrolling => "/setup/authenticator",
                        Stage::SignedIn | Stage::Verified => "/cam/capi",
                        _ => "/login",
                    };
                    visitor.submit(from, &path, &[("kind", "totp"), ("code", "000000"), ("remark", "x")]).await
                };
                let sent_to_sign_in = page.location.as_deref().is_some_and(|to| to.starts_with("/login?") || to == "/login");
                let let_in = !sent_to_sign_in;
                assert_eq!(let_in, allowed.contains(&stage), "{stage:?} {method} {path}: {} {:?}", page.status, page.location);
                assert!(!page.status.is_server_error(), "{stage:?} {method} {path}");
                if let_in {
                    // Some acts go on under a new session id.
                    browser = visitor;
                }
            }
        }
    }

    /// The secret itself: only a verification opens it.
    async fn only_a_verified_session_sees_a_secret(engine) {
        for stage in STAGES {
            let (_product, mut browser, key) = at(engine, stage).await;
            // The reveal of reaching the stage is over.
            browser.get("/cam/capi").await;
            let from = if matches!(stage, Stage::SignedIn | Stage::Verified) { "/cam/capi" } else { "/login" };
            browser.submit(from, &format!("/cam/capi/keys/{key}/show"), &[]).await;
            let shown = browser.get("/cam/capi").await.secret().is_some();
            assert_eq!(shown, stage == Stage::Verified, "{stage:?}");
        }
    }
}
