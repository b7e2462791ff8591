//! Who a request is from: the typed session, its stages, and the extractors that are a handler's authorisation rule.
//!
//! Invariant: [`SignedIn`] and the other stage extractors are made here only, from a session whose account still is of
//! the same credential epoch. Every step up takes a new session id.

use std::convert::Infallible;
use std::net::IpAddr;
use std::time::Duration;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::Extensions;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tower_cookies::{Cookie, Cookies, cookie};
use tower_sessions::Session;

use super::Console;
use super::error::{PageError, Problem};
use super::flash::Flash;
use super::forms;
use super::page::{AccountBar, Page};
use super::preferences::Reader;
use super::urls::LocalPath;
use super::user_agent;
use super::wanted;
use super::words::Words;
use crate::account::credentials::Replacement;
use crate::account::passkeys::{self, Addition, Challenge};
use crate::account::sessions::Present;
use crate::account::setup::Enrolment;
use crate::account::sign_in::{self, PasswordAccepted, Previous};
use crate::account::verification::Verified;
use crate::api_key::RevealTicket;
use crate::audit::{Actor, Origin};
use crate::clock::Timestamp;
use crate::db::accounts::{self, AccountRow};
use crate::db::sessions;
use crate::error::Error;
use crate::id::{SessionHandle, Uin};
use crate::requests::{Caller, RequestSpan};
use crate::secret::token;

/// The one entry of a session's data.
pub(super) const STAGE: &str = "stage";

const ENROLMENT_LIFETIME: Duration = Duration::from_mins(30);
const HALF_SIGNED_IN_LIFETIME: Duration = Duration::from_mins(5);

/// How far somebody has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Stage {
    /// Has used a set-up link; the first code is awaited.
    Enrolling(Enrolling),
    /// Has been asked for a passkey, and is nobody in particular until then.
    AskedForPasskey(AskedForPasskey),
    /// Has given a right password; the code is awaited.
    HalfSignedIn(HalfSignedInState),
    /// Is signed in.
    SignedIn(Box<SignedInState>),
}

/// [`Stage::Enrolling`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Enrolling {
    /// What is being set up.
    pub enrolment: Enrolment,
    /// Since when.
    pub since: Timestamp,
}

/// [`Stage::AskedForPasskey`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AskedForPasskey {
    challenge: Challenge,
    since: Timestamp,
}

/// [`Stage::HalfSignedIn`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HalfSignedInState {
    pending: PasswordAccepted,
    since: Timestamp,
}

/// [`Stage::SignedIn`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignedInState {
    uin: Uin,
    handle: SessionHandle,
    epoch: i64,
    since: Timestamp,
    /// What form tokens are bound to from sign-in to sign-out: verifying in one tab leaves the forms of others alone.
    form_binding: String,
    /// The sign-in before.
    pub previous: Previous,
    verified_at: Option<Timestamp>,
    reveal: Option<RevealTicket>,
    replacement: Option<Replacement>,
    /// The browser has been asked for a passkey, to verify or to add it.
    challenge: Option<Challenge>,
    addition: Option<Addition>,
    flash: Option<Flash>,
}

impl Stage {
    /// The account, if one is known.
    pub fn uin(&self) -> Option<Uin> {
        match self {
            Self::Enrolling(_) | Self::AskedForPasskey(_) => None,
            Self::HalfSignedIn(half) => Some(half.pending.uin),
            Self::SignedIn(state) => Some(state.uin),
        }
    }

    /// The completed sign-in that the session belongs to.
    pub fn handle(&self) -> Option<&SessionHandle> {
        match self {
            Self::SignedIn(state) => Some(&state.handle),
            _ => None,
        }
    }

    /// When the session ends in any case.
    pub fn expires_at(&self, session_max: Duration) -> Timestamp {
        match self {
            Self::Enrolling(enrolling) => enrolling.since.plus(ENROLMENT_LIFETIME),
            Self::AskedForPasskey(asked) => asked.since.plus(passkeys::CHALLENGE_LIFETIME),
            Self::HalfSignedIn(half) => half.since.plus(HALF_SIGNED_IN_LIFETIME),
            Self::SignedIn(state) => state.since.plus(session_max),
        }
    }
}

/// Whoever sends a request, in whatever stage.
pub struct Visitor {
    /// Where from, by which request; as a stranger until a stage says otherwise.
    pub origin: Origin,
    /// Their address.
    pub address: IpAddr,
    session: Session,
    stage: Option<Stage>,
    cookies: Cookies,
    user_agent: Option<String>,
    extensions: Extensions,
}

