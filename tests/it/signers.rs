//! Peculiarities of some clients, and requests that are refused all the same.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use latchkey::config::GivenSettings;
use latchkey::signature::aws4::SignedRequest;
use latchkey::signature::aws4::canonical::{Scope, authorize};
use latchkey::signature::tc3::payload_hash;
use latchkey::types::clock::Timestamp;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::support::signer::{Call, Signer, V1Call, answer, error_code};
use crate::support::{Engine, Product};

const CANARY: &str = "CanaryThatSings";
const TOKEN: &str = "a token of a back end";

async fn with_signer(engine: Engine) -> (Product, Signer) {
    with_signer_and(engine, |given| given).await
}

async fn with_signer_and(engine: Engine, change: impl FnOnce(GivenSettings) -> GivenSettings) -> (Product, Signer) {
    let tokens = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(tokens.path(), TOKEN).unwrap();
    let given = |given| GivenSettings { verify_token_file: Some(tokens.path().to_owned()), ..change(given) };
    let product = Product::start_with(engine, given).await;
    let (mut owner, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    let secret = owner.reveal(&product, &mut browser, &key).await;
    let signer = Signer::new(product.api, &key, &secret);
    (product, signer)
}

async fn code(request: RequestBuilder) -> String {
    error_code(&answer(request).await).unwrap_or_default()
}

/// A version 1 form, in a request with this content type.
fn form(signer: &Signer, call: &V1Call, kind: &str) -> RequestBuilder {
    let mut params = call.params.clone();
    params.push(("Signature".to_owned(), signer.v1_signature(call)));
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
    signer.client.post(format!("http://{}/", signer.address)).header("content-type", kind).body(body)
}

/// `@tencent-sdk/capi`.
#[apply(on_both_engines!)]
async fn a_form_may_be_called_json(engine: Engine) {
    let (product, signer) = with_signer(engine).await;
    let call = signer.v1_identity(product.clock.now(), true, true);
    for kind in ["application/json", "application/json; charset=utf-8", "application/x-www-form-urlencoded"] {
        assert_eq!(code(form(&signer, &call, kind)).await, "", "{kind}");
    }
    let malformed = "AuthFailure.InvalidAuthorization";
    assert_eq!(code(form(&signer, &call, "text/plain")).await, malformed);
    // JSON is not a form, whatever it contains, and a form must be signed.
    let post = |body: &str| {
        let post = signer.client.post(format!("http://{}/", signer.address));
        post.header("content-type", "application/json").body(body.to_owned())
    };
    for body in ["", "{}", " {\"a\":\"&SecretId=x&Signature=y\"}", "[1]", "SecretId=x", "\u{0}"] {
        assert_eq!(code(post(body)).await, malformed, "{body}");
    }
    // With the header of version 3, there are two signatures, and that of the header counts.
    let both = form(&signer, &call, "application/json").header("authorization", "TC3-HMAC-SHA256 Credential=x");
    assert_eq!(code(both).await, malformed);
    let altered = form(
        &signer,
        &V1Call { params: [call.params.clone(), vec![("X".into(), "1".into())]].concat(), ..call.clone() },
        "application/json",
    );
    let altered = altered.build().unwrap();
    let body = String::from_utf8(altered.body().unwrap().as_bytes().unwrap().to_vec()).unwrap().replace("X=1", "X=2");
    assert_eq!(code(post(&body)).await, "AuthFailure.SignatureFailure");
}

/// The Node client signs `localhost:80` and sends `localhost`.
#[apply(on_both_engines!)]
async fn version_1_may_be_signed_with_the_default_port(engine: Engine) {
    let (product, signer) = with_signer(engine).await;
    for (signed, sent, refusal) in [
        ("localhost:80", "localhost", ""),
        ("localhost:443", "localhost", ""),
        ("localhost", "localhost:80", ""),
        ("localhost:8081", "localhost", "AuthFailure.SignatureFailure"),
        ("localhost:80", "localhost:8081", "AuthFailure.SignatureFailure"),
        ("localhost:80", "127.0.0.1", "AuthFailure.SignatureFailure"),
    ] {
        for post in [false, true] {
            let call = signer.v1_identity(product.clock.now(), post, true);
            let mut params = call.params.clone();
            params.push(("Signature".to_owned(), signer.v1_signature_for(&call, signed)));
            let url = format!("http://{}/", signer.address);
            let request =
                if post { signer.client.post(url).form(&params) } else { signer.client.get(url).query(&params) };
            assert_eq!(code(request.header("host", sent)).await, refusal, "{signed} as {sent}");
        }
    }
}

/// `acme.sh` sends its `Content-Type` twice and signs it once.
#[apply(on_both_engines!)]
async fn a_header_may_stand_twice_if_it_says_the_same(engine: Engine) {
    let (product, signer) = with_signer(engine).await;
    let signed_headers = "content-type;host;x-tc-action".to_owned();
    let call = Call { signed_headers, ..Call::identity(product.clock.now()) };
    let authorization = signer.authorization(&call);
    let with = |name: &'static str, value: &str| {
        let value = HeaderValue::from_str(value).unwrap();
        let mut request = signer.request(&call, &authorization).build().unwrap();
        request.headers_mut().append(name, value);
        RequestBuilder::from_parts(signer.client.clone(), request)
    };
    let timestamp = call.timestamp.to_string();
    let host = signer.address.to_string();
    let failure = "AuthFailure.SignatureFailure";
    let malformed = "AuthFailure.InvalidAuthorization";
    for (name, value, refusal) in [
        ("content-type", "application/json", ""),
        ("x-tc-action", "GetCallerIdentity", ""),
        ("x-tc-timestamp", timestamp.as_str(), malformed),
        ("x-tc-version", "2018-08-13", ""),
        ("content-type", "application/JSON", failure),
        ("content-type", "application/json;", failure),
        ("content-type", "", failure),
        ("x-tc-action", "getcalleridentity", failure),
        ("x-tc-timestamp", "1", malformed),
        ("authorization", &authorization, malformed),
    ] {
        assert_eq!(code(with(name, value)).await, refusal, "{name}: {value}");
    }
    let mut twice = signer.request(&call, &authorization).header("host", &host).build().unwrap();
    twice.headers_mut().append("host", HeaderValue::from_str(&host).unwrap());
    let answer = signer.client.execute(twice).await.unwrap();
    let body = answer.text().await.unwrap();
    assert!(!body.contains("AccountId"), "the host is said once: {body}");
}

