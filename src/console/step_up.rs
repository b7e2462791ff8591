//! The step before every operation that cannot be undone: a page that says what is about to be done and, unless an
//! earlier verification still holds, asks for password and code, or a passkey.
//!
//! Each operation has one URL. `GET` shows this page, and `POST` performs the operation, with password and code in the
//! same form. So a verification window of zero works like any other.

use std::collections::BTreeMap;
use std::time::Duration;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Json};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::Console;
use super::frame::form_state::FormState;
use super::frame::page::{self, AccountPage, Page};
use super::frame::problem::{PageError, Rendered};
use super::security::session_view::SessionView;
use super::session::SignedIn;
use crate::account::passkey_use::Answer;
use crate::account::passkeys;
use crate::account::verification::{self, Verified};
use crate::console::frame::urls;
use crate::texts::Texts;
use crate::types::error::Error;
use crate::types::id::SecretId;

/// The subject of an operation.
pub enum StepUpSubject {
    /// The account as a whole.
    Account,
    /// A key.
    Key(SecretId),
    /// A session.
    Session(SessionView),
    /// The passkey with this name.
    Passkey(String),
}

/// The operation to be confirmed.
pub struct StepUpPrompt {
    /// The heading.
    pub title: &'static str,
    /// The effect of the operation.
    pub text: &'static str,
    /// The subject of the operation.
    pub about: StepUpSubject,
    /// The URL of the operation.
    pub action: String,
    /// The page to return to.
    pub back: &'static str,
    /// The label of the button.
    pub button: &'static str,
    /// `true` if the operation is destructive.
    pub danger: bool,
    /// The role of recovery codes in this step-up.
    pub recovery: RecoveryCode,
}

/// The role of recovery codes in a step-up. Only an owner who has lost the authenticator can use one, to replace it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveryCode {
    /// Only the authenticator's code is accepted.
    Refused,
    /// The page links to the one that asks for a recovery code.
    Offered,
    /// The page asks for a recovery code.
    Asked,
}

/// The page that asks for confirmation.
#[derive(Template)]
#[template(path = "verify.html")]
pub struct VerifyPage {
    page: Page,
    account_name: String,
    ask: StepUpPrompt,
    asks_proof: bool,
    has_passkeys: bool,
    form: FormState,
}

/// The page, as a response to `GET`.
pub async fn page(console: &Console, owner: SignedIn, ask: StepUpPrompt) -> Result<AccountPage<VerifyPage>, PageError> {
    Ok(AccountPage(form(console, owner, ask, FormState::default()).await?))
}

/// Returns `true` if the owner can verify with a passkey.
pub async fn can_use_passkey(console: &Console, owner: &SignedIn) -> Result<bool, PageError> {
    Ok(console.site.passkeys.is_some() && !passkeys::list(&console.app, owner.proof()).await?.is_empty())
}

/// The page with the errors of its form.
pub async fn form(
    console: &Console,
    mut owner: SignedIn,
    ask: StepUpPrompt,
    form: FormState,
) -> Result<VerifyPage, PageError> {
    let page = owner.page(console).await?;
    let asks_proof = owner.verified(console).is_none();
    let has_passkeys = asks_proof && ask.recovery != RecoveryCode::Asked && can_use_passkey(console, &owner).await?;
    Ok(VerifyPage { page, account_name: owner.account.name.clone(), ask, asks_proof, has_passkeys, form })
}

/// The form: password and code, or the use of a passkey. Within the window of an earlier verification, none of them is
/// needed.
#[derive(Deserialize)]
pub struct StepUpForm {
    /// The account's password.
    pub password: Option<SecretString>,
    /// The code from the account's authenticator.
    pub code: Option<SecretString>,
    /// The browser's response to the session's passkey challenge.
    pub passkey: Option<String>,
}

/// The reason why the owner is not verified.
pub enum StepUpError {
    /// Password or code is missing, and no earlier verification holds.
    Missing,
    /// The password is wrong, or there were too many attempts.
    PasswordWrong,
    /// The code is wrong or already used, or there were too many attempts.
    CodeRefused,
    /// The code is correct, but has just been used. Contains the wait for the next one.
    CodeSpent(Duration),
    /// The passkey was not accepted, or there were too many attempts.
    PasskeyRefused,
    /// The check failed.
    Failed(PageError),
}

/// Checks the given proof and, if it is right, moves the session to a new ID. If no proof is given, looks for an
/// earlier verification.
pub async fn check(console: &Console, owner: &mut SignedIn, proof: StepUpForm) -> Result<Verified, StepUpError> {
    let app = &console.app;
    let outcome = match (proof, &console.site.passkeys) {
        (StepUpForm { passkey: Some(credential), .. }, Some(site)) => {
            let answer = Answer { site, challenge: owner.challenge(), credential: &credential };
            verification::verify_with_passkey(app, owner.proof(), answer).await
        }
        (StepUpForm { password: Some(password), code: Some(code), .. }, _) => {
            verification::verify(app, owner.proof(), password, code.expose_secret()).await
        }
        _ => return owner.verified(console).ok_or(StepUpError::Missing),
    };
    match outcome {
        Ok(verified) => {
            owner.remember_verification(console).await.map_err(StepUpError::Failed)?;
            Ok(verified)
        }
        Err(Error::PasswordWrong) => Err(StepUpError::PasswordWrong),
        Err(Error::CodeRefused) => Err(StepUpError::CodeRefused),
        Err(Error::CodeSpent { wait }) => Err(StepUpError::CodeSpent(wait)),
        Err(Error::PasskeyRefused) => Err(StepUpError::PasskeyRefused),
        Err(error) => Err(StepUpError::Failed(error.into())),
    }
}

impl StepUpError {
    /// The error, beside its field.
    pub fn errors(self, texts: &Texts) -> Result<FormState, PageError> {
        match self {
            Self::Missing => Ok(FormState::with_error("code", texts.step_up.expired)),
            Self::PasswordWrong => Ok(FormState::with_error("password", texts.credentials.password_wrong)),
            Self::CodeRefused => Ok(FormState::with_error("code", texts.credentials.code_refused)),
            Self::CodeSpent(wait) => Ok(FormState::with_spent_code(wait, texts)),
            Self::PasskeyRefused => Ok(FormState::with_error("passkey", texts.step_up.passkey_refused)),
            Self::Failed(error) => Err(error),
        }
    }

    /// The page again, with the error. For the script of a pop-up, JSON with the errors by field name.
    pub async fn answer(self, console: &Console, owner: SignedIn, ask: StepUpPrompt) -> Result<Response, PageError> {
        if let Self::Missing = self {
            return Ok(Redirect::to(&ask.action).into_response());
        }
        let errors = self.errors(owner.texts())?;
        if owner.wants_json() {
            let fields: BTreeMap<_, _> = errors.errors.iter().map(|error| (error.field, &error.text)).collect();
            let told = json!({ "fields": fields, "countdown": errors.countdown });
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, Extension(Rendered), Json(told)).into_response());
        }
        Ok(page::refused(form(console, owner, ask, errors).await?))
    }
}
