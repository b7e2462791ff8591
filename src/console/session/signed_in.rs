//! The session of a signed-in owner.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::sign_in_first;
use super::stage::{STAGE, SignedInState, Stage};
use super::visitor::Visitor;
use crate::account::AccountRow;
use crate::account::credentials::Replacement;
use crate::account::owner::Owner;
use crate::account::passkey_use::Challenge;
use crate::account::passkeys::Addition;
use crate::account::sessions::{self, Present};
use crate::account::sign_in::Previous;
use crate::account::verification::Verified;
use crate::console::Console;
use crate::console::frame::flash::Flash;
use crate::console::frame::page::{AccountBar, Page};
use crate::console::frame::problem::PageError;
use crate::console::frame::return_to;
use crate::http::tracked::RequestSpan;
use crate::keys::reveal::RevealTicket;
use crate::secret::token::{Token, TokenDigest};
use crate::texts::Texts;
use crate::types::id::SessionHandle;

/// The owner of an account, signed in.
pub struct SignedIn {
    /// The visitor.
    visitor: Visitor,
    /// The account.
    pub account: AccountRow,
    proof: Owner,
    state: SignedInState,
}

impl FromRequestParts<Console> for SignedIn {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, PageError> {
        let visitor = Visitor::from_request_parts(parts, console).await?;
        Self::of(visitor, console).await?.ok_or_else(|| {
            return_to::remember(parts, console);
            sign_in_first(parts, console)
        })
    }
}

impl SignedIn {
    /// The visitor as a signed-in owner, if they are one. A session from an older credential epoch is ended here.
    pub(crate) async fn of(mut visitor: Visitor, console: &Console) -> Result<Option<Self>, PageError> {
        let Some(Stage::SignedIn(state)) = visitor.stage.clone() else { return Ok(None) };
        let found = sessions::owner(&console.app, &visitor.origin, state.uin, state.epoch).await?;
        let Some((proof, account)) = found else {
            visitor.end().await?;
            return Ok(None);
        };
        if let Some(span) = visitor.extensions.get::<RequestSpan>() {
            span.name_account(account.uin);
        }
        Ok(Some(Self { visitor, account, proof, state: *state }))
    }

    /// The proof of identity, for functions that operate on the account.
    pub fn proof(&self) -> &Owner {
        &self.proof
    }

    /// The session's handle.
    pub fn handle(&self) -> &SessionHandle {
        &self.state.handle
    }

    /// The previous sign-in.
    pub fn previous(&self) -> &Previous {
        &self.state.previous
    }

    /// Returns `true` if the request comes from a page's script, which expects JSON.
    pub fn wants_json(&self) -> bool {
        self.visitor.wants_json
    }

    /// The texts in the owner's language.
    pub fn texts(&self) -> &'static Texts {
        Page::bare(&self.visitor.extensions).t
    }

    /// The page frame, with the message that was left for it.
    pub async fn page(&mut self, console: &Console) -> Result<Page, PageError> {
        let flash = self.state.flash.take();
        if flash.is_some() {
            self.save().await?;
        }
        Ok(self.frame(console).with_flash(flash.as_ref()))
    }

    pub(crate) fn frame(&self, console: &Console) -> Page {
        let mut page = self.visitor.page(console);
        page.account = Some(AccountBar { name: self.account.name.clone(), uin: self.account.uin });
        page
    }

    /// Leaves a message for the next page.
    pub async fn leave_flash(&mut self, flash: Flash) -> Result<(), PageError> {
        self.state.flash = Some(flash);
        self.save().await
    }

    /// The proof of identity, if the last verification still holds.
    pub fn verified(&self, console: &Console) -> Option<Verified> {
        Verified::within_window(&console.app, &self.proof, self.state.verified_at)
    }

    /// Remembers a verification, under a new session ID.
    pub async fn remember_verification(&mut self, console: &Console) -> Result<(), PageError> {
        self.state.verified_at = Some(console.app.clock.now());
        self.renew_id().await
    }

    /// Continues under a new session ID, after a proof of identity.
    pub async fn renew_id(&mut self) -> Result<(), PageError> {
        self.visitor.enter(Stage::SignedIn(Box::new(self.state.clone()))).await
    }

    /// Identifies this session, for a change that ends all others.
    pub fn present(&self, console: &Console) -> Present {
        let device = self.visitor.device(console);
        Present {
            handle: self.handle().clone(),
            epoch: self.state.epoch,
            device_hash: device.as_ref().map_or_else(TokenDigest::of_none, Token::digest),
        }
    }

    /// Continues in a new credential epoch, under a new session ID. Everything that was verified or begun before is
    /// void.
    pub async fn go_on(&mut self, epoch: i64, flash: Flash) -> Result<(), PageError> {
        self.state.epoch = epoch;
        self.state.verified_at = None;
        self.state.reveal = None;
        self.state.replacement = None;
        self.state.challenge = None;
        self.state.addition = None;
        self.state.flash = Some(flash);
        self.renew_id().await
    }

    /// Keeps a new authenticator until its first code. Replaces one that was begun before.
    pub async fn keep_replacement(&mut self, replacement: Replacement) -> Result<(), PageError> {
        self.state.replacement = Some(replacement);
        self.save().await
    }

    /// The new authenticator that waits for its first code.
    pub fn replacement(&self, console: &Console) -> Option<&Replacement> {
        self.state.replacement.as_ref().filter(|replacement| replacement.is_open(&console.app))
    }

    /// Remembers the challenge that the browser was sent. Replaces any earlier one.
    pub async fn keep_challenge(&mut self, challenge: Challenge) -> Result<(), PageError> {
        self.state.challenge = Some(challenge);
        self.save().await
    }

    /// The challenge that the browser was sent.
    pub fn challenge(&self) -> Option<Challenge> {
        self.state.challenge.clone()
    }

    /// Grants or withdraws the permission to add a passkey.
    pub async fn keep_addition(&mut self, addition: Option<Addition>) -> Result<(), PageError> {
        self.state.addition = addition;
        self.save().await
    }

    /// The permission to add a passkey, if it still holds.
    pub fn addition(&self, console: &Console) -> Option<&Addition> {
        self.state.addition.as_ref().filter(|addition| addition.is_open(&console.app))
    }

    /// Leaves a recorded reveal for the next page.
    pub async fn leave_reveal(&mut self, ticket: RevealTicket) -> Result<(), PageError> {
        self.state.reveal = Some(ticket);
        self.save().await
    }

    /// Takes the reveal that was left for this page. The next page finds none.
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