#[apply(on_both_engines!)]
async fn the_same_holds_for_what_a_back_end_asks(engine: Engine) {
    let (product, signer) = with_signer(engine).await;
    let call = Call::identity(product.clock.now());
    let headers = json!({
        "Host": signer.address.to_string(),
        "Content-Type": call.content_type,
        "X-TC-Timestamp": call.timestamp.to_string(),
        "Authorization": signer.authorization(&call),
    });
    let ask = async |name: &str, value: Value| {
        let mut headers = headers.clone();
        headers[name] = value;
        let body_sha256 = payload_hash(false, call.body.as_bytes());
        let question = json!({ "method": "POST", "uri": "/", "headers": headers, "body_sha256": body_sha256 });
        let asked = signer.client.post(format!("http://{}/v1/verify", signer.address)).bearer_auth(TOKEN);
        let told: Value = asked.json(&question).send().await.unwrap().json().await.unwrap();
        told["valid"].as_bool()
    };
    for (name, twice_equal) in
        [("Content-Type", true), ("X-TC-Timestamp", false), ("Host", false), ("Authorization", false)]
    {
        let value = &headers[name];
        assert_eq!(ask(name, json!([value])).await, Some(true), "{name}");
        assert_eq!(ask(name, json!([value, value])).await, Some(twice_equal), "{name}");
        assert_eq!(ask(name, json!([value, "another"])).await, Some(false), "{name}");
    }
    // A name in another case would be the same header twice.
    assert_eq!(ask("content-type", headers["Content-Type"].clone()).await, Some(false));
}

