//! Language and theme: how they are chosen, that a choice persists, and where the switches lead.

use reqwest::Method;
use reqwest::header::{ACCEPT_LANGUAGE, VARY};

use crate::support::owner::PASSWORD;
use crate::support::walk::{confirm, setup_link, token_of};
use crate::support::{Browser, Engine, Page, Product};

const COOKIE: &str = "__Host-latchkey-language";

async fn asking_for(browser: &mut Browser, path: &str, accept: &str) -> Page {
    let request = browser.request(Method::GET, path).header(ACCEPT_LANGUAGE, accept);
    browser.send(request).await
}

async fn choose(browser: &mut Browser, from: &str, choice: (&str, &str), back: &str) -> Page {
    browser.submit(from, "/preferences", &[choice, ("back", back)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_says_the_language_until_somebody_chooses() {
    let product = Product::start(Engine::Sqlite).await;
    let mut browser = product.browser();
    for (accept, title) in [
        ("zh-CN,zh;q=0.9,en;q=0.8", "<html lang=\"zh-CN\""),
        ("en-US,en;q=0.9,zh;q=0.8", "<html lang=\"en\""),
        ("fr, zh-Hant;q=0.2", "<html lang=\"zh-CN\""),
        ("ja-JP,ja;q=0.9,en-US;q=0.8", "<html lang=\"ja\""),
        ("zh;q=0.3, ja;q=0.4", "<html lang=\"ja\""),
        ("fr", "<html lang=\"en\""),
        ("en;q=0.1,zh;q=0.2", "<html lang=\"zh-CN\""),
        ("\u{e9}", "<html lang=\"en\""),
    ] {
        let page = asking_for(&mut browser, "/login", accept).await;
        page.is(200).says(title);
        let vary: Vec<_> =
            page.headers.get_all(VARY).iter().map(|value| value.to_str().unwrap().to_lowercase()).collect();
        assert!(vary.join(",").contains("accept-language, cookie"), "{vary:?}");
    }
    // Also errors of the outermost layers.
    let request = browser.request(Method::GET, "/login").header("host", "evil.example").header(ACCEPT_LANGUAGE, "zh");
    browser.send(request).await.is(421).says("请使用其他地址访问");
}

#[apply(on_both_engines!)]
async fn a_choice_stays_and_leads_back_to_where_it_was_made(engine: Engine) {
    let product = Product::start(engine).await;
    let mut owner = product.owner("root").await;
    let mut browser = product.browser();
    browser
        .get("/login?notice=expired")
        .await
        .says("name=\"back\" value=\"/login?notice=expired\"")
        .says(">简体中文</option>");
    choose(&mut browser, "/login", ("language", "zh-CN"), "/login?notice=expired")
        .await
        .leads_to("/login?notice=expired");
    let page = asking_for(&mut browser, "/login?notice=expired", "en").await;
    page.says("<html lang=\"zh-CN\"").says("登录状态已失效").says(">English</option>");
    choose(&mut browser, "/login", ("language", "ja"), "/login?notice=expired").await.leads_to("/login?notice=expired");
    asking_for(&mut browser, "/login?notice=expired", "en")
        .await
        .says("<html lang=\"ja\"")
        .says("セッションが終了しました");
    choose(&mut browser, "/login", ("language", "zh-CN"), "/login").await.leads_to("/login");
    owner.sign_in_with(&product, &mut browser).await;
    browser.get("/cam/capi").await.is_account_page().says("API 密钥管理");
    // The choice survives the session, and scripts cannot read it.
    let out = browser.submit("/cam/capi", "/logout", &[]).await;
    out.leads_to("/login?notice=signed-out");
    browser.get("/login?notice=signed-out").await.says("您已退出登录");
    let chosen = choose(&mut browser, "/login", ("language", "en"), "/login").await;
    let cookie = chosen
        .headers
        .get_all("set-cookie")
        .iter()
        .map(|cookie| cookie.to_str().unwrap())
        .find(|c| c.starts_with(COOKIE));
    let cookie = cookie.unwrap();
    for attribute in ["=en;", "HttpOnly", "Secure", "SameSite=Lax", "Path=/", "Max-Age=31536000"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    asking_for(&mut browser, "/login", "zh").await.says("<html lang=\"en\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_choice_changes_nothing() {
    let product = Product::start(Engine::Sqlite).await;
    let mut browser = product.browser();
    for choice in [("language", "tlh"), ("theme", "purple"), ("language", ""), ("else", "x")] {
        choose(&mut browser, "/login", choice, "/login").await.leads_to("/login");
    }
    browser.get("/login").await.says("<html lang=\"en\" data-theme=\"system\"");
    // A cookie with an invalid value is ignored.
    browser.cookies.insert(COOKIE.to_owned(), "\"><script>".to_owned());
    browser.cookies.insert("__Host-latchkey-theme".to_owned(), "\"><script>".to_owned());
    browser.get("/login").await.is(200).says("<html lang=\"en\" data-theme=\"system\"");
    // A form from another site, or without its token, is refused.
    browser.post("/preferences", "", &[("language", "zh-CN"), ("back", "/login")]).await.is(403);
    browser.get("/preferences").await.is(405);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_leads_nowhere_but_to_this_site() {
    let product = Product::start(Engine::Sqlite).await;
    let mut browser = product.browser();
    for hostile in [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "\t//evil.example",
        "/\n/evil.example",
        "javascript:alert(1)",
        "evil.example",
        "/login\r\nSet-Cookie: a=b",
        "/ü",
        "",
        &format!("/{}", "x".repeat(1024)),
    ] {
        choose(&mut browser, "/login", ("language", "zh-CN"), hostile).await.leads_to("/");
    }
    // Not even if the page itself was requested with such a path.
    let page = browser.get("//evil.example/%22%3E?a=\"<b>").await;
    page.is(404).says("name=\"back\" value=\"/\"").does_not_say("evil.example");
    browser.get("/nowhere?a=%22&b=1").await.is(404).says("name=\"back\" value=\"/nowhere?a=%22&#38;b=1\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_in_the_middle_of_something_loses_nothing() {
    let product = Product::start(Engine::Sqlite).await;
    let link = setup_link(&product).await;
    let mut browser = product.browser();
    let back = |page: &Page| page.between("name=\"back\" value=\"", "\"");
    // A refused form of the setup has no query, but the switch still knows the link.
    let fields = [("token", token_of(&link)), ("name", "Root"), ("password", "short"), ("again", "short")];
    let refused = browser.submit(&link, "/setup", &fields).await;
    assert_eq!(back(refused.is(422)).as_deref(), Some(link.as_str()));
    choose(&mut browser, &link, ("language", "zh-CN"), &link).await.leads_to(&link);
    browser.get(&link).await.is(200).says("设置您的账号");
    let fields = [("token", token_of(&link)), ("name", "Root"), ("password", PASSWORD), ("again", PASSWORD)];
    browser.submit(&link, "/setup", &fields).await.leads_to("/setup/authenticator");
    let wrong = browser.submit("/setup/authenticator", "/setup/authenticator", &[("code", "000000")]).await;
    assert_eq!(back(wrong.is(422)).as_deref(), Some("/setup/authenticator"));
    // The codes are shown only once, so the only link on their page leads on.
    let codes = confirm(&product, &mut browser).await;
    codes.is_account_page().says("恢复码").does_not_say("action=\"/preferences\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_theme_is_in_the_first_byte_of_a_page() {
    let product = Product::start(Engine::Sqlite).await;
    let mut browser = product.browser();
    let is = |page: &Page, theme: &str, scheme: &str| {
        page.says(&format!("data-theme=\"{theme}\">"))
            .says(&format!("<meta name=\"color-scheme\" content=\"{scheme}\">"));
        let pressed: Vec<_> = page.body.split("aria-pressed=\"true\"").collect();
        assert_eq!(pressed.len(), 2, "one is pressed");
        assert!(pressed[0].rsplit_once("<button").unwrap().1.contains(&format!("value=\"{theme}\"")));
    };
    is(&browser.get("/login").await, "system", "light dark");
    for (theme, scheme) in [("dark", "dark"), ("light", "light"), ("system", "light dark"), ("dark", "dark")] {
        choose(&mut browser, "/login", ("theme", theme), "/login").await.leads_to("/login");
        is(&browser.get("/login").await, theme, scheme);
    }
    choose(&mut browser, "/login", ("language", "zh-CN"), "/nowhere").await.leads_to("/nowhere");
    is(browser.get("/nowhere").await.is(404).says("页面不存在"), "dark", "dark");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_menu_lists_every_language_by_its_own_name_with_the_present_one_chosen() {
    let product = Product::start(Engine::Sqlite).await;
    let mut browser = product.browser();
    let languages = [("en", "English"), ("zh-CN", "简体中文"), ("ja", "日本語")];
    for (tag, own_name) in languages {
        choose(&mut browser, "/login", ("language", tag), "/login").await.leads_to("/login");
        let page = browser.get("/login").await;
        page.says(&format!("<option value=\"{tag}\" lang=\"{tag}\" selected>{own_name}</option>"));
        for (tag, own_name) in languages.iter().filter(|other| other.0 != tag) {
            page.says(&format!("<option value=\"{tag}\" lang=\"{tag}\">{own_name}</option>"));
        }
        let menu = page.between("<select id=\"language\"", "</select>").unwrap();
        assert_eq!(menu.matches("<option").count(), languages.len());
        // The theme has a separate form, so that choosing one does not choose the language as well.
        let themes = page.body.split("name=\"theme\"").next().unwrap().rsplit("<form").next().unwrap();
        assert!(!themes.contains("name=\"language\""), "{themes}");
    }
}
