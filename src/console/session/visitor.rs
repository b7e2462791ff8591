//! The sender of a request, and the transitions between stages.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Extensions, header};
use secrecy::ExposeSecret;
use tower_cookies::{Cookie, Cookies, cookie};
use tower_sessions::Session;

use super::stage::{Enrolling, HalfSignedInState, STAGE, SignedInState, Stage};
use crate::account::passkey_use::Challenge;
use crate::account::sessions;
use crate::account::setup::Enrolment;
use crate::account::sign_in::{self, PasswordAccepted};
use crate::account::webauthn::CHALLENGE_LIFETIME;
use crate::console::Console;
use crate::console::frame::flash::Flash;
use crate::console::frame::page::Page;
use crate::console::frame::problem::PageError;
use crate::console::frame::reader::Reader;
use crate::console::frame::urls::LocalPath;
use crate::console::frame::{form_token, return_to, user_agent};
use crate::http::tracked::Caller;
use crate::secret::token::Token;
use crate::types::error::Error;
use crate::types::event::{Actor, Origin};
use crate::types::random;

/// The sender of a request, in any stage.
pub struct Visitor {
    /// The origin of the request, as from an anonymous client until a stage identifies the account.
    pub origin: Origin,
    /// The client's address.
    pub address: IpAddr,
    pub(crate) session: Session,
    pub(crate) stage: Option<Stage>,
    cookies: Cookies,
    user_agent: Option<String>,
    /// `true` if the request comes from a page's script, which expects JSON.
    pub(crate) wants_json: bool,
    pub(crate) extensions: Extensions,
}

impl FromRequestParts<Console> for Visitor {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, _console: &Console) -> Result<Self, PageError> {
        let missing = || Error::internal("a middleware of the console is missing");
        let session = parts.extensions.get::<Session>().cloned().ok_or_else(missing)?;
        let cookies = parts.extensions.get::<Cookies>().cloned().ok_or_else(missing)?;
        let caller = parts.extensions.get::<Caller>().copied().ok_or_else(missing)?;
        let stage = session.get::<Stage>(STAGE).await?;
        let origin = Origin::of_request(Actor::Stranger, caller.address, caller.request_id);
        let user_agent = user_agent::of(&parts.headers);
        let wants_json = parts.headers.get(header::ACCEPT).is_some_and(|accept| accept == "application/json");
        Ok(Self {
            origin,
            address: caller.address,
            session,
            stage,
            cookies,
            user_agent,
            wants_json,
            extensions: parts.extensions.clone(),
        })
    }
}

impl Visitor {
    /// The stage that the visitor has reached.
    pub fn stage(&self) -> Option<&Stage> {
        self.stage.as_ref()
    }

    /// The page frame for this visitor, with the token for its forms.
    pub fn page(&self, console: &Console) -> Page {
        let mut page = Page::bare(&self.extensions);
        page.form_token = form_token::make(&console.app, &self.binding(console));
        page.here = self.extensions.get::<Reader>().map(|reader| reader.here.clone());
        page
    }

    /// The value that form tokens are bound to: the session if there is one, or else a random cookie of this browser.
    pub(in crate::console) fn binding(&self, console: &Console) -> String {
        match (&self.stage, self.session.id()) {
            (Some(Stage::SignedIn(state)), _) => state.form_binding.clone(),
            (None, _) | (_, None) => self.browser_token(console),
            (Some(_), Some(id)) => id.to_string(),
        }
    }

    fn browser_token(&self, console: &Console) -> String {
        let name = &console.site.cookies.visitor;
        if let Some(cookie) = self.cookies.get(name) {
            return cookie.value().to_owned();
        }
        let value = random::alphanumeric(32);
        self.cookies.add(console.site.cookie(name.clone(), value.clone()));
        value
    }

    /// Sets a cookie in the visitor's browser.
    pub fn set_cookie(&self, cookie: Cookie<'static>) {
        self.cookies.add(cookie);
    }