/// Anybody can name a key and send any text: text that is not known to be harmless is not stored anywhere.
#[apply(on_both_engines!)]
async fn nothing_that_a_stranger_says_is_stored(engine: Engine) {
    let (product, signer) = with_signer(engine).await;
    let now = product.clock.now();
    let wrong = Signer { secret_key: "x".repeat(32), ..signer.clone() };
    for by in [&wrong, &signer] {
        // An action that does not exist.
        by.send(&Call {
            action: CANARY,
            signed_headers: "content-type;host;x-tc-action".into(),
            ..Call::identity(now)
        })
        .await;
        let mut v1 = by.v1_identity(now, true, true);
        CANARY.clone_into(&mut v1.params[0].1);
        by.send_v1(&v1, &by.v1_signature(&v1)).await;
    }
    let call = Call {
        query: format!("a={CANARY}"),
        content_type: CANARY.to_owned(),
        service: CANARY.to_owned(),
        ..Call::identity(now)
    };
    wrong.send(&call).await;
    wrong.send(&Call { date: CANARY.to_owned(), ..Call::identity(now) }).await;
    for method in ["GET", CANARY] {
        let to = format!("http://{}/forward-auth/{CANARY}?{CANARY}", signer.address);
        let asked = signer.client.request(method.parse().unwrap(), to).header("content-type", CANARY);
        let asked = asked
            .header("authorization", wrong.authorization(&call))
            .header("x-tc-timestamp", now.seconds().to_string());
        assert_eq!(asked.send().await.unwrap().status().as_u16(), 401);
    }
    product.app.usage.flush().await;
    let calls = product.calls(&signer.secret_id).await;
    assert_eq!(calls.len(), 8);
    let dump = stored(&product).await;
    assert!(dump.contains("unknown action") && dump.contains("another method") && dump.contains("content-type"));
    assert!(!dump.to_lowercase().contains(&CANARY.to_lowercase()), "{dump}");

    // Text that the key has signed belongs to its owner, and is shown to them.
    let (method, path) = ("GET", "/orders/7");
    let host = signer.address.to_string();
    let headers = [("content-type", "text/plain"), ("host", &host)];
    let map =
        headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap())).collect();
    let payload_sha256 = payload_hash(false, b"");
    let timestamp = now.seconds().to_string();
    let request = latchkey::signature::tc3::SignedRequest {
        method,
        path,
        query: "",
        headers: &map,
        payload_sha256: &payload_sha256,
        timestamp: &timestamp,
    };
    let secret = signer.secret_key.clone().into();
    let authorization =
        latchkey::signature::tc3::authorize(&request, &signer.secret_id, &secret, &now.utc_date(), "shop").unwrap();
    let question = json!({ "method": method, "uri": path, "body_sha256": payload_sha256, "headers": {
        "Host": host, "Content-Type": "text/plain", "X-TC-Timestamp": timestamp, "Authorization": authorization } });
    let asked = signer.client.post(format!("http://{}/v1/verify", signer.address)).bearer_auth(TOKEN);
    let told: Value = asked.json(&question).send().await.unwrap().json().await.unwrap();
    assert_eq!(told["valid"], true, "{told}");
    product.app.usage.flush().await;
    assert!(stored(&product).await.contains("GET /orders/7"));
}

