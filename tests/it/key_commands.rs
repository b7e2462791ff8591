//! Managing keys without the console: the emergency stop.

use latchkey::db::audit as chain;
use serde_json::Value;

use crate::support::process::{failure, latchkey, run};
use crate::support::signer::Signer;
use crate::support::{Engine, Product};

fn stdout(product: &Product, arguments: &[&str]) -> String {
    let output = run(latchkey(&product.store, arguments), "");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

#[apply(on_both_engines!)]
async fn a_key_disabled_by_the_operator_is_refused_on_the_next_request(engine: Engine) {
    let product = Product::start(engine).await;
    let (mut owner, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    let secret = owner.reveal(&product, &mut browser, &key).await;
    let signer = Signer::new(product.api, &key, &secret);
    for _ in 0..3 {
        assert_eq!(signer.refusal(product.clock.now()).await, None);
        assert_eq!(stdout(&product, &["key", "disable", &key]), format!("{key} disabled\n"));
        let refusal = signer.refusal(product.clock.now()).await;
        assert_eq!(refusal.as_deref(), Some("AuthFailure.SecretIdNotFound"));
        assert_eq!(stdout(&product, &["key", "disable", &key]), format!("{key} disabled already\n"));
        assert_eq!(stdout(&product, &["key", "enable", &key]), format!("{key} enabled\n"));
    }
    let rows = chain::page(&product.app.db, 0, 100).await.unwrap();
    let last: Vec<_> = rows.iter().rev().take(2).map(|row| (row.action.as_str(), row.actor.as_str())).collect();
    assert_eq!(last, [("key.enable", "operator"), ("key.disable", "operator")]);
    assert!(rows.iter().rev().take(2).all(|row| row.target.as_deref() == Some(&key) && row.uin == Some(owner.uin)));
    assert!(stdout(&product, &["audit", "verify"]).contains("intact"));
}

#[apply(on_both_engines!)]
async fn all_keys_of_an_account_are_disabled_and_nobody_elses(engine: Engine) {
    let product = Product::start(engine).await;
    let (_, mut browser) = product.signed_in("root").await;
    let (_, mut others) = product.signed_in("other").await;
    let keys = [browser.create_key().await, browser.create_key().await];
    let theirs = others.create_key().await;
    assert_eq!(stdout(&product, &["key", "disable", "--all-of", " ROOT "]).lines().count(), 2);
    assert!(stdout(&product, &["key", "disable", "--all-of", "root"]).contains("no enabled key"));

    let listed: Value = serde_json::from_str(&stdout(&product, &["key", "list", "--json"])).unwrap();
    let state =
        |id: &str| listed.as_array().unwrap().iter().find(|key| key["secret_id"] == id).unwrap()["state"].clone();
    assert_eq!(
        (state(&keys[0]), state(&keys[1]), state(&theirs)),
        ("disabled".into(), "disabled".into(), "enabled".into())
    );
    let of_other = stdout(&product, &["key", "list", "other"]);
    assert!(of_other.contains(&theirs) && !of_other.contains(&keys[0]), "{of_other}");
    assert!(failure(latchkey(&product.store, &["key", "list", "nobody"]), 1).contains("no account with this name"));
}

#[apply(on_both_engines!)]
async fn one_wrong_key_does_not_stop_the_others(engine: Engine) {
    let product = Product::start(engine).await;
    let (_, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    let unknown = format!("AKID{}", "0".repeat(32));
    let said = failure(latchkey(&product.store, &["key", "disable", &unknown, &key]), 1);
    assert!(said.contains(&format!("{unknown} is not disabled: no such key")), "{said}");
    assert!(said.contains("1 of 2 keys"), "{said}");
    assert!(stdout(&product, &["key", "list"]).contains(&format!("{key}  disabled")));
    for usage in [["key", "disable", "AKID1"].as_slice(), &["key", "disable"], &["key", "enable"]] {
        failure(latchkey(&product.store, usage), 2);
    }
}
