//! A walk through every page in every state that has different texts.

use std::time::Duration;

use latchkey::account::setup;
use latchkey::operate::accounts;
use reqwest::Method;

use super::browser::key_ids;
use super::owner::PASSWORD;
use super::signer::{Call, Signer, answer, error_code};
use super::{Browser, Engine, Owner, Page, Product, passkey};

const COOKIE: &str = "__Host-latchkey-language";

pub async fn setup_link(product: &Product) -> String {
    let token = accounts::first_setup_link(&product.app).await.unwrap().unwrap();
    let link = setup::link_address(&product.url().parse().unwrap(), &token);
    link[link.find("/setup").unwrap()..].to_owned()
}

pub fn token_of(link: &str) -> &str {
    link.split_once("token=").unwrap().1
}

/// The code for the seed on the page of the authenticator.
pub fn code_on(product: &Product, page: &Page) -> String {
    let seed = page.between("class=\"seed\">", "<").unwrap().replace(' ', "");
    let seed = data_encoding::BASE32_NOPAD.decode(seed.as_bytes()).unwrap();
    latchkey::secret::totp::Seed::from_bytes(&seed).unwrap().code_at(product.clock.now())
}

pub async fn confirm(product: &Product, browser: &mut Browser) -> Page {
    let page = browser.get("/setup/authenticator").await;
    browser.post("/setup/authenticator", &page.form_token(), &[("code", &code_on(product, &page))]).await
}

/// A walk that visits every page in every state and keeps it.
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

    /// Sends a form of the keys page, and keeps the page with the result.
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
    async fn keys(&mut self, owner: &mut Owner) {
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

    /// Makes calls with every outcome, and visits the page that lists them and, for refused ones, the page with the
    /// reason.
    async fn calls(&mut self, key: &str, secret: &str) {
        let signer = Signer::new(self.product.api, key, secret);
        let call = Call::identity(self.product.clock.now());
        let wrong = Signer { secret_key: "x".repeat(32), ..signer.clone() };
        let sent = [
            (&signer, Call { date: "2001-01-01".to_owned(), ..call.clone() }, None),
            (&signer, Call { signed_host: Some("example.com".to_owned()), ..call.clone() }, None),
            (
                &signer,
                call.clone(),
                Some(Call { content_type: "application/json; charset=utf-8".to_owned(), ..call.clone() }),
            ),
            (&signer, call.clone(), Some(Call { body: String::new(), ..call.clone() })),
            (&signer, Call { query: "a=1".to_owned(), ..call.clone() }, Some(call.clone())),
            (&wrong, call.clone(), None),
            (&signer, Call { extra_headers: vec![("x-tc-token", "x".to_owned())], ..call.clone() }, None),
            (&signer, Call::identity(self.product.clock.now().minus(Duration::from_hours(1))), None),
            (&signer, call.clone(), None),
        ];
        let mut refused = Vec::new();
        for (signer, call, signed) in sent {
            let authorization = signer.authorization(signed.as_ref().unwrap_or(&call));
            let answer = answer(signer.request(&call, &authorization)).await;
            if error_code(&answer).is_some() {
                refused.push(answer["RequestId"].as_str().unwrap().to_owned());
            }
        }
        self.get("calls", &format!("/cam/capi/keys/{key}")).await;
        for id in refused {
            self.get("why refused", &format!("/cam/capi/refused?request_id={id}")).await;
            self.seen.last().unwrap().1.says("<pre");
        }
        self.get("unknown call", &format!("/cam/capi/refused?request_id={}", uuid::Uuid::nil())).await;
        // Diagnoses are limited per second.
        self.product.advance(Duration::from_secs(1));
    }

    /// Visits the advice, a rotation in each of its states, and the emergency stop.
    async fn good_order(&mut self, language: &str) {
        const STOP: &str = "/cam/capi/disable-all";
        let mut owner = self.product.owner("第四个").await;
        self.browser = Self::chosen(language, &self.product);
        owner.sign_in_with(&self.product, &mut self.browser).await;
        self.browser.operate("/cam/capi/keys", &[]).await;
        let old = key_ids(&self.browser.get("/cam/capi").await)[0].clone();
        let rotate = format!("/cam/capi/keys/{old}/rotate");
        self.get("rotation: create", &rotate).await;
        self.get("stop", STOP).await;
        let secret = owner.reveal(&self.product, &mut self.browser, &old).await;
        let signer = Signer::new(self.product.api, &old, &secret);
        signer.refusal(self.product.clock.now()).await;
        self.product.advance(Duration::from_secs(1));
        self.browser.operate("/cam/capi/keys", &[]).await;
        let spare = key_ids(&self.browser.get("/cam/capi").await)[1].clone();
        self.get("rotation: old key in use", &rotate).await;
        self.get("rotation: older key first", &format!("/cam/capi/keys/{spare}/rotate")).await;

        for (what, days) in [("a day later", 1), ("90 days later", 89), ("much later", 90)] {
            self.product.advance(Duration::from_hours(24 * days));
            self.browser = Self::chosen(language, &self.product);
            owner.sign_in_with(&self.product, &mut self.browser).await;
            self.get(what, "/cam/capi").await;
            self.get("an old key", &format!("/cam/capi/keys/{old}")).await;
            self.get("rotation: new key not used yet", &rotate).await;
            signer.refusal(self.product.clock.now()).await;
        }
        self.operate("place taken", &format!("/cam/capi/keys/{spare}/disable"), &[]).await;
        self.get("rotation: no room", &rotate).await;
        owner.reveal(&self.product, &mut self.browser, &old).await;
        self.operate("one stopped", STOP, &[]).await;
        signer.refusal(self.product.clock.now()).await;
        self.operate("none stopped", STOP, &[]).await;
        self.operate("enabled", &format!("/cam/capi/keys/{spare}/enable"), &[]).await;
        self.get("rotation: old key disabled", &rotate).await;
        self.operate("enabled", &format!("/cam/capi/keys/{old}/enable"), &[]).await;
        self.operate("all stopped", STOP, &[]).await;
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
        let link = accounts::reset_mfa(&self.product.app, "根").await.unwrap();
        let link = setup::link_address(&self.product.url().parse().unwrap(), &link);
        let link = link[link.find("/setup").unwrap()..].to_owned();
        self.browser = Self::chosen(language, &self.product);
        self.get("new authenticator", &link).await;
        let fields = [("token", token_of(&link)), ("name", "根"), ("password", "wrong")];
        self.submit("password refused", &link, "/setup", &fields).await;
        let link = accounts::begin_recovery(&self.product.app, "根").await.unwrap().commit().await.unwrap();
        let link = setup::link_address(&self.product.url().parse().unwrap(), &link);
        self.get("recovery", &link[link.find("/setup").unwrap()..]).await;
        for at in 0..21 {
            let name = at.to_string();
            let page = self.browser.submit("/login", "/login", &[("name", &name), ("password", "x")]).await;
            if page.status.as_u16() == 429 {
                return self.keep("too many attempts", page);
            }
        }
        panic!("no address has to wait");
    }
}

