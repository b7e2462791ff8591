//! Static files, which responses are compressed, and the size of a first visit.

use reqwest::header::{ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONTENT_ENCODING, HeaderMap};
use reqwest::{Method, RequestBuilder};

use crate::support::owner::PASSWORD;
use crate::support::{Browser, Engine, Product};

/// The headers, and the number of bytes that go over the wire.
async fn transfer(request: RequestBuilder) -> (HeaderMap, usize) {
    let response = request.send().await.unwrap();
    assert!(response.status().is_success(), "{}", response.status());
    let headers = response.headers().clone();
    (headers, response.bytes().await.unwrap().len())
}

fn encoding(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_ENCODING).map(|encoding| encoding.to_str().unwrap())
}

/// A request for a page that the reader has navigated to themselves.
fn navigation(browser: &Browser, path: &str, accept: &str) -> RequestBuilder {
    browser.request(Method::GET, path).header(ACCEPT_ENCODING, accept).header("sec-fetch-site", "none")
}

#[tokio::test(flavor = "multi_thread")]
async fn static_files_never_change_under_their_names() {
    let product = Product::start(Engine::Sqlite).await;
    let mut browser = product.browser();
    let page = browser.get("/login").await;
    for (before, content_type) in [
        ("rel=\"stylesheet\" href=\"", "text/css; charset=utf-8"),
        ("<script src=\"", "text/javascript; charset=utf-8"),
        ("rel=\"icon\" href=\"", "image/svg+xml"),
    ] {
        let path = page.between(before, "\"").unwrap();
        let file = browser.get(&path).await;
        assert_eq!(file.is(200).headers["content-type"], content_type);
        assert_eq!(file.headers["cache-control"], "public, max-age=31536000, immutable");
        assert_eq!(file.headers.get("set-cookie"), None);
        for accept in ["gzip", "br"] {
            // The compressed form is kept, but nothing is kept of a response without a body.
            let ask = |method| browser.request(method, &path).header(ACCEPT_ENCODING, accept);
            transfer(ask(Method::HEAD)).await;
            let (first, _) = transfer(ask(Method::GET)).await;
            let (headers, length) = transfer(browser.request(Method::GET, &path).header(ACCEPT_ENCODING, accept)).await;
            assert_eq!(encoding(&headers), Some(accept), "{path}");
            assert_eq!(first["content-length"], headers["content-length"], "{path}");
            assert_eq!(headers["content-length"], length.to_string(), "{path}");
            assert!(headers["vary"].to_str().unwrap().contains("accept-encoding"));
            assert!(length < file.body.len(), "{path}");
        }
        let other = path.replace('-', "-0");
        browser.get(&other).await.is(404);
    }
    browser.get("/robots.txt").await.is(200).says("User-agent: *\nDisallow: /\n");
    let icon = browser.get("/favicon.ico").await;
    assert_eq!(icon.is(200).headers["content-type"], "image/svg+xml");
    assert!(!icon.headers["cache-control"].to_str().unwrap().contains("immutable"), "the name stays");
}

/// A page is compressed only if no other site can have caused the request. So an eavesdropper cannot learn from sizes
/// what a page contains beside something that they chose.
#[tokio::test(flavor = "multi_thread")]
async fn pages_are_compressed_for_nobody_elses_requests() {
    let product = Product::start(Engine::Sqlite).await;
    let (_, browser) = product.signed_in("root").await;
    for path in ["/cam/capi", "/nowhere"] {
        for (site, compressed) in [
            (Some("none"), true),
            (Some("same-origin"), true),
            (Some("same-site"), false),
            (Some("cross-site"), false),
            (Some(""), false),
            (None, false),
        ] {
            let mut request = browser.request(Method::GET, path).header(ACCEPT_ENCODING, "gzip");
            if let Some(site) = site {
                request = request.header("sec-fetch-site", site);
            }
            let response = request.send().await.unwrap();
            assert_eq!(encoding(response.headers()).is_some(), compressed, "{path} {site:?}");
        }
    }
}