/// The query of a URL presigned for `shop.example`, which is valid for this many seconds.
fn presigned(signer: &Signer, now: Timestamp, seconds: u64) -> String {
    let time = now.basic_format();
    let (date, id) = (&time[..8], &signer.secret_id);
    let query = format!(
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={id}%2F{date}%2Feu%2Fshop%2Faws4_request&X-Amz-Date={time}\
         &X-Amz-Expires={seconds}&X-Amz-SignedHeaders=host"
    );
    let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("shop.example"))]);
    let (payload, secret) = (payload_hash(false, b""), signer.secret_key.clone().into());
    let request =
        SignedRequest { method: "GET", path: "/", query: &query, headers: &headers, payload: &payload, time: &time };
    let scope = Scope { date, region: "eu", service: "shop" };
    let header = authorize(&request, id, &secret, scope, "host").unwrap();
    format!("{query}&X-Amz-Signature={}", header.rsplit_once('=').unwrap().1)
}

async fn told_of(signer: &Signer, query: &str) -> Value {
    let question = json!({ "method": "GET", "uri": format!("/?{query}"), "headers": { "Host": "shop.example" },
        "body_sha256": payload_hash(false, b"") });
    let asked = signer.client.post(format!("http://{}/v1/verify", signer.address)).bearer_auth(TOKEN);
    asked.json(&question).send().await.unwrap().json().await.unwrap()
}

/// A presigned URL lives as long as it says, if the setting allows that, and no longer than its key is enabled.
#[apply(on_both_engines!)]
async fn a_presigned_url_expires(engine: Engine) {
    let allowed = |given| GivenSettings { guard_aws4_presigned: Some("1h".parse().unwrap()), ..given };
    let (product, signer) = with_signer_and(engine, allowed).await;
    let hour = presigned(&signer, product.clock.now(), 3600);
    assert_eq!(told_of(&signer, &hour).await["valid"], true);
    let too_long = presigned(&signer, product.clock.now(), 3601);
    assert_eq!(told_of(&signer, &too_long).await["code"], "AuthFailure.InvalidAuthorization");
    let minute = presigned(&signer, product.clock.now(), 60);
    product.advance(Duration::from_mins(59));
    assert_eq!(told_of(&signer, &hour).await["valid"], true, "it has a minute left");
    assert_eq!(told_of(&signer, &minute).await["code"], "AuthFailure.SignatureExpire");
    product.advance(Duration::from_secs(61));
    assert_eq!(told_of(&signer, &hour).await["code"], "AuthFailure.SignatureExpire");
    let tomorrow = presigned(&signer, Timestamp(product.clock.now().0 + 86_400_000), 60);
    assert_eq!(told_of(&signer, &tomorrow).await["code"], "AuthFailure.SignatureExpire", "it is not valid yet");

    let fresh = presigned(&signer, product.clock.now(), 3600);
    assert_eq!(told_of(&signer, &fresh).await["valid"], true);
    let body = json!({ "AccessKeyId": signer.secret_id, "Status": "Inactive" }).to_string();
    let disable = Call { action: "UpdateAccessKey", body, ..Call::list_keys(product.clock.now()) };
    assert_eq!(error_code(&signer.send(&disable).await), None);
    assert_eq!(told_of(&signer, &fresh).await["code"], "AuthFailure.SecretIdNotFound");
}

/// By default, none is accepted.
#[tokio::test(flavor = "multi_thread")]
async fn presigned_urls_are_off_by_default() {
    let (product, signer) = with_signer(Engine::Sqlite).await;
    let told = told_of(&signer, &presigned(&signer, product.clock.now(), 60)).await;
    assert_eq!(told["code"], "AuthFailure.InvalidAuthorization");
}

/// Everything that is stored about calls.
async fn stored(product: &Product) -> String {
    let rows = "select action || ' ' || reason || ' ' || address from use_record
        union all select action from last_use
        union all select action || ' ' || canonical_request || ' ' || string_to_sign || ' ' || cause from refused_call";
    let rows: Vec<String> = match &product.app.db {
        latchkey::db::Db::Sqlite(pool, _) => sqlx::query_scalar(rows).fetch_all(pool).await.unwrap(),
        latchkey::db::Db::Postgres(pool) => sqlx::query_scalar(rows).fetch_all(pool).await.unwrap(),
    };
    rows.join("\n")
}
