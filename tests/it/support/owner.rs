//! An account's owner, with an authenticator.

use std::time::Duration;

use latchkey::operate::accounts;
use latchkey::secret::totp::Seed;
use latchkey::types::clock::Timestamp;
use latchkey::types::id::Uin;
use secrecy::ExposeSecret;

use super::{Browser, Product};

pub const PASSWORD: &str = "a quiet blue lantern";

pub struct Owner {
    pub name: String,
    pub uin: Uin,
    pub seed: Seed,
    pub recovery_codes: Vec<String>,
    spent: i64,
}

impl Owner {
    /// The proof of identity, for operations on the account that bypass the entry points.
    pub fn proof(&self) -> latchkey::account::owner::Owner {
        latchkey::account::owner::Owner::by_operator(self.uin)
    }

    pub async fn create(product: &Product, name: &str) -> Self {
        let made = accounts::create_complete(&product.app, name, PASSWORD.to_owned().into()).await.unwrap();
        let recovery_codes = made.recovery_codes.iter().map(|code| code.expose_secret().to_owned()).collect();
        Self { name: name.to_owned(), uin: made.uin, seed: made.seed, recovery_codes, spent: 0 }
    }

    /// An unused code. Moves the clock on if necessary.
    pub fn code(&mut self, product: &Product) -> String {
        let step = |now: Timestamp| now.seconds() / 30;
        if step(product.clock.now()) <= self.spent {
            product.advance(Duration::from_secs(30));
        }
        self.spent = step(product.clock.now());
        self.seed.code_at(product.clock.now())
    }

    /// Performs both steps of a sign-in in a new browser.
    pub async fn sign_in(&mut self, product: &Product) -> Browser {
        let mut browser = product.browser();
        self.sign_in_with(product, &mut browser).await;
        browser
    }

    pub async fn sign_in_with(&mut self, product: &Product, browser: &mut Browser) {
        self.give_password(browser).await;
        let code = self.code(product);
        let done = browser.submit("/login/code", "/login/code", &[("kind", "totp"), ("code", &code)]).await;
        done.leads_to("/cam/capi");
    }

    /// Performs only the first step of a sign-in.
    pub async fn give_password(&self, browser: &mut Browser) {
        let fields = [("name", self.name.as_str()), ("password", PASSWORD)];
        browser.submit("/login", "/login", &fields).await.leads_to("/login/code");
    }

    /// Reveals the key's secret through the page.
    pub async fn reveal(&mut self, product: &Product, browser: &mut Browser, key: &str) -> String {
        let code = self.code(product);
        let show = format!("/cam/capi/keys/{key}/show");
        let shown = browser.submit("/cam/capi", &show, &[("password", PASSWORD), ("code", &code)]).await;
        shown.leads_to("/cam/capi#secret");
        browser.get("/cam/capi").await.secret().expect("the secret is shown")
    }
}