/// A token that is the same on every page could be guessed piece by piece from sizes.
#[tokio::test(flavor = "multi_thread")]
async fn every_page_has_another_form_token() {
    let product = Product::start(Engine::Sqlite).await;
    let (_, mut browser) = product.signed_in("root").await;
    let (one, two) = (browser.get("/cam/capi").await.form_token(), browser.get("/cam/capi").await.form_token());
    assert_ne!(one, two);
    let shared = one.bytes().zip(two.bytes()).filter(|(a, b)| a == b).count();
    assert!(shared < one.len() / 4, "{one} {two}");
    for token in [&one, &two, &one] {
        browser.post("/cam/capi/keys", token, &[]).await.leads_to("/cam/capi");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_with_a_secret_is_never_compressed() {
    let product = Product::start(Engine::Sqlite).await;
    let token = latchkey::operate::accounts::first_setup_link(&product.app).await.unwrap().unwrap();
    let link = latchkey::account::setup::link_address(&product.url().parse().unwrap(), &token);
    let link = &link[link.find("/setup").unwrap()..];
    let mut setting_up = product.browser();
    let plain = async |request: RequestBuilder| {
        let response =
            request.header(ACCEPT_ENCODING, "gzip, br").header("sec-fetch-site", "same-origin").send().await.unwrap();
        assert_eq!(encoding(response.headers()), None);
        response.text().await.unwrap()
    };
    let token = link.split_once('=').unwrap().1;
    assert!(plain(setting_up.request(Method::GET, link)).await.contains(token));
    let fields = [("token", token), ("name", "first"), ("password", PASSWORD), ("again", PASSWORD)];
    setting_up.submit(link, "/setup", &fields).await.leads_to("/setup/authenticator");
    assert!(plain(setting_up.request(Method::GET, "/setup/authenticator")).await.contains("class=\"seed\""));
    let page = setting_up.get("/setup/authenticator").await;
    let wrong = [("form_token", page.form_token()), ("code", "000000".to_owned())];
    let refused = setting_up.request(Method::POST, "/setup/authenticator").form(&wrong);
    assert!(plain(refused).await.contains("class=\"seed\""));
    let seed = page.between("class=\"seed\">", "<").unwrap().replace(' ', "");
    let seed = data_encoding::BASE32_NOPAD.decode(seed.as_bytes()).unwrap();
    let code = latchkey::secret::totp::Seed::from_bytes(&seed).unwrap().code_at(product.clock.now());
    let right = [("form_token", page.form_token()), ("code", code)];
    let codes = setting_up.request(Method::POST, "/setup/authenticator").form(&right);
    assert!(plain(codes).await.contains("class=\"codes\""));

    let (mut owner, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    let code = owner.code(&product);
    let show = format!("/cam/capi/keys/{key}/show");
    browser.submit("/cam/capi", &show, &[("password", PASSWORD), ("code", &code)]).await;
    assert!(plain(browser.request(Method::GET, "/cam/capi")).await.contains("class=\"secret\""));
    let (headers, _) = transfer(navigation(&browser, "/cam/capi", "gzip")).await;
    assert_eq!(encoding(&headers), Some("gzip"), "hidden again");

    // The session has been verified, so nothing is asked for.
    let form = [("form_token", browser.get("/cam/security").await.form_token())];
    let codes = browser.request(Method::POST, "/cam/security/recovery-codes").form(&form);
    assert!(plain(codes).await.contains("class=\"codes\""));
    browser.submit("/cam/security", "/cam/security/authenticator", &[]).await;
    let new = "/cam/security/authenticator/new";
    assert!(plain(browser.request(Method::GET, new)).await.contains("class=\"seed\""));
    let wrong = [form[0].clone(), ("code", "000000".to_owned())];
    assert!(plain(browser.request(Method::POST, new).form(&wrong)).await.contains("class=\"seed\""));
}

/// A whole first visit fits into the first round trip of a connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_load_is_under_14_kb() {
    const MOST: usize = 14_000;
    let product = Product::start(Engine::Sqlite).await;
    let (_, mut browser) = product.signed_in("root").await;
    browser.create_key().await;
    browser.create_key().await;
    for language in ["en", "zh-CN"] {
        for (path, browser) in [("/login", product.browser()), ("/cam/capi", browser.clone())] {
            let page = browser.clone().get(path).await;
            let mut files = vec![navigation(&browser, path, "gzip").header(ACCEPT_LANGUAGE, language)];
            for before in ["rel=\"stylesheet\" href=\"", "<script src=\""] {
                files.push(navigation(&browser, &page.between(before, "\"").unwrap(), "gzip"));
            }
            let mut sizes = Vec::new();
            for file in files {
                let (headers, length) = transfer(file).await;
                assert_eq!(encoding(&headers), Some("gzip"));
                sizes.push(length);
            }
            println!("{path} in {language}: {sizes:?}");
            let all: usize = sizes.iter().sum();
            assert!(all < MOST, "{path} in {language}: {sizes:?}");
        }
    }
}