impl FromRequestParts<Console> for Visitor {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, _console: &Console) -> Result<Self, PageError> {
        let missing = || Error::internal("a layer of the console is missing");
        let session = parts.extensions.get::<Session>().cloned().ok_or_else(missing)?;
        let cookies = parts.extensions.get::<Cookies>().cloned().ok_or_else(missing)?;
        let caller = parts.extensions.get::<Caller>().copied().ok_or_else(missing)?;
        let stage = session.get::<Stage>(STAGE).await?;
        let origin = caller.origin(Actor::Stranger);
        let user_agent = user_agent::of(&parts.headers);
        let address = caller.address;
        Ok(Self { origin, address, session, stage, cookies, user_agent, extensions: parts.extensions.clone() })
    }
}

impl Visitor {
    /// How far they have come.
    pub fn stage(&self) -> Option<&Stage> {
        self.stage.as_ref()
    }

    /// The frame of a page for them, with the token its forms need.
    pub fn page(&self, console: &Console) -> Page {
        let mut page = Page::bare(&self.extensions);
        page.form_token = forms::token(&console.app, &self.binding(console));
        page.here = self.extensions.get::<Reader>().map(|reader| reader.here.clone());
        page
    }

    /// What form tokens are bound to: the session where there is one, else a random cookie of this browser.
    pub(super) fn binding(&self, console: &Console) -> String {
        match (&self.stage, self.session.id()) {
            (Some(Stage::SignedIn(state)), _) => state.form_binding.clone(),
            // The page that asked has been open all along.
            (None | Some(Stage::AskedForPasskey(_)), _) | (_, None) => self.browser_token(console),
            (Some(_), Some(id)) => id.to_string(),
        }
    }

    fn browser_token(&self, console: &Console) -> String {
        let name = &console.site.cookies.visitor;
        if let Some(cookie) = self.cookies.get(name) {
            return cookie.value().to_owned();
        }
        let value = token::alphanumeric(32);
        self.cookies.add(console.site.cookie(name.clone(), value.clone()));
        value
    }

    /// Gives their browser this cookie.
    pub fn set_cookie(&self, cookie: Cookie<'static>) {
        self.cookies.add(cookie);
    }

    /// The token of a browser that has signed in before.
    pub fn device(&self, console: &Console) -> Option<secrecy::SecretString> {
        self.cookies.get(&console.site.cookies.device).map(|cookie| cookie.value().to_owned().into())
    }

    /// Lets the browser be known by this token at the next sign-in.
    pub fn remember_device(&self, console: &Console, token: &secrecy::SecretString) {
        use secrecy::ExposeSecret;
        let name = console.site.cookies.device.clone();
        let mut cookie = console.site.cookie(name, token.expose_secret().to_owned());
        let seconds = i64::try_from(sign_in::DEVICE_LIFETIME.as_secs()).unwrap_or(0);
        cookie.set_max_age(cookie::time::Duration::seconds(seconds));
        self.cookies.add(cookie);
    }

    /// Takes them to a stage under a new session id. The old id is dead from here on.
    pub async fn enter(&mut self, stage: Stage) -> Result<(), PageError> {
        self.session.cycle_id().await?;
        self.session.insert(STAGE, &stage).await?;
        self.stage = Some(stage);
        Ok(())
    }

    /// The set-up they have begun.
    pub async fn begin_enrolment(&mut self, console: &Console, enrolment: Enrolment) -> Result<(), PageError> {
        let since = console.app.clock.now();
        self.enter(Stage::Enrolling(Enrolling { enrolment, since })).await
    }

    /// They have been asked for a passkey.
    pub async fn ask_for_passkey(&mut self, console: &Console, challenge: Challenge) -> Result<(), PageError> {
        let since = console.app.clock.now();
        self.enter(Stage::AskedForPasskey(AskedForPasskey { challenge, since })).await
    }

    /// What they have been asked.
    pub fn challenge(&self) -> Option<Challenge> {
        match &self.stage {
            Some(Stage::AskedForPasskey(asked)) => Some(asked.challenge.clone()),
            _ => None,
        }
    }

    /// The first step of sign-in is done.
    pub async fn begin_sign_in(&mut self, console: &Console, pending: PasswordAccepted) -> Result<(), PageError> {
        let since = console.app.clock.now();
        self.enter(Stage::HalfSignedIn(HalfSignedInState { pending, since })).await
    }

    /// Sign-in is complete.
    pub async fn complete_sign_in(&mut self, console: &Console, done: sign_in::SignedIn) -> Result<(), PageError> {
        self.remember_device(console, &done.device);
        let (now, handle) = (console.app.clock.now(), SessionHandle::generate());
        let (user_agent, address) = (self.user_agent.as_deref(), self.origin.address.as_deref());
        let noted = sessions::insert_sign_in(&console.app.db, &handle, done.uin, user_agent, address, now).await;
        noted.map_err(Error::from)?;
        self.enter(Stage::SignedIn(Box::new(SignedInState {
            uin: done.uin,
            handle,
            epoch: done.epoch,
            since: now,
            form_binding: token::alphanumeric(32),
            previous: done.previous,
            verified_at: None,
            reveal: None,
            replacement: None,
            challenge: None,
            addition: None,
            flash: done.recovery_codes_left.map(Flash::RecoveryCodesLeft),
        })))
        .await
    }

