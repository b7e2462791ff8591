//! Error pages: in every language, with the request ID and what to do next; and the return to the previous page.

use std::time::Duration;

use latchkey::db::Db;
use latchkey::operate::accounts;
use reqwest::header::{REFERER, SET_COOKIE};
use reqwest::{Method, RequestBuilder};

use crate::support::owner::PASSWORD;
use crate::support::{Browser, Engine, Owner, Page, Product};

const LANGUAGE: &str = "__Host-latchkey-language";
const WANTED: &str = "__Host-latchkey-wanted";

/// Sends a request in every language. Each response must be a page with this status and text, an ID and a link.
async fn is_an_error(
    browser: &mut Browser,
    request: impl Fn(&Browser) -> RequestBuilder,
    status: u16,
    says: [&str; 3],
) {
    for (language, says, id, back) in [
        ("en", says[0], "Request ID", "Back to the console"),
        ("zh-CN", says[1], "请求 ID", "返回控制台"),
        ("ja", says[2], "リクエストID", "コンソールに戻る"),
    ] {
        browser.cookies.insert(LANGUAGE.to_owned(), language.to_owned());
        let page = browser.send(request(browser)).await;
        page.is(status).says(says).says(id).says(back).says(&format!("<html lang=\"{language}\""));
        let id = page.between("<p class=\"hint\">", "</code>").unwrap();
        let id = id.split_once("<code>").unwrap().1;
        assert!(uuid::Uuid::parse_str(id).is_ok(), "{id}");
        assert!(page.body.contains(&format!("<title>{says} · Latchkey</title>")), "{}", page.body);
        assert_eq!(page.headers["cache-control"], "no-store");
    }
}

fn get(path: &str) -> impl Fn(&Browser) -> RequestBuilder {
    move |browser| browser.request(Method::GET, path)
}

