//! English and Chinese: a walk through every page in every state, to see that none is half in one and half in the other.

use std::time::Duration;

use latchkey::account::{operator, setup};
use reqwest::Method;

use crate::support::browser::key_ids;
use crate::support::html::texts;
use crate::support::owner::PASSWORD;
use crate::support::signer::{Call, Signer};
use crate::support::{Browser, Engine, Page, Product};

const COOKIE: &str = "__Host-latchkey-language";

pub async fn setup_link(product: &Product) -> String {
    let token = operator::first_setup_link(&product.app).await.unwrap().unwrap();
    let link = setup::link_address(&product.url().parse().unwrap(), &token);
    link[link.find("/setup").unwrap()..].to_owned()
}

pub fn token_of(link: &str) -> &str {
    link.split_once("token=").unwrap().1
}

/// The code for the seed on the page of the authenticator.
fn code_on(product: &Product, page: &Page) -> String {
    let seed = page.between("class=\"seed\">", "<").unwrap().replace(' ', "");
    let seed = data_encoding::BASE32_NOPAD.decode(seed.as_bytes()).unwrap();
    latchkey::secret::totp::Seed::from_bytes(&seed).unwrap().code_at(product.clock.now())
}

pub async fn confirm(product: &Product, browser: &mut Browser) -> Page {
    let page = browser.get("/setup/authenticator").await;
    browser.post("/setup/authenticator", &page.form_token(), &[("code", &code_on(product, &page))]).await
}

/// Somebody who looks at every page in every state and keeps what they saw.
struct Walk {
    product: Product,
    browser: Browser,
    seen: Vec<(&'static str, Page)>,
}

impl Walk {
    async fn get(&mut self, what: &'static str, path: &str) {
        let page = self.browser.get(path).await;
        self.keep(what, page);
    }

    async fn submit(&mut self, what: &'static str, from: &str, action: &str, fields: &[(&str, &str)]) {
        let page = self.browser.submit(from, action, fields).await;
        self.keep(what, page);
    }

    /// Sends a form of the keys page and keeps the page that tells what came of it.
    async fn operate(&mut self, what: &'static str, action: &str, fields: &[(&str, &str)]) {
        let page = self.browser.operate(action, fields).await;
        self.keep(what, page);
    }

    fn keep(&mut self, what: &'static str, page: Page) {
        assert!(!page.status.is_redirection(), "{what}: {:?}", page.location);
        self.seen.push((what, page));
    }

    fn chosen(language: &str, product: &Product) -> Browser {
        let mut browser = product.browser();
        browser.cookies.insert(COOKIE.to_owned(), language.to_owned());
        browser
    }

    async fn set_up(&mut self) -> Vec<String> {
        self.get("link unusable", "/setup?token=x").await;
        let link = setup_link(&self.product).await;
        self.get("set-up", &link).await;
        let (long, again) = ("x".repeat(129), "other");
        for (what, name, password, again) in [
            ("name refused", "a:b", PASSWORD, PASSWORD),
            ("passwords differ", "根", PASSWORD, again),
            ("too short", "根", "short", "short"),
            ("too long", "根", &long, &long),
            ("common", "根", "password1", "password1"),
            ("made of the name", "根", "latchkey", "latchkey"),
        ] {
            let fields = [("token", token_of(&link)), ("name", name), ("password", password), ("again", again)];
            self.submit(what, &link, "/setup", &fields).await;
        }
        let fields = [("token", token_of(&link)), ("name", "根"), ("password", PASSWORD), ("again", PASSWORD)];
        self.browser.submit(&link, "/setup", &fields).await.leads_to("/setup/authenticator");
        self.get("authenticator", "/setup/authenticator").await;
        self.submit("first code refused", "/setup/authenticator", "/setup/authenticator", &[("code", "000000")]).await;
        let codes = confirm(&self.product, &mut self.browser).await;
        let listed = codes.body.split("<li><code>").skip(1);
        let listed = listed.map(|rest| rest.split('<').next().unwrap().to_owned()).collect();
        self.keep("recovery codes", codes);
        self.browser.submit("/cam/capi", "/logout", &[]).await;
        listed
    }

