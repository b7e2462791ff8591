//! The properties of every page: headers, error pages, host names, assets.

use reqwest::Method;

use crate::support::{Browser, Engine, Product};

#[apply(on_both_engines!)]
async fn every_answer_carries_the_security_headers(engine: Engine) {
    let product = Product::start(engine).await;
    let (_, mut browser) = product.signed_in("root").await;
    let css = browser.get("/cam/capi").await.between("stylesheet\" href=\"", "\"").unwrap();
    for path in ["/cam/capi", "/login", "/", "/nowhere", "/setup?token=x", "/cam/capi/keys", &css] {
        let page = browser.get(path).await;
        let header =
            |name: &str| page.headers.get(name).unwrap_or_else(|| panic!("{path} {name}")).to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        for rule in [
            "default-src 'none'",
            "script-src 'nonce-",
            "style-src 'nonce-",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"));
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "same-origin");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(header("cross-origin-resource-policy"), "same-origin");
        assert!(header("permissions-policy").contains("camera=()"));
        let cache = header("cache-control");
        assert_eq!(cache.contains("no-store"), path != css, "{path}: {cache}");
        assert!(page.headers.get("strict-transport-security").is_none(), "not on http");
    }
    let one = browser.get("/login").await.headers["content-security-policy"].clone();
    let two = browser.get("/login").await.headers["content-security-policy"].clone();
    assert_ne!(one, two, "a nonce is used once");
}

#[apply(on_both_engines!)]
async fn errors_are_pages_with_a_request_id(engine: Engine) {
    let product = Product::start(engine).await;
    let (_, mut browser) = product.signed_in("root").await;
    browser.get("/nowhere").await.is(404).says("Page not found").says("Request ID").says("Sign out");
    product.browser().get("/nowhere").await.is(404).says("Page not found").does_not_say("Sign out");
    browser.get("/cam/capi/keys").await.is(405).says("This is not possible here").says("Request ID");
    browser.get("/cam//capi").await.is(404);
    browser.get("/static/..%2fCargo.toml").await.is(404);
    let long = "x".repeat(70_000);
    browser.submit("/cam/capi", "/cam/capi/keys", &[("x", &long)]).await.is(413).says("The form is too large");
    browser.submit("/login", "/logout", &[("form_token", "")]).await;
    let missing = product.browser().submit("/login", "/login", &[("name", "only")]).await;
    missing.is(422).says("could not be read");
    let twice = [("name", "root"), ("name", "other"), ("password", "x")];
    product.browser().submit("/login", "/login", &twice).await.is(422).says("could not be read");
    for method in [Method::TRACE, Method::OPTIONS, Method::PUT] {
        let request = browser.request(method, "/login");
        browser.send(request).await.is(405).says("This is not possible here");
    }
}

/// Attack 10: a foreign host name gets into no redirect and no link, and gets no page.
#[apply(on_both_engines!)]
async fn only_the_consoles_own_names_are_answered(engine: Engine) {
    let product = Product::start(engine).await;
    let mut browser = product.browser();
    let port = product.console.port();
    for host in [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        "localhost".to_owned(),
        format!("localhost:{}", port ^ 1),
    ] {
        let request = browser.request(Method::GET, "/login").header("host", &host);
        browser.send(request).await.is(421).says("Use another address").does_not_say("evil.example");
    }
    for host in [format!("127.0.0.1:{port}"), format!("LOCALHOST:{port}"), format!("[::1]:{port}")] {
        let request = browser.request(Method::GET, "/login").header("host", &host);
        browser.send(request).await.is(200);
    }
    let request = browser.request(Method::GET, "/").header("x-forwarded-host", "evil.example");
    browser.send(request).await.leads_to("/cam/capi");
}

/// Sessions and passkeys belong to a name, so browsers are redirected to the one in links. Programs are not.
#[apply(on_both_engines!)]
async fn a_browser_is_led_to_the_consoles_one_name(engine: Engine) {
    let product = Product::start(engine).await;
    let mut browser = product.browser();
    let port = product.console.port();
    for name in ["127.0.0.1", "[::1]"] {
        let ask = |path: &str, mode| {
            let request = browser.request(Method::GET, path).header("host", format!("{name}:{port}"));
            request.header("sec-fetch-mode", mode)
        };
        let (there, foreign, script) =
            (ask("/login?notice=expired", "navigate"), ask("//evil.example/x", "navigate"), ask("/login", "cors"));
        let there = browser.send(there).await;
        assert_eq!(there.status, 307);
        assert_eq!(there.location, Some(format!("http://localhost:{port}/login?notice=expired")));
        let foreign = browser.send(foreign).await;
        assert_eq!(foreign.location, Some(format!("http://localhost:{port}//evil.example/x")));
        browser.send(script).await.is(200);
    }
    let request = browser.request(Method::GET, "/login").header("sec-fetch-mode", "navigate");
    browser.send(request.header("host", format!("localhost:{port}"))).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_https_everything_is_bound_to_it() {
    let product = Product::start_with(Engine::Sqlite, |mut given| {
        given.public_url = Some("https://keys.example".parse().unwrap());
        given
    })
    .await;
    let mut browser = product.browser();
    let at = |browser: &Browser, host: &str| browser.request(Method::GET, "/login").header("host", host);
    // The same host, spelled differently.
    for host in ["keys.example:443", "keys.example.", "KEYS.example.:443"] {
        let request = at(&browser, host);
        let page = browser.send(request).await;
        let fields =
            [("form_token", page.is(200).form_token()), ("name", "x".to_owned()), ("password", "x".to_owned())];
        let origin = format!("https://{}", host.to_lowercase().trim_end_matches(":443"));
        let request = browser.request(Method::POST, "/login").header("host", host).header("origin", &origin);
        browser.send(request.form(&fields)).await.is(422).says("The account name or password is wrong");
    }
    let others = [
        "keys.example:80",
        "keys.example:8443",
        "keys.example..",
        ".keys.example",
        "keys.example:",
        "keys.example:443:443",
    ];
    for host in others.into_iter().chain([
        "keys.example:0443",
        "keys.example:443.",
        "keys.example.evil",
        "keys.example.:80",
        ":443",
        ".",
    ]) {
        let request = at(&browser, host);
        browser.send(request).await.is(421);
    }
    let mut browser = product.browser();
    let request = at(&browser, "keys.example");
    let page = browser.send(request).await;
    assert_eq!(page.is(200).headers["strict-transport-security"], "max-age=31536000; includeSubDomains");
    let cookie = page.headers["set-cookie"].to_str().unwrap();
    assert!(
        cookie.starts_with("__Host-") && cookie.contains("Secure") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_http_name_gets_cookies_that_work_there() {
    let product = Product::start_with(Engine::Sqlite, |mut given| {
        given.public_url = Some("http://keys.intranet:8080".parse().unwrap());
        given
    })
    .await;
    let mut browser = product.browser();
    for host in ["keys.intranet", "keys.intranet:80", "keys.intranet.", "keys.intranet:443"] {
        let request = browser.request(Method::GET, "/login").header("host", host);
        browser.send(request).await.is(421);
    }
    let request = browser.request(Method::GET, "/login").header("host", "keys.intranet:8080");
    let page = browser.send(request).await;
    let cookie = page.headers["set-cookie"].to_str().unwrap();
    assert!(
        cookie.starts_with("latchkey-visitor=") && !cookie.contains("Secure") && cookie.contains("HttpOnly"),
        "{cookie}"
    );
}