impl Walk {
    /// Visits the pages of an owner with two sessions. Password and code are asked for until they have been given once.
    async fn security(&mut self) {
        let mut owner = self.product.owner("第三个").await;
        owner.sign_in(&self.product).await;
        self.browser.submit("/cam/capi", "/logout", &[]).await;
        owner.sign_in_with(&self.product, &mut self.browser).await;
        self.get("security", "/cam/security").await;
        let page = &self.seen.last().unwrap().1.body;
        let acts = page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
        let end = acts.filter(|act| act.ends_with("/end")).last().unwrap().to_owned();
        for (what, act) in [
            ("end a session", end.as_str()),
            ("end all others", "/cam/security/sessions/end-others"),
            ("replace the authenticator", "/cam/security/authenticator"),
            ("replace a lost authenticator", "/cam/security/authenticator?kind=recovery"),
            ("new recovery codes", "/cam/security/recovery-codes"),
            ("change the password", "/cam/security/password"),
            ("no such session", "/cam/security/sessions/nothing/end"),
        ] {
            self.get(what, act).await;
        }
        for (what, password, code) in [("password refused", "wrong", "000000"), ("code refused", PASSWORD, "000000")] {
            self.submit(what, &end, &end, &[("password", password), ("code", code)]).await;
        }
        let change = "/cam/security/password";
        for (what, new, again) in [("passwords differ", PASSWORD, "other"), ("too short", "short", "short")] {
            let fields = [("password", PASSWORD), ("new", new), ("again", again)];
            self.submit(what, change, change, &fields).await;
        }
        let no_code = [("password", PASSWORD), ("new", "nine copper spoons"), ("again", "nine copper spoons")];
        self.submit("verification over", change, change, &no_code).await;

        let code = owner.code(&self.product);
        self.done("session ended", &end, &[("password", PASSWORD), ("code", &code)]).await;
        self.done("others ended", "/cam/security/sessions/end-others", &[]).await;
        let (codes, code) = ("/cam/security/recovery-codes", owner.code(&self.product));
        self.submit("recovery codes", codes, codes, &[("password", PASSWORD), ("code", &code)]).await;
        self.get("verified", "/cam/security").await;
        let new_password = "nine copper spoons";
        let fields = [("password", PASSWORD), ("new", new_password), ("again", new_password)];
        self.done("password changed", change, &fields).await;

        let (replace, new) = ("/cam/security/authenticator", "/cam/security/authenticator/new");
        let code = owner.code(&self.product);
        let proof = [("password", new_password), ("code", code.as_str())];
        self.browser.submit(replace, replace, &proof).await.leads_to(new);
        self.get("new authenticator", new).await;
        let code = code_on(&self.product, &self.seen.last().unwrap().1);
        self.submit("its code refused", new, new, &[("code", "000000")]).await;
        self.done("authenticator replaced", new, &[("code", &code)]).await;
        self.records().await;
    }