    /// Where to go once signed in: to the page that was wanted, else to that of the keys.
    pub fn take_wanted(&self, console: &Console) -> LocalPath {
        wanted::take(&self.cookies, console)
    }

    /// Ends the session.
    pub async fn leave(&mut self) -> Result<(), PageError> {
        self.stage = None;
        Ok(self.session.flush().await?)
    }
}

/// Somebody whose right password awaits its code.
pub struct HalfSignedIn {
    /// Who.
    pub visitor: Visitor,
    /// The account.
    pub pending: PasswordAccepted,
}

impl FromRequestParts<Console> for HalfSignedIn {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, PageError> {
        let visitor = Visitor::from_request_parts(parts, console).await?;
        match visitor.stage.clone() {
            Some(Stage::HalfSignedIn(half)) => Ok(Self { visitor, pending: half.pending }),
            _ => Err(sign_in_first(parts, console)),
        }
    }
}

/// Somebody in the middle of a set-up.
pub struct SettingUp {
    /// Who.
    pub visitor: Visitor,
    /// What they set up.
    pub enrolment: Enrolment,
}

impl FromRequestParts<Console> for SettingUp {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, PageError> {
        let visitor = Visitor::from_request_parts(parts, console).await?;
        match visitor.stage.clone() {
            Some(Stage::Enrolling(enrolling)) => Ok(Self { visitor, enrolment: enrolling.enrolment }),
            _ => Err(sign_in_first(parts, console)),
        }
    }
}

/// The owner of an account, signed in.
pub struct SignedIn {
    /// Who.
    visitor: Visitor,
    /// The account.
    pub account: AccountRow,
    state: SignedInState,
}

impl FromRequestParts<Console> for SignedIn {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, PageError> {
        let visitor = Visitor::from_request_parts(parts, console).await?;
        Self::of(visitor, console).await?.ok_or_else(|| {
            wanted::remember(parts, console);
            sign_in_first(parts, console)
        })
    }
}

fn sign_in_first(parts: &Parts, console: &Console) -> PageError {
    let had_session = parts.extensions.get::<Cookies>().is_some_and(|c| c.get(&console.site.cookies.session).is_some());
    PageError::SignIn { expired: had_session }
}

/// A form's token does not hold: the session it was of has ended, or it is of another one.
pub(super) fn form_refused(visitor: &Visitor, parts: &Parts, console: &Console) -> PageError {
    match sign_in_first(parts, console) {
        ended @ PageError::SignIn { expired: true } if visitor.stage.is_none() => {
            wanted::remember(parts, console);
            ended
        }
        _ => Problem::FormExpired.into(),
    }
}

impl SignedIn {
    /// The visitor as an owner, if they are one. A session of an older credential epoch ends here.
    async fn of(mut visitor: Visitor, console: &Console) -> Result<Option<Self>, PageError> {
        let Some(Stage::SignedIn(state)) = visitor.stage.clone() else { return Ok(None) };
        let account = accounts::by_uin(&console.app.db, state.uin).await.map_err(Error::from)?;
        let Some(account) = account.filter(|account| account.credential_epoch == state.epoch) else {
            visitor.leave().await?;
            return Ok(None);
        };
        visitor.origin.actor = Actor::Account;
        if let Some(span) = visitor.extensions.get::<RequestSpan>() {
            span.name_account(account.uin);
        }
        Ok(Some(Self { visitor, account, state: *state }))
    }

    /// Whose operation this is, from where.
    pub fn origin(&self) -> &Origin {
        &self.visitor.origin
    }

    /// The account's number.
    pub fn uin(&self) -> Uin {
        self.account.uin
    }

    /// What the session is named by.
    pub fn handle(&self) -> &SessionHandle {
        &self.state.handle
    }

    /// The sign-in before this one.
    pub fn previous(&self) -> &Previous {
        &self.state.previous
    }