    async fn sign_in(&mut self, recovery_codes: &[String]) {
        self.get("signed out", "/login?notice=signed-out").await;
        self.get("expired", "/login?notice=expired").await;
        let password = [("name", "根"), ("password", PASSWORD)];
        self.submit("password refused", "/login", "/login", &[("name", "根"), ("password", "x")]).await;
        self.browser.submit("/login", "/login", &password).await.leads_to("/login/code");
        self.get("code", "/login/code").await;
        self.get("recovery code", "/login/code?kind=recovery").await;
        for kind in ["totp", "recovery"] {
            let fields = [("kind", kind), ("code", "000000")];
            self.submit("code refused", "/login/code", "/login/code", &fields).await;
        }
        for (at, code) in recovery_codes.iter().enumerate() {
            if at > 0 {
                self.browser.submit("/login", "/login", &password).await.leads_to("/login/code");
            }
            let fields = [("kind", "recovery"), ("code", code.as_str())];
            self.browser.submit("/login/code", "/login/code", &fields).await.leads_to("/cam/capi");
            self.get("recovery codes left", "/cam/capi").await;
            if at + 1 < recovery_codes.len() {
                self.browser.submit("/cam/capi", "/logout", &[]).await;
            }
        }
    }
}

impl Walk {
    async fn keys(&mut self, owner: &mut crate::support::Owner) {
        self.get("no keys", "/cam/capi").await;
        self.operate("created", "/cam/capi/keys", &[]).await;
        self.operate("two keys", "/cam/capi/keys", &[]).await;
        self.operate("third refused", "/cam/capi/keys", &[]).await;
        let key = key_ids(&self.browser.get("/cam/capi").await)[0].clone();
        let path = |action: &str| format!("/cam/capi/keys/{key}/{action}");
        self.get("show", &path("show")).await;
        let wrong = [("password", "wrong"), ("code", "000000")];
        self.submit("verification: password refused", "/cam/capi", &path("show"), &wrong).await;
        let wrong = [("password", PASSWORD), ("code", "000000")];
        self.submit("verification: code refused", "/cam/capi", &path("show"), &wrong).await;
        let code = owner.code(&self.product);
        let right = [("password", PASSWORD), ("code", code.as_str())];
        self.browser.submit("/cam/capi", &path("show"), &right).await;
        self.get("shown", "/cam/capi").await;
        let secret = self.seen.last().unwrap().1.secret().unwrap();
        self.get("verified", "/cam/capi").await;
        self.operate("remark saved", &path("remark"), &[("remark", "2 × 3")]).await;
        self.submit("remark refused", "/cam/capi", &path("remark"), &[("remark", "一\n二")]).await;
        self.get("never called", &path("")[..path("").len() - 1]).await;
        self.calls(&key, &secret).await;
        self.operate("already enabled", &path("enable"), &[]).await;
        self.operate("not deleted", &path("delete"), &[]).await;
        self.get("disable", &path("disable")).await;
        self.operate("disabled", &path("disable"), &[]).await;
        self.operate("already disabled", &path("disable"), &[]).await;
        self.get("delete", &path("delete")).await;
        self.calls(&key, &secret).await;
        self.operate("enabled", &path("enable"), &[]).await;
        self.operate("disabled again", &path("disable"), &[]).await;
        self.operate("deleted", &path("delete"), &[]).await;
        self.get("no such key", &path("delete")).await;
    }

    /// Calls of every outcome, and the page that lists them.
    async fn calls(&mut self, key: &str, secret: &str) {
        let signer = Signer::new(self.product.api, key, secret);
        let now = self.product.clock.now();
        let wrong = Signer { secret_key: "x".repeat(32), ..signer.clone() };
        let token = Call { extra_headers: vec![("x-tc-token", "x".to_owned())], ..Call::identity(now) };
        let late = Call::identity(now.minus(Duration::from_hours(1)));
        signer.send(&Call::identity(now)).await;
        wrong.send(&Call::identity(now)).await;
        signer.send(&token).await;
        signer.send(&late).await;
        self.get("calls", &format!("/cam/capi/keys/{key}")).await;
    }