    /// The token of a browser that has signed in before.
    pub fn device(&self, console: &Console) -> Option<Token> {
        self.cookies.get(&console.site.cookies.device).map(|cookie| cookie.value().into())
    }

    /// Lets the browser be recognised by this token at the next sign-in.
    pub fn remember_device(&self, console: &Console, token: &Token) {
        let name = console.site.cookies.device.clone();
        let mut cookie = console.site.cookie(name, token.expose_secret().to_owned());
        let seconds = i64::try_from(sign_in::DEVICE_LIFETIME.as_secs()).unwrap_or(0);
        cookie.set_max_age(cookie::time::Duration::seconds(seconds));
        self.cookies.add(cookie);
    }

    /// Moves the visitor to a stage, under a new session ID. The old ID is invalid from here on.
    pub async fn enter(&mut self, stage: Stage) -> Result<(), PageError> {
        self.session.cycle_id().await?;
        self.session.insert(STAGE, &stage).await?;
        self.stage = Some(stage);
        Ok(())
    }

    /// Begins a setup.
    pub async fn begin_enrolment(&mut self, console: &Console, enrolment: Enrolment) -> Result<(), PageError> {
        let since = console.app.clock.now();
        self.enter(Stage::Enrolling(Enrolling { enrolment, since })).await
    }

    /// Keeps a passkey challenge in a cookie, because an anonymous visitor gets no session for requesting one.
    pub fn keep_challenge(&self, console: &Console, challenge: &Challenge) {
        let mut cookie =
            console.site.cookie(console.site.cookies.challenge.clone(), challenge.token().expose_secret().to_owned());
        let seconds = i64::try_from(CHALLENGE_LIFETIME.as_secs()).unwrap_or(0);
        cookie.set_max_age(cookie::time::Duration::seconds(seconds));
        self.cookies.add(cookie);
    }

    /// Takes the challenge from its cookie, which is removed.
    pub fn take_challenge(&self, console: &Console) -> Option<Challenge> {
        let name = &console.site.cookies.challenge;
        let kept = self.cookies.get(name)?;
        self.cookies.remove(console.site.cookie(name.clone(), String::new()));
        Some(kept.value().into())
    }

    /// Records that the first step of sign-in is done.
    pub async fn begin_sign_in(&mut self, console: &Console, pending: PasswordAccepted) -> Result<(), PageError> {
        let since = console.app.clock.now();
        self.enter(Stage::HalfSignedIn(HalfSignedInState { pending, since })).await
    }

    /// Completes the sign-in.
    pub async fn complete_sign_in(&mut self, console: &Console, done: sign_in::SignedIn) -> Result<(), PageError> {
        self.remember_device(console, &done.device);
        let (user_agent, address) = (self.user_agent.as_deref(), self.origin.address);
        let handle = sessions::begin(&console.app, done.uin, user_agent, address).await?;
        let now = console.app.clock.now();
        // A recovery code stands in for the authenticator at sign-in only.
        let verified = console.app.settings.sign_in_verifies && done.recovery_codes_left.is_none();
        self.enter(Stage::SignedIn(Box::new(SignedInState {
            uin: done.uin,
            handle,
            epoch: done.epoch,
            since: now,
            form_binding: random::alphanumeric(32),
            previous: done.previous,
            verified_at: verified.then_some(now),
            reveal: None,
            replacement: None,
            challenge: None,
            addition: None,
            flash: done.recovery_codes_left.map(Flash::RecoveryCodesLeft),
        })))
        .await
    }

    /// The page to go to after sign-in: the one that was requested before, or else that of the keys.
    pub fn take_wanted(&self, console: &Console) -> LocalPath {
        return_to::take(&self.cookies, console)
    }

    /// Ends the session.
    pub async fn end(&mut self) -> Result<(), PageError> {
        self.stage = None;
        Ok(self.session.flush().await?)
    }
}