fn post(path: &str, form: &[(&str, String)]) -> impl Fn(&Browser) -> RequestBuilder {
    move |browser| browser.request(Method::POST, path).form(form)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_is_a_page_in_every_language() {
    let product = Product::start(Engine::Sqlite).await;
    let (_, mut browser) = product.signed_in("root").await;
    let token = |page: Page| ("form_token", page.form_token());
    let own = token(browser.get("/cam/capi").await);
    let strangers = token(product.browser().get("/login").await);
    let long = ("x", "x".repeat(70_000));

    is_an_error(&mut browser, get("/nowhere"), 404, ["Page not found", "页面不存在", "ページが見つかりません"]).await;
    is_an_error(
        &mut browser,
        get("/static/nothing.css"),
        404,
        ["Page not found", "页面不存在", "ページが見つかりません"],
    )
    .await;
    let other_key = format!("/cam/capi/keys/AKID{}/disable", "x".repeat(32));
    is_an_error(&mut browser, get(&other_key), 404, ["Key not found", "密钥不存在", "キーが見つかりません"]).await;
    is_an_error(
        &mut browser,
        get("/cam/capi/keys"),
        405,
        ["This is not possible here", "不支持此访问方式", "この方法ではアクセスできません"],
    )
    .await;
    is_an_error(
        &mut browser,
        get("/setup?token=x"),
        410,
        ["This link cannot be used", "链接无法使用", "このリンクは使用できません"],
    )
    .await;
    is_an_error(
        &mut browser,
        post("/cam/capi/keys", &[own.clone(), long]),
        413,
        ["The form is too large", "内容过大", "データが大きすぎます"],
    )
    .await;
    let says = ["This form is out of date", "表单已过期", "フォームの有効期限切れ"];
    is_an_error(&mut browser, post("/cam/capi/keys", &[strangers]), 403, says).await;
    let says = ["This form could not be read", "无法读取表单", "フォームを読み取れません"];
    is_an_error(&mut browser, post("/preferences", std::slice::from_ref(&own)), 422, says).await;
    let elsewhere = |browser: &Browser| {
        post("/cam/capi/keys", std::slice::from_ref(&own))(browser).header("sec-fetch-site", "cross-site")
    };
    is_an_error(
        &mut browser,
        elsewhere,
        403,
        ["Request from another site", "请求来自其他网站", "別のサイトからのリクエスト"],
    )
    .await;
    let host = |browser: &Browser| get("/cam/capi")(browser).header("host", "evil.example");
    is_an_error(
        &mut browser,
        host,
        421,
        ["Use another address", "请使用其他地址访问", "別のアドレスを使用してください"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_tries_is_a_page_in_every_language() {
    let product = Product::start(Engine::Sqlite).await;
    let mut browser = product.browser();
    let token = browser.get("/login").await.form_token();
    for at in 0..20 {
        browser.post("/login", &token, &[("name", &at.to_string()), ("password", "x")]).await.is(422);
    }
    let form = [("form_token", token), ("name", "root".to_owned()), ("password", PASSWORD.to_owned())];
    is_an_error(
        &mut browser,
        post("/login", &form),
        429,
        ["Too many attempts", "尝试次数过多", "試行回数が多すぎます"],
    )
    .await;
    // The page says when to try again: each further failure doubles the wait.
    for (seconds, en, zh, ja) in [
        (1, "in a second.", "1 秒后", "1秒後"),
        (2, "in 2 seconds.", "2 秒后", "2秒後"),
        (4, "in 4 seconds.", "4 秒后", "4秒後"),
        (8, "in 8 seconds.", "8 秒后", "8秒後"),
        (16, "in 16 seconds.", "16 秒后", "16秒後"),
        (32, "in 32 seconds.", "32 秒后", "32秒後"),
        (64, "in 64 seconds.", "64 秒后", "64秒後"),
        (128, "in 3 minutes.", "3 分钟后", "3分後"),
    ] {
        // A second that has begun counts as a whole one.
        product.advance(Duration::from_millis(500));
        for (language, says) in [("zh-CN", zh), ("ja", ja), ("en", en)] {
            browser.cookies.insert(LANGUAGE.to_owned(), language.to_owned());
            let page = browser.send(post("/login", &form)(&browser)).await;
            page.is(429).says(says);
            assert_eq!(page.headers["retry-after"], seconds.to_string());
        }
        product.advance(Duration::from_millis(seconds * 1000 - 500));
        let wrong = [("name", "nobody"), ("password", "x")];
        browser.post("/login", &form[0].1, &wrong).await.is(422);
    }
}

/// More sign-ins at once than the two hashing threads and their queue of 64 accept.
#[tokio::test(flavor = "multi_thread")]
async fn busy_is_a_page_in_every_language() {
    let product = Product::start(Engine::Sqlite).await;
    for (language, says) in
        [("en", "The server is busy"), ("zh-CN", "服务器繁忙"), ("ja", "サーバーが混み合っています")]
    {
        let mut browser = product.browser();
        browser.cookies.insert(LANGUAGE.to_owned(), language.to_owned());
        let token = browser.get("/login").await.form_token();
        let waiting: Vec<_> = (0..66)
            .map(|_| {
                let hasher = product.app.hasher.clone();
                tokio::spawn(async move { hasher.verify("x".into(), None).await })
            })
            .collect();
        let tries: Vec<_> = (0..60)
            .map(|_| {
                let (mut browser, token) = (browser.clone(), token.clone());
                tokio::spawn(
                    async move { browser.post("/login", &token, &[("name", "root"), ("password", "x")]).await },
                )
            })
            .collect();
        let mut busy = 0;
        for attempt in tries {
            let page = attempt.await.unwrap();
            if page.status.as_u16() == 503 {
                page.says(says).says("<code>");
                assert_eq!(page.headers["retry-after"], "5");
                busy += 1;
            }
        }
        assert!(busy > 0, "somebody has to wait");
        for hash in waiting {
            let _ = hash.await.unwrap();
        }
        product.advance(Duration::from_hours(25));
    }
}

/// The cause is in the log and not on the page.
#[apply(on_both_engines!)]
async fn a_fault_is_a_page_in_every_language(engine: Engine) {
    let product = Product::start(engine).await;
    let (_, mut browser) = product.signed_in("root").await;
    let statement = "alter table api_key rename to gone";
    match product.store.db().await {
        Db::Sqlite(pool, _) => sqlx::query(statement).execute(&pool).await.map(drop),
        Db::Postgres(pool) => sqlx::query(statement).execute(&pool).await.map(drop),
    }
    .unwrap();
    is_an_error(
        &mut browser,
        get("/cam/capi"),
        500,
        ["Something went wrong", "服务器出现故障", "エラーが発生しました"],
    )
    .await;
    browser.get("/cam/capi").await.does_not_say("api_key").says("root");
    // There is a page even without a database.
    product.app.db.close().await;
    let says = ["The database is not available", "数据库暂时无法使用", "データベースを使用できません"];
    is_an_error(&mut browser, get("/cam/capi"), 503, says).await;
    assert_eq!(browser.get("/cam/capi").await.headers["retry-after"], "5");
}

#[apply(on_both_engines!)]
async fn after_signing_in_again_one_is_where_one_was(engine: Engine) {
    let product = Product::start(engine).await;
    let (mut owner, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    let page = format!("/cam/capi/keys/{key}?a=%22;,b");
    product.advance(Duration::from_mins(16));
    let sent = browser.get(&page).await;
    sent.leads_to("/login?notice=expired");
    let cookie =
        sent.headers.get_all(SET_COOKIE).iter().map(|cookie| cookie.to_str().unwrap()).find(|c| c.starts_with(WANTED));
    for attribute in ["HttpOnly", "Secure", "SameSite=Strict", "Path=/", "Max-Age=1800"] {
        assert!(cookie.unwrap().contains(attribute), "{cookie:?}");
    }
    browser.get("/login?notice=expired").await.says("Your session has ended");
    sign_in(&mut owner, &product, &mut browser).await.leads_to(&page);
    assert!(!browser.cookies.contains_key(WANTED), "once");
    browser.get(&page).await.is_account_page();

    // A form that was sent too late leads back to its page, and nothing is done.
    product.advance(Duration::from_mins(16));
    let disable = format!("/cam/capi/keys/{key}/disable");
    let late = |browser: &Browser, action: &str| {
        browser
            .request(Method::POST, action)
            .header(REFERER, format!("{}{disable}", product.url()))
            .form(&[("form_token", "x")])
    };
    let request = late(&browser, &disable);
    browser.send(request).await.leads_to("/login?notice=expired");
    sign_in(&mut owner, &product, &mut browser).await.leads_to(&disable);
    browser.get("/cam/capi").await.says("Enabled");
    // Forms that anybody can send, as well.
    for action in ["/logout", "/preferences"] {
        product.advance(Duration::from_mins(16));
        let request = late(&browser, action);
        browser.send(request).await.leads_to("/login?notice=expired");
        sign_in(&mut owner, &product, &mut browser).await.leads_to(&disable);
    }

    // After a download, the reader returns to the page that offers it.
    product.advance(Duration::from_mins(16));
    let records = "/cam/records?result=refused";
    let request =
        browser.request(Method::GET, "/cam/records.csv").header(REFERER, format!("{}{records}", product.url()));
    browser.send(request).await.leads_to("/login?notice=expired");
    sign_in(&mut owner, &product, &mut browser).await.leads_to(records);

    // A sign-in without a requested page, or after a long wait, leads to the keys.
    browser.submit("/cam/capi", "/logout", &[]).await;
    sign_in(&mut owner, &product, &mut browser).await.leads_to("/cam/capi");
}

#[apply(on_both_engines!)]
async fn a_session_ended_by_the_operator_is_gone_back_to_as_well(engine: Engine) {
    let product = Product::start(engine).await;
    let (mut owner, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    accounts::end_sessions(&product.app, "root").await.unwrap();
    browser.get(&format!("/cam/capi/keys/{key}")).await.leads_to("/login?notice=expired");
    sign_in(&mut owner, &product, &mut browser).await.leads_to(&format!("/cam/capi/keys/{key}"));
}

/// The return path is always one of this site, wherever it comes from.
#[tokio::test(flavor = "multi_thread")]
async fn signing_in_leads_nowhere_but_to_this_site() {
    let product = Product::start(Engine::Sqlite).await;
    let mut owner = product.owner("root").await;
    for from in ["https://evil.example/cam/capi", "//evil.example", "http://localhost/cam/capi", "/cam/capi", "rubbish"]
    {
        let mut browser = product.browser();
        let request = browser.request(Method::POST, "/cam/capi/keys").header(REFERER, from);
        browser.send(request).await.leads_to("/login");
        assert!(!browser.cookies.contains_key(WANTED), "{from}");
    }
    let hostile = ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "", "\u{fffd}"];
    let hostile = hostile.map(|path| data_encoding::BASE64URL_NOPAD.encode(path.as_bytes()));
    for planted in hostile.into_iter().chain(["//evil.example".to_owned(), "_w".to_owned()]) {
        let mut browser = product.browser();
        browser.cookies.insert(WANTED.to_owned(), planted);
        sign_in(&mut owner, &product, &mut browser).await.leads_to("/cam/capi");
    }
}

async fn sign_in(owner: &mut Owner, product: &Product, browser: &mut Browser) -> Page {
    owner.give_password(browser).await;
    let code = owner.code(product);
    browser.submit("/login/code", "/login/code", &[("kind", "totp"), ("code", &code)]).await
}
