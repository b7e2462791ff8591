//! Attack 8: every route of the console × every stage. Only the intended pairs succeed. The routes are those that the
//! router is built from.

use std::time::Duration;

use latchkey::account::setup;
use latchkey::console::{Route, Who, routes};
use latchkey::operate::accounts;
use reqwest::Method;

use crate::support::owner::PASSWORD;
use crate::support::{Browser, Engine, Product};

/// The stage that a visitor has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Anonymous,
    Enrolling,
    PasswordOnly,
    /// After the password, with all attempts for the code used up.
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
/// The stages that may use a route.
fn allowed(who: Who) -> &'static [Stage] {
    match who {
        Who::Anybody => &STAGES,
        Who::Enrolling => &[Stage::Enrolling],
        Who::PasswordAccepted => &[Stage::PasswordOnly, Stage::Locked],
        Who::SignedIn => &[Stage::SignedIn, Stage::Verified],
    }
}

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
            // From here on, the correct code is refused as well.
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
            // The effect of a password change, but without ending the sessions.
            let mut tx = product.app.db.begin().await.unwrap();
            latchkey::db::accounts::set_password(&mut tx, owner.uin, "$argon2id$changed").await.unwrap();
            tx.commit().await.unwrap();
        }
    }
    (product, browser, key)
}

#[apply(on_both_engines!)]
async fn only_the_right_stage_gets_through(engine: Engine) {
    for stage in STAGES {
        let (_product, mut browser, key) = at(engine, stage).await;
        for Route { method, path, who, .. } in routes().into_iter().filter(|route| route.who != Who::Anybody) {
            let path = path.replace("{secret_id}", &key).replace("{handle}", "of-nobody");
            let mut visitor = browser.clone();
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
            let sent_to_sign_in =
                page.location.as_deref().is_some_and(|to| to.starts_with("/login?") || to == "/login");
            let let_in = !sent_to_sign_in;
            assert_eq!(
                let_in,
                allowed(who).contains(&stage),
                "{stage:?} {method} {path}: {} {:?}",
                page.status,
                page.location
            );
            assert!(!page.status.is_server_error(), "{stage:?} {method} {path}");
            if let_in {
                // Some operations take a new session ID.
                browser = visitor;
            }
        }
    }
}

/// Only a verified session opens the secret itself.
#[apply(on_both_engines!)]
async fn only_a_verified_session_sees_a_secret(engine: Engine) {
    for stage in STAGES {
        let (_product, mut browser, key) = at(engine, stage).await;
        // The reveal that was used to reach the stage is over.
        browser.get("/cam/capi").await;
        let from = if matches!(stage, Stage::SignedIn | Stage::Verified) { "/cam/capi" } else { "/login" };
        browser.submit(from, &format!("/cam/capi/keys/{key}/show"), &[]).await;
        let shown = browser.get("/cam/capi").await.secret().is_some();
        assert_eq!(shown, stage == Stage::Verified, "{stage:?}");
    }
}
