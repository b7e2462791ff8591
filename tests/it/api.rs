//! The signed API at `/`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::support::signer::{Call, Signer, V1Call, answer, error_code};
use crate::support::{Browser, Engine, Owner, Product};

struct Fixture {
    product: Product,
    owner: Owner,
    browser: Browser,
    key: String,
    signer: Signer,
}

async fn fixture(engine: crate::support::Engine) -> Fixture {
    let product = Product::start(engine).await;
    let (mut owner, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    let secret = owner.reveal(&product, &mut browser, &key).await;
    let signer = Signer::new(product.api, &key, &secret);
    Fixture { product, owner, browser, key, signer }
}

impl Fixture {
    async fn operate(&mut self, action: &str) {
        self.browser.operate(&format!("/cam/capi/keys/{}/{action}", self.key), &[]).await;
    }

    async fn code(&self, call: &Call) -> Option<String> {
        error_code(&self.signer.send(call).await)
    }

    fn identity(&self) -> Call {
        Call::identity(self.product.clock.now())
    }
}

#[apply(on_both_engines!)]
async fn a_signed_call_is_answered_with_the_identity(engine: Engine) {
    let f = fixture(engine).await;
    let uin = f.owner.uin.to_string();
    let response = f.signer.send(&f.identity()).await;
    assert_eq!(response["AccountId"], json!(uin));
    assert_eq!(response["Arn"], json!(format!("qcs::cam:{uin}:uin/{uin}")));
    assert_eq!(response["Type"], json!("CAMUser"));

    let get = Call {
        method: "GET",
        body: String::new(),
        content_type: "application/x-www-form-urlencoded".to_owned(),
        ..f.identity()
    };
    assert_eq!(f.code(&get).await, None);
    let unsigned = Call {
        unsigned_payload: true,
        extra_headers: vec![("x-tc-content-sha256", "UNSIGNED-PAYLOAD".to_owned())],
        ..f.identity()
    };
    assert_eq!(f.code(&unsigned).await, None);
    let host_without_port = Call { signed_host: Some("127.0.0.1".to_owned()), ..f.identity() };
    assert_eq!(f.code(&host_without_port).await, None);
    let more_headers = Call { signed_headers: "content-type;host;x-tc-action".to_owned(), ..f.identity() };
    assert_eq!(f.code(&more_headers).await, None);
    let odd_service = Call { service: "localhost:8081".to_owned(), ..f.identity() };
    assert_eq!(f.code(&odd_service).await, None);
}

#[apply(on_both_engines!)]
async fn version_1_signatures_are_checked_too(engine: Engine) {
    let mut f = fixture(engine).await;
    let now = f.product.clock.now();
    for (post, sha256) in [(false, false), (false, true), (true, false), (true, true)] {
        let call = f.signer.v1_identity(now, post, sha256);
        let signature = f.signer.v1_signature(&call);
        let response = f.signer.send_v1(&call, &signature).await;
        assert_eq!(response["AccountId"], json!(f.owner.uin.to_string()), "{post} {sha256}: {response}");

        let refused =
            async |call: &V1Call, signature: &str| error_code(&f.signer.send_v1(call, signature).await).unwrap();
        let mut altered = call.clone();
        altered.params[3].1.push('1');
        assert_eq!(refused(&altered, &signature).await, "AuthFailure.SignatureFailure");
        let mut other_method = call.clone();
        other_method.post = !post;
        assert_eq!(refused(&other_method, &signature).await, "AuthFailure.SignatureFailure");
        assert_eq!(refused(&call, "AAAA").await, "AuthFailure.InvalidAuthorization");
        let mut twice = call.clone();
        twice.params.push(("Nonce".to_owned(), "2".to_owned()));
        assert_eq!(refused(&twice, &signature).await, "AuthFailure.InvalidAuthorization");
        let late = f.signer.v1_identity(now.minus(Duration::from_secs(301)), post, sha256);
        assert_eq!(refused(&late, &f.signer.v1_signature(&late)).await, "AuthFailure.SignatureExpire");
    }
    f.operate("disable").await;
    let call = f.signer.v1_identity(now, true, true);
    let response = f.signer.send_v1(&call, &f.signer.v1_signature(&call)).await;
    assert_eq!(error_code(&response).unwrap(), "AuthFailure.SecretIdNotFound");
}

#[apply(on_both_engines!)]
async fn messages_are_in_the_callers_language(engine: Engine) {
    let f = fixture(engine).await;
    let chinese =
        Call { action: "Nonsense", extra_headers: vec![("x-tc-language", "zh-CN".to_owned())], ..f.identity() };
    assert_eq!(f.signer.send(&chinese).await["Error"]["Message"], json!("接口不存在：Nonsense。"));
    let japanese = Call { extra_headers: vec![("x-tc-language", "ja-JP".to_owned())], ..chinese.clone() };
    assert_eq!(f.signer.send(&japanese).await["Error"]["Message"], json!("アクションNonsenseは存在しません。"));
    let english = Call { extra_headers: vec![("accept-language", "en-US".to_owned())], ..chinese };
    assert!(f.signer.send(&english).await["Error"]["Message"].as_str().unwrap().starts_with("There is no action"));
    // Version 1 has the language among its parameters.
    for (language, words) in
        [("ja-JP", "署名がリクエストと一致しません"), ("zh-CN", "签名与请求不符"), ("en-US", "does not match")]
    {
        let mut call = f.signer.v1_identity(f.product.clock.now(), true, true);
        let of_another = f.signer.v1_signature(&call);
        call.params.push(("Language".to_owned(), language.to_owned()));
        let refused = f.signer.send_v1(&call, &of_another).await;
        assert!(refused["Error"]["Message"].as_str().unwrap().contains(words), "{refused}");
    }
}

#[apply(on_both_engines!)]
async fn what_is_too_large_is_refused_in_the_envelope(engine: Engine) {
    let f = fixture(engine).await;
    let long =
        Call { method: "GET", query: "a=".to_owned() + &"x".repeat(40_000), body: String::new(), ..f.identity() };
    assert_eq!(f.code(&long).await.unwrap(), "RequestSizeLimitExceeded");
    let big = Call { body: " ".repeat(11 * 1024 * 1024), ..f.identity() };
    assert_eq!(f.code(&big).await.unwrap(), "RequestSizeLimitExceeded");
    let within = Call { body: " ".repeat(9 * 1024 * 1024) + "{}", ..f.identity() };
    assert_eq!(f.code(&within).await, None);
}

#[apply(on_both_engines!)]
async fn no_answer_is_for_a_cache_or_another_type(engine: Engine) {
    let f = fixture(engine).await;
    let call = f.identity();
    let signed = f.signer.request(&call, &f.signer.authorization(&call));
    let ask = |method: &str, path: &str| {
        f.signer.client.request(method.parse().unwrap(), format!("http://{}{path}", f.product.api))
    };
    for (request, status) in [
        (signed, 200),
        (ask("POST", "/"), 200),
        (ask("GET", "/healthz"), 200),
        (ask("POST", "/healthz"), 405),
        (ask("GET", "/readyz"), 200),
        (ask("GET", "/nowhere"), 404),
        (ask("GET", "/forward-auth"), 401),
        (ask("GET", "/v1/verify"), 405),
        (ask("POST", "/v1/verify"), 404),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{}", answer.url());
        assert_eq!(answer.headers()["cache-control"], "no-store", "{}", answer.url());
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff", "{}", answer.url());
    }
}

#[apply(on_both_engines!)]
async fn keys_are_listed_without_their_secrets(engine: Engine) {
    let mut f = fixture(engine).await;
    let other = f.browser.create_key().await;
    f.browser.operate(&format!("/cam/capi/keys/{other}/disable"), &[]).await;
    f.browser.operate(&format!("/cam/capi/keys/{other}/remark"), &[("remark", "old shop")]).await;
    let response = f.signer.send(&Call::list_keys(f.product.clock.now())).await;
    let keys = response["AccessKeys"].as_array().unwrap();
    let by_id = |id: &str| keys.iter().find(|key| key["AccessKeyId"] == json!(id)).unwrap().clone();
    assert_eq!(by_id(&f.key)["Status"], json!("Active"));
    assert_eq!(by_id(&other)["Status"], json!("Inactive"));
    assert_eq!(by_id(&other)["Description"], json!("old shop"));
    assert!(!response.to_string().contains(&f.signer.secret_key));

    let now = f.product.clock.now();
    let with = |body: &str| Call { body: body.to_owned(), ..Call::list_keys(now) };
    let own = f.owner.uin.0;
    assert_eq!(f.code(&with(&format!("{{\"TargetUin\": {own}}}"))).await, None);
    assert_eq!(f.code(&with(&format!("{{\"TargetUin\": \"{own}\"}}"))).await, None);
    assert_eq!(f.code(&with("{\"TargetUin\": 1}")).await.unwrap(), "OperationDenied.UinNotMatch");
    assert_eq!(f.code(&with("{\"TargetUin\": []}")).await.unwrap(), "InvalidParameter");
    assert_eq!(f.code(&with("{\"Nonsense\": 1}")).await.unwrap(), "UnknownParameter");
    assert_eq!(f.code(&with("not json")).await.unwrap(), "InvalidParameter");
    assert_eq!(f.code(&with(&"[".repeat(100_000))).await.unwrap(), "InvalidParameter");
    assert_eq!(f.code(&with("")).await, None);
}

/// Attack 18.
#[apply(on_both_engines!)]
async fn whatever_is_not_signed_exactly_is_refused(engine: Engine) {
    let f = fixture(engine).await;
    let good = f.identity();
    let authorization = f.signer.authorization(&good);
    let send = async |call: &Call, authorization: &str| {
        error_code(&answer(f.signer.request(call, authorization)).await).unwrap_or_default()
    };
    assert_eq!(send(&good, &authorization).await, "");

    let altered = |change: fn(&mut Call)| {
        let mut call = f.identity();
        change(&mut call);
        call
    };
    assert_eq!(send(&altered(|c| c.body.push(' ')), &authorization).await, "AuthFailure.SignatureFailure");
    assert_eq!(send(&altered(|c| c.query.push_str("a=1")), &authorization).await, "AuthFailure.SignatureFailure");
    assert_eq!(send(&altered(|c| c.timestamp += 1), &authorization).await, "AuthFailure.SignatureFailure");
    assert_eq!(
        send(&altered(|c| c.content_type.push_str("; x=1")), &authorization).await,
        "AuthFailure.SignatureFailure"
    );

    let signature = authorization.rsplit_once('=').unwrap().1.to_owned();
    let with_signature = |other: &str| authorization.replace(&signature, other);
    for malformed in [
        with_signature(""),
        with_signature(&signature.to_uppercase()),
        with_signature(&format!("{signature}0")),
        with_signature(&signature[1..]),
        "SKIP".to_owned(),
        authorization.replace("SHA256", "SHA1"),
        authorization.replace("content-type;host", "content-type"),
        authorization.replace("content-type;host", "host"),
    ] {
        assert_eq!(send(&good, &malformed).await, "AuthFailure.InvalidAuthorization", "{malformed}");
    }
    let flipped = if signature.ends_with('0') { "1" } else { "0" };
    let wrong = with_signature(&format!("{}{flipped}", &signature[..63]));
    assert_eq!(send(&good, &wrong).await, "AuthFailure.SignatureFailure");
    assert_eq!(send(&good, &authorization.replace(&f.key, "AKIDshort")).await, "AuthFailure.InvalidSecretId");
    let unknown = "AKIDaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    assert_eq!(send(&good, &authorization.replace(&f.key, unknown)).await, "AuthFailure.SecretIdNotFound");

    let twice = f.signer.request(&good, &authorization).header("authorization", &authorization);
    assert_eq!(error_code(&answer(twice).await).unwrap(), "AuthFailure.InvalidAuthorization");
    let none = f.signer.client.post(format!("http://{}/", f.product.api)).body("{}");
    assert_eq!(error_code(&answer(none).await).unwrap(), "AuthFailure.InvalidAuthorization");
    let token = Call { extra_headers: vec![("x-tc-token", "x".to_owned())], ..f.identity() };
    assert_eq!(f.code(&token).await.unwrap(), "AuthFailure.TokenFailure");
    for method in ["PUT", "post", "Get", "TRACE", "OPTIONS"] {
        assert_eq!(f.code(&Call { method, ..f.identity() }).await.unwrap(), "UnsupportedProtocol", "{method}");
    }
    // If a header occurs twice, one value could be signed and the other one used.
    let signed = Call { signed_headers: "content-type;host;x-tc-action".to_owned(), ..f.identity() };
    let authorization = f.signer.authorization(&signed);
    assert_eq!(send(&signed, &authorization).await, "");
    for (name, value, refusal) in [
        ("content-type", "text/plain", "AuthFailure.SignatureFailure"),
        ("x-tc-action", "CreateAccessKey", "AuthFailure.SignatureFailure"),
        ("x-tc-timestamp", "1", "AuthFailure.InvalidAuthorization"),
    ] {
        let twice = f.signer.request(&signed, &authorization).header(name, value);
        assert_eq!(error_code(&answer(twice).await).unwrap(), refusal, "{name}");
    }
}

#[apply(on_both_engines!)]
async fn another_keys_signature_is_not_this_ones(engine: Engine) {
    let f = fixture(engine).await;
    let mut other = f.product.signed_in("other").await;
    let key = other.1.create_key().await;
    let secret = other.0.reveal(&f.product, &mut other.1, &key).await;
    let crossed = Signer::new(f.product.api, &f.key, &secret);
    assert_eq!(crossed.refusal(f.product.clock.now()).await.unwrap(), "AuthFailure.SignatureFailure");
}

#[apply(on_both_engines!)]
async fn the_clocks_may_differ_by_five_minutes(engine: Engine) {
    let f = fixture(engine).await;
    let now = f.product.clock.now();
    for (offset, refusal) in [
        (-300, None),
        (300, None),
        (-301, Some("AuthFailure.SignatureExpire")),
        (301, Some("AuthFailure.SignatureExpire")),
    ] {
        let at = latchkey::types::clock::Timestamp(now.0 + offset * 1000);
        assert_eq!(f.code(&Call::identity(at)).await.as_deref(), refusal, "{offset}");
    }
    let other_date = Call { date: "2020-01-01".to_owned(), ..f.identity() };
    assert_eq!(f.code(&other_date).await.unwrap(), "AuthFailure.SignatureFailure");
    for timestamp in [i64::MAX, i64::MIN, 0, -1] {
        let call = Call { timestamp, ..f.identity() };
        assert!(f.code(&call).await.is_some());
    }
}

#[apply(on_both_engines!)]
async fn unknown_actions_and_versions_are_named(engine: Engine) {
    let f = fixture(engine).await;
    let call = |version, action| Call { version, action, ..f.identity() };
    assert_eq!(f.code(&call("2018-08-13", "Nonsense")).await.unwrap(), "InvalidAction");
    assert_eq!(f.code(&call("2019-01-16", "GetCallerIdentity")).await.unwrap(), "InvalidAction");
    assert_eq!(f.code(&call("1999-01-01", "GetCallerIdentity")).await.unwrap(), "NoSuchVersion");
}

#[apply(on_both_engines!)]
async fn disabled_and_deleted_keys_are_unknown_on_the_next_call(engine: Engine) {
    let mut f = fixture(engine).await;
    let sibling = f.product.sibling().await;
    let elsewhere = Signer { address: sibling.api, ..f.signer.clone() };
    let now = f.product.clock.now();
    for _ in 0..3 {
        f.operate("disable").await;
        assert_eq!(f.signer.refusal(now).await.unwrap(), "AuthFailure.SecretIdNotFound");
        assert_eq!(elsewhere.refusal(now).await.unwrap(), "AuthFailure.SecretIdNotFound");
        f.operate("enable").await;
        assert_eq!(f.signer.refusal(now).await, None);
        assert_eq!(elsewhere.refusal(now).await, None);
    }
    f.operate("disable").await;
    f.operate("delete").await;
    assert_eq!(f.signer.refusal(now).await.unwrap(), "AuthFailure.SecretIdNotFound");
}

#[apply(on_both_engines!)]
async fn use_reaches_the_page(engine: Engine) {
    let mut f = fixture(engine).await;
    f.browser.get("/cam/capi").await.says("Never");
    f.browser.get(&format!("/cam/capi/keys/{}", f.key)).await.says("No calls in the last 30 days.");
    for _ in 0..3 {
        assert_eq!(f.code(&f.identity()).await, None);
    }
    let wrong = Signer { secret_key: "x".repeat(32), ..f.signer.clone() };
    assert!(wrong.refusal(f.product.clock.now()).await.is_some());
    let page = f.browser.get("/cam/capi").await;
    page.says("GetCallerIdentity").says("<span class=\"address\">127.0.0.1</span>");
    let disable = f.browser.get(&format!("/cam/capi/keys/{}/disable", f.key)).await;
    disable.says("<dt>Calls in the last 24 hours</dt><dd class=\"num\">3</dd>");
    disable.says("<dt>IP addresses in the last 24 hours</dt><dd class=\"num\">1</dd>");

    f.product.advance(Duration::from_secs(1));
    f.operate("disable").await;
    for _ in 0..2 {
        assert!(f.code(&f.identity()).await.is_some());
    }
    let delete = f.browser.get(&format!("/cam/capi/keys/{}/delete", f.key)).await;
    delete.says("<dt>Calls refused since then</dt><dd class=\"num\">2</dd>");

    // The page of the key has the actual reasons, which the caller is not told.
    let page = f.browser.get(&format!("/cam/capi/keys/{}", f.key)).await;
    page.says("0 accepted and 2 refused since then")
        .says("Refused: the key was disabled")
        .says("Refused: wrong signature");
    let date = f.product.clock.now().utc_date();
    page.says(&format!("<title>{date}: 3 accepted, 3 refused</title>")).says("Busiest day: 6 calls");
    page.says(&format!("<th scope=\"row\">{date}</th><td class=\"num\">3</td><td class=\"num\">3</td>"));
    let (calls, _row_for_new_calls) = page.body.split_once("<template").expect("a row for new calls");
    assert_eq!(calls.matches("<td data-label=\"Result\">").count(), 6);
}

/// Attack 19: 16 connections make calls in a loop while the key is disabled and enabled 50 times. A call is judged by
/// the time at which it started: no call that started after a Disable was acknowledged succeeds, and none after an
/// Enable fails.
#[apply(on_both_engines!)]
async fn no_call_after_a_disable_succeeds_and_none_after_an_enable_fails(engine: Engine) {
    let f = fixture(engine).await;
    let now = f.product.clock.now();
    // Even while the key is certainly enabled, odd while it is certainly disabled. In between, it is being changed.
    let epoch = Arc::new(AtomicU64::new(0));
    let changing = Arc::new(AtomicBool::new(false));
    let stop = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..16)
        .map(|_| {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let signer = Signer { client, ..f.signer.clone() };
            let (epoch, changing, stop) = (epoch.clone(), changing.clone(), stop.clone());
            tokio::spawn(async move {
                let (mut accepted, mut refused) = (0, 0);
                while !stop.load(Ordering::SeqCst) {
                    let settled = !changing.load(Ordering::SeqCst);
                    let before = epoch.load(Ordering::SeqCst);
                    let refusal = signer.refusal(now).await;
                    // Judged only if the state was settled before the call started, and no change began before it
                    // ended.
                    let same = epoch.load(Ordering::SeqCst) == before && !changing.load(Ordering::SeqCst);
                    if settled && same {
                        assert_eq!(refusal.is_none(), before % 2 == 0, "epoch {before}: {refusal:?}");
                    }
                    // Counted even if a change began in the meantime: the call started after a Disable and ended before
                    // an Enable began.
                    if refusal.is_none() { accepted += 1 } else { refused += 1 }
                }
                (accepted, refused)
            })
        })
        .collect();
    let mut browser = f.browser.clone();
    for _ in 0..50 {
        for action in ["disable", "enable"] {
            changing.store(true, Ordering::SeqCst);
            browser.operate(&format!("/cam/capi/keys/{}/{action}", f.key), &[]).await;
            epoch.fetch_add(1, Ordering::SeqCst);
            changing.store(false, Ordering::SeqCst);
            // Let some calls start and end in this state.
            for _ in 0..3 {
                assert_eq!(f.signer.refusal(now).await.is_none(), action == "enable");
            }
        }
    }
    stop.store(true, Ordering::SeqCst);
    let (mut accepted, mut refused) = (0, 0);
    for caller in callers {
        let (a, r) = caller.await.unwrap();
        accepted += a;
        refused += r;
    }
    assert!(accepted > 0 && refused > 0, "{accepted} accepted, {refused} refused");
}
