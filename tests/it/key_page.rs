//! The page of a key: its calls, counted and listed, and new ones as they arrive.

use std::time::Duration;

use latchkey::check::usage::CheckedCall;
use latchkey::types::clock::Timestamp;
use latchkey::types::id::RequestId;
use latchkey::types::reason::Reason;
use reqwest::{Method, Response};

use crate::support::signer::{Call, Signer};
use crate::support::{Browser, Engine, Owner, Product, START};

async fn with_signer(engine: Engine) -> (Product, Owner, Browser, Signer) {
    let product = Product::start(engine).await;
    let (mut owner, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    let secret = owner.reveal(&product, &mut browser, &key).await;
    let signer = Signer::new(product.api, &key, &secret);
    (product, owner, browser, signer)
}

/// Records a call as the check would.
async fn record(product: &Product, key: &str, at: Timestamp, action: &str, address: [u8; 4], refused: bool) -> String {
    let fresh = product.app.registry.fresh().await.unwrap();
    let key = product.app.registry.get(&fresh, key).unwrap();
    let (request_id, refusal) = (RequestId::generate(), refused.then_some(Reason::WrongSignature));
    let call = CheckedCall { at, request_id, action, address: address.into(), refusal, diagnosed: None };
    product.app.usage.record(&key.usage, call);
    request_id.to_string()
}

#[apply(on_both_engines!)]
async fn calls_are_filtered(engine: Engine) {
    let (product, _owner, mut browser, signer) = with_signer(engine).await;
    let key = &signer.secret_id;
    let get = record(&product, key, START, "GET /a%b_c", [192, 0, 2, 1], false).await;
    let post = record(&product, key, START, "POST /orders", [192, 0, 2, 20], false).await;
    let refused = record(&product, key, START, "POST /orders", [198, 51, 100, 3], true).await;
    for (query, expected) in [
        ("", vec![&get, &post, &refused]),
        ("?result=refused", vec![&refused]),
        ("?result=accepted", vec![&get, &post]),
        ("?result=nonsense", vec![&get, &post, &refused]),
        ("?action=post", vec![&post, &refused]),
        ("?action=%25", vec![&get]),
        ("?action=_", vec![&get]),
        ("?action=%21", vec![]),
        ("?address=192.0.2", vec![&get, &post]),
        ("?action=+orders+&address=192&result=accepted", vec![&post]),
        ("?before=nonsense", vec![&get, &post, &refused]),
        ("?address=%00%F0%9F%98%80", vec![]),
    ] {
        let page = browser.get(&format!("/cam/capi/keys/{key}{query}")).await;
        page.is_account_page();
        for id in [&get, &post, &refused] {
            let is_listed = page.body.contains(&format!("id=\"call-{id}\""));
            assert_eq!(is_listed, expected.contains(&id), "{query}");
        }
        if expected.is_empty() {
            page.says("No listed call matches this filter.");
        }
    }
    // The filter is kept, and is left again.
    let page = browser.get(&format!("/cam/capi/keys/{key}?action=POST&result=refused&by=hour")).await;
    page.says("name=\"action\" value=\"POST\"").says("value=\"refused\" selected").says("name=\"by\" value=\"hour\"");
    page.says("Clear filter").says(&format!("data-live=\"/cam/capi/keys/{key}/calls?result=refused&#38;action=POST"));
}

/// Also where many calls have the same time.
#[apply(on_both_engines!)]
async fn older_calls_are_on_further_pages(engine: Engine) {
    let (product, _owner, mut browser, signer) = with_signer(engine).await;
    let mut sent = Vec::new();
    for n in 0..40 {
        let at = START.plus(Duration::from_millis(n / 15));
        sent.push(record(&product, &signer.secret_id, at, "A", [192, 0, 2, 1], false).await);
    }
    let first = browser.get(&format!("/cam/capi/keys/{}?action=a", signer.secret_id)).await;
    let older = first.between("rel=\"next\" href=\"", "\"").unwrap().replace("&#38;", "&").replace("#calls", "");
    let second = browser.get(&older).await;
    second.says("rel=\"prev\"").does_not_say("rel=\"next\"").does_not_say("data-live");
    for id in sent {
        let row = format!("id=\"call-{id}\"");
        assert_ne!(first.body.contains(&row), second.body.contains(&row), "each call is on one page");
    }
}

#[apply(on_both_engines!)]
async fn a_refused_call_leads_to_its_diagnosis(engine: Engine) {
    let (product, _owner, mut browser, signer) = with_signer(engine).await;
    let call = Call::identity(product.clock.now());
    let accepted = signer.send(&call).await["RequestId"].as_str().unwrap().to_owned();
    let wrong = Signer { secret_key: "x".repeat(32), ..signer.clone() };
    let refused = wrong.send(&call).await["RequestId"].as_str().unwrap().to_owned();
    let page = browser.get(&format!("/cam/capi/keys/{}", signer.secret_id)).await;
    page.says(&format!("title=\"{accepted}\"")).says(&format!("title=\"{refused}\""));
    page.says(&format!("<a href=\"/cam/capi/refused?request_id={refused}\">Refused: wrong signature</a>"));
    page.does_not_say(&format!("request_id={accepted}"));
}

#[apply(on_both_engines!)]
async fn calls_are_counted_by_hour_and_by_day(engine: Engine) {
    let (product, _owner, mut browser, signer) = with_signer(engine).await;
    let hours = |hours| START.minus(Duration::from_hours(hours));
    for back in [0, 0, 1, 47, 48, 24 * 29, 24 * 30] {
        record(&product, &signer.secret_id, hours(back), "A", [192, 0, 2, 1], back == 1).await;
    }
    let key = format!("/cam/capi/keys/{}", signer.secret_id);
    let page = browser.get(&format!("{key}?by=hour")).await;
    page.says(&format!("{}: 2 accepted, 0 refused", START.utc_hour()));
    page.says(&format!("{}: 0 accepted, 1 refused", hours(1).utc_hour()));
    page.says(&format!("{}: 1 accepted, 0 refused", hours(47).utc_hour()));
    page.does_not_say(&format!("{}: 1 accepted", hours(48).utc_hour()))
        .says("Accepted 3")
        .says("Refused 1")
        .says("Busiest hour: 2 calls");
    let page = browser.get(&key).await;
    page.says(&format!("{}: 1 accepted, 0 refused", hours(24 * 29).utc_date())).says("Accepted 5").says("Refused 1");
}

/// The acts in the head of the page lead back to it, except for deletion.
#[apply(on_both_engines!)]
async fn a_key_is_operated_on_its_own_page(engine: Engine) {
    let (_product, _owner, mut browser, signer) = with_signer(engine).await;
    let key = format!("/cam/capi/keys/{}", signer.secret_id);
    let from = [("key", signer.secret_id.as_str())];
    browser.get(&key).await.says(&format!("action=\"{key}/show\"")).says(&format!("href=\"{key}/rotate\""));
    browser.submit(&key, &format!("{key}/disable"), &from).await.leads_to(&key);
    browser.get(&key).await.says("Disabled").says(&format!("action=\"{key}/enable\""));
    browser.submit(&key, &format!("{key}/enable"), &from).await.leads_to(&key);
    browser.submit(&key, &format!("{key}/disable"), &from).await.leads_to(&key);
    let dialog = browser.get(&key).await.between(&format!("<form method=\"post\" action=\"{key}/delete\""), "</form>");
    assert!(!dialog.unwrap().contains("name=\"key\""), "after deletion, the page no longer exists");
    browser.submit(&key, &format!("{key}/delete"), &[]).await.leads_to("/cam/capi");
}

/// The stream of new calls.
struct Watched(Response, String);

impl Watched {
    async fn open(browser: &Browser, path: &str) -> Self {
        let response = browser.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self(response, String::new())
    }

    /// Reads until the stream contains `text`. Returns `false` if it ends before.
    async fn reads(&mut self, text: &str) -> bool {
        while !self.1.contains(text) {
            let Some(chunk) = self.0.chunk().await.unwrap() else { return false };
            self.1.push_str(str::from_utf8(&chunk).unwrap());
        }
        true
    }
}

#[apply(on_both_engines!)]
async fn new_calls_appear_by_themselves(engine: Engine) {
    let (product, _owner, mut browser, signer) = with_signer(engine).await;
    let calls = format!("/cam/capi/keys/{}/calls", signer.secret_id);
    let mut all = Watched::open(&browser, &calls).await;
    let mut only_refused = Watched::open(&browser, &format!("{calls}?result=refused")).await;
    let call = Call::identity(product.clock.now());
    let accepted = signer.send(&call).await["RequestId"].as_str().unwrap().to_owned();
    assert!(all.reads(&accepted).await);
    let wrong = Signer { secret_key: "x".repeat(32), ..signer.clone() };
    let refused = wrong.send(&call).await["RequestId"].as_str().unwrap().to_owned();
    assert!(all.reads(&refused).await && only_refused.reads(&refused).await);
    assert!(only_refused.1.contains("\"diagnosis\":\"/cam/capi/refused?request_id="), "{}", only_refused.1);
    assert!(!only_refused.1.contains(&accepted), "the filter applies");
    assert_eq!(all.1.matches(&accepted).count(), 1, "each call is sent once: {}", all.1);

    // Another account's key is as unknown here as on its page.
    let (_other, mut stranger) = product.signed_in("other").await;
    stranger.get(&calls).await.is(404);

    // Signing out ends what the session watches.
    browser.submit("/cam/capi", "/logout", &[]).await;
    assert!(all.reads("event: over").await);
    assert!(!all.reads("anything after it").await);
}

/// Watching is not using: an idle session ends, whatever is open.
#[apply(on_both_engines!)]
async fn watching_does_not_keep_a_session_alive(engine: Engine) {
    let (product, _owner, browser, signer) = with_signer(engine).await;
    let mut all = Watched::open(&browser, &format!("/cam/capi/keys/{}/calls", signer.secret_id)).await;
    let call = signer.send(&Call::identity(product.clock.now())).await["RequestId"].as_str().unwrap().to_owned();
    assert!(all.reads(&call).await);
    product.advance(Duration::from_mins(15));
    assert!(all.reads("event: over").await);
    let mut browser = browser;
    browser.get("/cam/capi").await.leads_to("/login?notice=expired");
}

/// A server that is told to stop ends its streams.
#[apply(on_both_engines!)]
async fn a_stream_does_not_hold_up_the_stop(engine: Engine) {
    let (product, _owner, browser, signer) = with_signer(engine).await;
    let mut all = Watched::open(&browser, &format!("/cam/capi/keys/{}/calls", signer.secret_id)).await;
    product.app.stopping.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(!all.reads("event: over").await, "the browser tries again, on the next server");
    product.stop().await;
}

/// Only so many pages can watch at a time.
#[apply(on_both_engines!)]
async fn streams_are_limited(engine: Engine) {
    let (_product, _owner, mut browser, signer) = with_signer(engine).await;
    let calls = format!("/cam/capi/keys/{}/calls", signer.secret_id);
    let mut open = Vec::new();
    while open.len() < 64 {
        open.push(Watched::open(&browser, &calls).await);
    }
    browser.get(&calls).await.is(503);
    drop(open);
    browser.get(&format!("/cam/capi/keys/{}", signer.secret_id)).await.is_account_page();
}