    async fn records(&mut self) {
        self.get("records", "/cam/records").await;
        self.get("no records match", "/cam/records?event=key.delete&result=refused").await;
        self.get("filter refused", "/cam/records?from=x&to=y&event=z&result=w&key=v").await;
        self.get("dates reversed", "/cam/records?from=2026-11-24&to=2026-11-23").await;
    }

    /// Visits the pages about passkeys, of an owner with a passkey that nobody can use.
    async fn passkeys(&mut self) {
        let refused = [("passkey", "{}")];
        self.submit("passkey refused", "/login", "/login/passkey", &refused).await;
        let mut owner = self.product.owner("第五个").await;
        owner.sign_in_with(&self.product, &mut self.browser).await;
        let handle = passkey::store(&self.product, owner.uin, b"of nobody", "2").await.unwrap();
        let [rename, remove] = ["name", "remove"].map(|act| format!("/cam/security/passkeys/{handle}/{act}"));
        let (add, new) = ("/cam/security/passkeys/add", "/cam/security/passkeys/new");
        self.get("passkeys", "/cam/security").await;
        self.get("add a passkey", add).await;
        self.submit("verification: passkey refused", add, add, &refused).await;
        self.get("remove a passkey", &remove).await;
        self.submit("its name refused", "/cam/security", &rename, &[("name", " ")]).await;
        self.done("renamed", &rename, &[("name", "3")]).await;
        let code = owner.code(&self.product);
        self.browser.submit(add, add, &[("password", PASSWORD), ("code", &code)]).await.leads_to(new);
        self.get("new passkey", new).await;
        self.submit("new passkey refused", new, new, &[("name", "4"), ("passkey", "{}")]).await;
        self.submit("new name refused", new, new, &[("name", " "), ("passkey", "{}")]).await;
        for number in 0..9_u8 {
            passkey::store(&self.product, owner.uin, &[number], "5").await.unwrap();
        }
        self.get("ten passkeys", "/cam/security").await;
        self.done("removed", &remove, &[]).await;
        self.get("no such passkey", &remove).await;
        self.browser.submit("/cam/capi", "/logout", &[]).await;
    }

    /// Performs an operation on the security page, and keeps the page with the result.
    async fn done(&mut self, what: &'static str, act: &str, fields: &[(&str, &str)]) {
        self.browser.submit(act, act, fields).await.leads_to("/cam/security");
        self.get(what, "/cam/security").await;
    }
}

/// Returns every page in every state, in this language.
pub async fn every_page(language: &str) -> Vec<(&'static str, Page)> {
    let product = Product::start(Engine::Sqlite).await;
    let browser = Walk::chosen(language, &product);
    let mut walk = Walk { product, browser, seen: Vec::new() };
    let codes = walk.set_up().await;
    walk.sign_in(&codes).await;
    let mut owner = walk.product.owner("另一个").await;
    walk.browser = Walk::chosen(language, &walk.product);
    owner.sign_in_with(&walk.product, &mut walk.browser).await;
    walk.keys(&mut owner).await;
    walk.security().await;
    walk.good_order(language).await;
    walk.browser.submit("/cam/capi", "/logout", &[]).await;
    walk.passkeys().await;
    owner.sign_in_with(&walk.product, &mut walk.browser).await;
    walk.errors().await;
    walk.last(language).await;
    walk.seen
}
