//! Attack 9: a form that does not come from the console changes nothing.

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, ORIGIN};

use crate::support::browser::key_ids;
use crate::support::{Engine, Product};

const CREATE: &str = "/cam/capi/keys";

#[apply(on_both_engines!)]
async fn a_form_from_elsewhere_is_refused(engine: Engine) {
    let product = Product::start(engine).await;
    let (_, mut browser) = product.signed_in("root").await;
    let port = product.console.port();
    let token = browser.get("/cam/capi").await.form_token();
    let body = format!("form_token={token}");

    // The right token, but another origin.
    for origin in [
        "null".to_owned(),
        "https://evil.example".to_owned(),
        format!("http://sub.localhost:{port}"),
        format!("http://localhost:{}", port ^ 1),
        format!("https://localhost:{port}"),
        String::new(),
    ] {
        let request = browser
            .request(Method::POST, CREATE)
            .header(ORIGIN, &origin)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body.clone());
        browser.send(request).await.is(403);
    }
    for site in ["cross-site", "same-site", "none-of-these"] {
        let request = browser
            .request(Method::POST, CREATE)
            .header("sec-fetch-site", site)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body.clone());
        browser.send(request).await.is(403).says("another site");
    }
    // The console's own origin, but a content type that forms do not have.
    for content_type in
        ["text/plain", "multipart/form-data; boundary=x", "application/json", "APPLICATION/X-WWW-FORM-URLENCODED", ""]
    {
        let mut request = browser.request(Method::POST, CREATE).header(ORIGIN, product.url()).body(body.clone());
        if !content_type.is_empty() {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let page = browser.send(request).await;
        assert!(page.status.is_client_error(), "{content_type}: {}", page.status);
    }
    // No token, a wrong one, and another session's.
    let (_, mut other) = product.signed_in("other").await;
    let foreign = other.get("/cam/capi").await.form_token();
    let stranger = product.browser().get("/login").await.form_token();
    for wrong in ["", "x", &foreign, &stranger, &format!("{token}x")] {
        browser.post(CREATE, wrong, &[]).await.is(403).says("out of date");
    }
    browser.post(CREATE, &token, &[("form_token", &token)]).await.is(403).says("out of date");
    assert_eq!(key_ids(&browser.get("/cam/capi").await).len(), 0, "nothing was changed");

    // The request that a browser sends.
    let request = browser
        .request(Method::POST, CREATE)
        .header(ORIGIN, product.url())
        .header("sec-fetch-site", "same-origin")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body);
    browser.send(request).await.leads_to("/cam/capi");
    assert_eq!(key_ids(&browser.get("/cam/capi").await).len(), 1);
}

#[apply(on_both_engines!)]
async fn signing_in_needs_its_token_too(engine: Engine) {
    let product = Product::start(engine).await;
    product.owner("root").await;
    let mut browser = product.browser();
    let fields = [("name", "root"), ("password", crate::support::owner::PASSWORD)];
    browser.post("/login", "", &fields).await.is(403);
    let token = product.browser().get("/login").await.form_token();
    browser.post("/login", &token, &fields).await.is(403);
    browser.submit("/login", "/login", &fields).await.leads_to("/login/code");
    // A token from before the step is invalid after it.
    browser.post("/login/code", &token, &[("kind", "totp"), ("code", "000000")]).await.is(403);
}