    async fn errors(&mut self) {
        self.get("not found", "/nowhere").await;
        self.get("method", "/cam/capi/keys").await;
        self.submit("too large", "/cam/capi", "/cam/capi/keys", &[("x", &"x".repeat(70_000))]).await;
        self.submit("malformed", "/cam/capi", "/preferences", &[]).await;
        let page = self.browser.post("/cam/capi/keys", "x", &[]).await;
        self.keep("form expired", page);
        let request = self.browser.request(Method::POST, "/cam/capi/keys").header("sec-fetch-site", "cross-site");
        let page = self.browser.send(request).await;
        self.keep("cross-site", page);
        let request = self.browser.request(Method::GET, "/").header("host", "evil.example");
        let page = self.browser.send(request).await;
        self.keep("wrong host", page);
    }

    async fn last(&mut self, language: &str) {
        let link = operator::reset_mfa(&self.product.app, "根").await.unwrap();
        let link = setup::link_address(&self.product.url().parse().unwrap(), &link);
        let link = link[link.find("/setup").unwrap()..].to_owned();
        self.browser = Self::chosen(language, &self.product);
        self.get("new authenticator", &link).await;
        let fields = [("token", token_of(&link)), ("name", "根"), ("password", "wrong")];
        self.submit("password refused", &link, "/setup", &fields).await;
        for at in 0..21 {
            let name = at.to_string();
            let page = self.browser.submit("/login", "/login", &[("name", &name), ("password", "x")]).await;
            if page.status.as_u16() == 429 {
                return self.keep("too many tries", page);
            }
        }
        panic!("no address has to wait");
    }
}

/// Every page in every state, in this language.
async fn every_page(language: &str) -> Vec<(&'static str, Page)> {
    let product = Product::start(Engine::Sqlite).await;
    let browser = Walk::chosen(language, &product);
    let mut walk = Walk { product, browser, seen: Vec::new() };
    let codes = walk.set_up().await;
    walk.sign_in(&codes).await;
    let mut owner = walk.product.owner("另一个").await;
    walk.browser = Walk::chosen(language, &walk.product);
    owner.sign_in_with(&walk.product, &mut walk.browser).await;
    walk.keys(&mut owner).await;
    walk.errors().await;
    walk.last(language).await;
    walk.seen
}

/// Names and terms that are the same in every language.
const NAMES: [&str; 9] =
    ["Latchkey", "API", "ID", "APPID", "SecretId", "SecretKey", "GetCallerIdentity", "UTC", "Ctrl"];

/// The words of ASCII letters in a text, without keys and addresses.
fn ascii_words(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '…');
    let is_word =
        |word: &&str| word.len() > 1 && word.chars().any(|c| c.is_ascii_alphabetic()) && !word.starts_with("AKID");
    words.filter(is_word).filter(|word| !NAMES.contains(word)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_in_chinese_has_english_left_on_it() {
    for (what, page) in every_page("zh-CN").await {
        page.says("<html lang=\"zh-CN\"");
        let texts = texts(&page.body);
        assert!(texts.len() > 4, "{what}: {texts:?}");
        for text in texts {
            assert_eq!(ascii_words(&text), [""; 0], "{what}: {text}");
            // Chinese has punctuation of its own.
            let next_to = |mark: char| {
                text.split(mark).zip(text.split(mark).skip(1)).any(|(before, after)| {
                    let han = |c: Option<char>| c.is_some_and(|c| ('\u{4e00}'..'\u{a000}').contains(&c));
                    han(before.chars().last()) || han(after.chars().next())
                })
            };
            for mark in [',', ';', ':', '?', '!', '(', ')'] {
                assert!(!next_to(mark), "{what}: {mark} in {text}");
            }
            assert!(!text.ends_with('.'), "{what}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_in_english_has_chinese_on_it() {
    for (what, page) in every_page("en").await {
        page.says("<html lang=\"en\"");
        for text in texts(&page.body) {
            let han = |c: char| c > '\u{2e7f}' && c < '\u{ff60}';
            assert!(!text.contains(han), "{what}: {text}");
        }
    }
}