    /// The texts in the owner's language.
    pub fn words(&self) -> &'static Words {
        Page::bare(&self.visitor.extensions).t
    }

    /// The frame of a page, with the message left for it.
    pub async fn page(&mut self, console: &Console) -> Result<Page, PageError> {
        let flash = self.state.flash.take();
        if flash.is_some() {
            self.save().await?;
        }
        Ok(self.frame(console).with_flash(flash.as_ref()))
    }

    fn frame(&self, console: &Console) -> Page {
        let mut page = self.visitor.page(console);
        page.account = Some(AccountBar { name: self.account.name.clone(), uin: self.account.uin });
        page
    }

    /// Leaves a message for the next page.
    pub async fn leave_flash(&mut self, flash: Flash) -> Result<(), PageError> {
        self.state.flash = Some(flash);
        self.save().await
    }

    /// The proof that the last verification still holds.
    pub fn verified(&self, console: &Console) -> Option<Verified> {
        Verified::within_window(&console.app, self.state.uin, self.state.verified_at)
    }

    /// Remembers a verification, under a new session id.
    pub async fn remember_verification(&mut self, console: &Console) -> Result<(), PageError> {
        self.state.verified_at = Some(console.app.clock.now());
        self.visitor.enter(Stage::SignedIn(Box::new(self.state.clone()))).await
    }

    /// Which session this is, for a change that others do not survive.
    pub fn present(&self, console: &Console) -> Present {
        let device = self.visitor.device(console);
        Present {
            handle: self.handle().clone(),
            epoch: self.state.epoch,
            device_hash: device.map_or_else(Vec::new, |token| token::secret_digest(&token)),
        }
    }

    /// Goes on in a new credential epoch, under a new session id. What was proved or begun before it is worth nothing.
    pub async fn go_on(&mut self, epoch: i64, flash: Flash) -> Result<(), PageError> {
        self.state.epoch = epoch;
        self.state.verified_at = None;
        self.state.reveal = None;
        self.state.replacement = None;
        self.state.challenge = None;
        self.state.addition = None;
        self.state.flash = Some(flash);
        self.visitor.enter(Stage::SignedIn(Box::new(self.state.clone()))).await
    }

    /// Keeps a new authenticator until its first code, in place of any begun before.
    pub async fn keep_replacement(&mut self, replacement: Replacement) -> Result<(), PageError> {
        self.state.replacement = Some(replacement);
        self.save().await
    }

    /// The new authenticator that waits for its first code.
    pub fn replacement(&self, console: &Console) -> Option<&Replacement> {
        self.state.replacement.as_ref().filter(|replacement| replacement.is_open(&console.app))
    }

    /// Remembers what the browser has been asked, in place of anything before.
    pub async fn keep_challenge(&mut self, challenge: Challenge) -> Result<(), PageError> {
        self.state.challenge = Some(challenge);
        self.save().await
    }

    /// What the browser has been asked.
    pub fn challenge(&self) -> Option<Challenge> {
        self.state.challenge.clone()
    }

    /// Gives or takes back leave to add a passkey.
    pub async fn keep_addition(&mut self, addition: Option<Addition>) -> Result<(), PageError> {
        self.state.addition = addition;
        self.save().await
    }

    /// The leave to add a passkey.
    pub fn addition(&self, console: &Console) -> Option<&Addition> {
        self.state.addition.as_ref().filter(|addition| addition.is_open(&console.app))
    }

    /// Leaves a recorded reveal for the next page.
    pub async fn leave_reveal(&mut self, ticket: RevealTicket) -> Result<(), PageError> {
        self.state.reveal = Some(ticket);
        self.save().await
    }

    /// Takes the reveal left for this page. The next page finds none.
    pub async fn take_reveal(&mut self) -> Result<Option<RevealTicket>, PageError> {
        let ticket = self.state.reveal.take();
        if ticket.is_some() {
            self.save().await?;
        }
        Ok(ticket)
    }

    async fn save(&mut self) -> Result<(), PageError> {
        let stage = Stage::SignedIn(Box::new(self.state.clone()));
        self.visitor.session.insert(STAGE, &stage).await?;
        self.visitor.stage = Some(stage);
        Ok(())
    }
}

/// Middleware: lets an error's page know whose session it is in, so that it has the account's bar and sign-out, and the
/// token that the switches in it need.
pub async fn identify(State(console): State<Console>, request: Request, next: Next) -> Response {
    let extensions = request.extensions().clone();
    let mut response = next.run(request).await;
    if response.status().is_client_error() || response.status().is_server_error() {
        let (mut parts, ()) = axum::http::Request::new(()).into_parts();
        parts.extensions = extensions;
        if let Ok(visitor) = Visitor::from_request_parts(&mut parts, &console).await {
            let page = visitor.page(&console);
            let owner = SignedIn::of(visitor, &console).await.ok().flatten();
            response.extensions_mut().insert(owner.map_or(page, |owner| owner.frame(&console)));
        }
    }
    response
}

/// A handler that serves anybody names this to say so.
impl FromRequestParts<Console> for Console {
    type Rejection = Infallible;

    async fn from_request_parts(_parts: &mut Parts, console: &Console) -> Result<Self, Infallible> {
        Ok(console.clone())
    }
}
