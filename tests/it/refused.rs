//! `/cam/capi/refused`: looking up the reason for a refused call.

use std::sync::Arc;
use std::time::Duration;

use latchkey::check::usage::{CheckedCall, RefusedCall, UsageCounter};
use latchkey::config::GivenSettings;
use latchkey::signature::diagnosis::Diagnosis;
use latchkey::types::id::RequestId;
use latchkey::types::reason::Reason;
use serde_json::json;

use crate::support::signer::{Call, Signer};
use crate::support::{Browser, Engine, Owner, Product};

async fn with_signer(engine: Engine) -> (Product, Owner, Browser, Signer) {
    let product = Product::start(engine).await;
    let (mut owner, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    let secret = owner.reveal(&product, &mut browser, &key).await;
    let signer = Signer::new(product.api, &key, &secret);
    (product, owner, browser, signer)
}

/// Sends a call that is refused, and returns the RequestId the caller is told.
async fn refused(signer: &Signer, call: &Call) -> String {
    let response = signer.send(call).await;
    assert!(response["Error"]["Code"].is_string(), "{response}");
    response["RequestId"].as_str().unwrap().to_owned()
}

fn look_up(request_id: &str) -> String {
    format!("/cam/capi/refused?request_id={request_id}")
}

#[apply(on_both_engines!)]
async fn the_cause_is_named_and_the_server_shows_what_it_made_of_the_call(engine: Engine) {
    let (product, _owner, mut browser, signer) = with_signer(engine).await;
    let identity = Call::identity(product.clock.now());
    let host = Call { signed_host: Some("sts.tencentcloudapi.com".to_owned()), ..identity.clone() };
    let id = refused(&signer, &host).await;
    let page = browser.get(&look_up(&id)).await;
    page.is_account_page().says("The signed host is not").says("GetCallerIdentity").says(&signer.secret_id);
    page.says("POST\n/\n\ncontent-type:application/json\n").says(&format!("host:{}", signer.address));
    page.says("TC3-HMAC-SHA256\n").says("/sts/tc3_request").does_not_say(&signer.secret_key);

    let date = Call { date: "2001-01-01".to_owned(), ..identity.clone() };
    let id = refused(&signer, &date).await;
    browser.get(&look_up(&id)).await.says("is not the UTC date of X-TC-Timestamp");

    let authorization =
        signer.authorization(&Call { content_type: "application/json; charset=utf-8".to_owned(), ..identity.clone() });
    let answer = crate::support::signer::answer(signer.request(&identity, &authorization)).await;
    browser.get(&look_up(answer["RequestId"].as_str().unwrap())).await.says("The signed Content-Type is not");

    let authorization = signer.authorization(&Call { body: String::new(), ..identity.clone() });
    let answer = crate::support::signer::answer(signer.request(&identity, &authorization)).await;
    browser.get(&look_up(answer["RequestId"].as_str().unwrap())).await.says("An empty body was signed");

    let authorization = signer.authorization(&identity);
    let sent = Call { query: "a=1".to_owned(), ..identity.clone() };
    let answer = crate::support::signer::answer(signer.request(&sent, &authorization)).await;
    browser.get(&look_up(answer["RequestId"].as_str().unwrap())).await.says("The signed query is not");

    let other = Signer { secret_key: "x".repeat(32), ..signer.clone() };
    let id = refused(&other, &identity).await;
    browser.get(&look_up(&id)).await.says("Check the SecretKey first");
}

#[apply(on_both_engines!)]
async fn a_right_signature_is_said_to_be_right(engine: Engine) {
    let (product, _owner, mut browser, signer) = with_signer(engine).await;
    let late = Call::identity(product.clock.now().minus(Duration::from_mins(6)));
    let id = refused(&signer, &late).await;
    browser.get(&look_up(&id)).await.says("clock was too far off").says("but it is 6 minutes old");
    let early = Call::identity(product.clock.now().plus(Duration::from_hours(3)));
    let id = refused(&signer, &early).await;
    browser.get(&look_up(&id)).await.says("the clock of the machine that signed is 3 hours ahead");
    browser.operate(&format!("/cam/capi/keys/{}/disable", signer.secret_id), &[]).await;
    let id = refused(&signer, &Call::identity(product.clock.now())).await;
    browser.get(&look_up(&id)).await.says("the key was disabled").says("The signature is right");
}

#[apply(on_both_engines!)]
async fn only_the_owner_sees_it(engine: Engine) {
    let (product, _owner, mut browser, signer) = with_signer(engine).await;
    let wrong = Signer { secret_key: "x".repeat(32), ..signer.clone() };
    let id = refused(&wrong, &Call::identity(product.clock.now())).await;
    let (_other, mut stranger) = product.signed_in("other").await;
    stranger.get(&look_up(&id)).await.says("None of your keys has a refused call").does_not_say("Canonical request");
    product.browser().get(&look_up(&id)).await.leads_to("/login");
    browser.get(&look_up(&id.to_uppercase())).await.says("Canonical request");
    for asked in ["", "nothing", "%00", &"x".repeat(500), "%F0%9F%98%80", "'--"] {
        browser.get(&look_up(asked)).await.is_account_page().does_not_say("Canonical request");
    }
}

/// A back end that asks about a call is told the ID as well, and can pass it on.
#[apply(on_both_engines!)]
async fn a_call_that_a_back_end_asked_about_is_looked_up_too(engine: Engine) {
    let tokens = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(tokens.path(), "a token of a back end").unwrap();
    let with_tokens = |given| GivenSettings { verify_token_file: Some(tokens.path().to_owned()), ..given };
    let product = Product::start_with(engine, with_tokens).await;
    let (mut owner, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    let secret = owner.reveal(&product, &mut browser, &key).await;
    let signer = Signer::new(product.api, &key, &secret);
    let call = Call { signed_host: Some("elsewhere.example".to_owned()), ..Call::identity(product.clock.now()) };
    let question = json!({
        "method": "POST",
        "uri": "/",
        "headers": {
            "Host": product.api.to_string(),
            "Content-Type": call.content_type,
            "X-TC-Timestamp": call.timestamp.to_string(),
            "X-Forwarded-Host": "elsewhere.example",
            "Authorization": signer.authorization(&call),
        },
        "body_sha256": latchkey::signature::tc3::payload_hash(false, call.body.as_bytes()),
    });
    let request = signer.client.post(format!("http://{}/v1/verify", product.api));
    let answer = request.bearer_auth("a token of a back end").json(&question).send().await.unwrap();
    let told: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(told["code"], "AuthFailure.SignatureFailure", "{told}");
    browser.get(&look_up(told["request_id"].as_str().unwrap())).await.says("The signed host is not").says("POST /");
}

/// In a flood of wrong signatures, only some calls are diagnosed and kept.
#[apply(on_both_engines!)]
async fn a_flood_is_bounded(engine: Engine) {
    let (product, _owner, mut browser, signer) = with_signer(engine).await;
    let recorder = &product.app.usage;
    let looked_into = (0..10_000).filter(|_| recorder.takes_diagnosis()).count();
    assert!((1..=32).contains(&looked_into), "{looked_into}: the budget of one second, or of two at its turn");
    let ids: Vec<RequestId> = (0..130).map(|_| RequestId::generate()).collect();
    let key = Arc::new(UsageCounter::new(signer.secret_id.parse().unwrap(), product.clock.now()));
    for (at, request_id) in (0..).zip(&ids) {
        let at = product.clock.now().plus(Duration::from_millis(at));
        let diagnosis = Diagnosis {
            canonical_request: "é".repeat(9000),
            string_to_sign: "to sign".to_owned(),
            variant_was_signed: false,
            cause: None,
        };
        let diagnosed = Some(RefusedCall { signed_at: at, diagnosis });
        let (action, address, refusal) = ("Flood", [192, 0, 2, 1].into(), Some(Reason::WrongSignature));
        recorder.record(&key, CheckedCall { at, request_id: *request_id, action, address, refusal, diagnosed });
    }
    recorder.flush().await;
    browser.get(&look_up(&ids[0].to_string())).await.says("None of your keys");
    browser.get(&look_up(&ids[28].to_string())).await.says("None of your keys");
    let page = browser.get(&look_up(&ids[129].to_string())).await;
    page.says("Flood").says(&"é".repeat(4096)).does_not_say(&"é".repeat(4097));
}
