//! Changing the password, `/cam/security/password`.

use askama::Template;
use axum::response::{IntoResponse, Redirect, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::account::credentials::{self, NewPassword};
use crate::console::Console;
use crate::console::frame::flash::Flash;
use crate::console::frame::form_state::{self, FieldError, FormState};
use crate::console::frame::page::{self, AccountPage, Page};
use crate::console::frame::problem::PageError;
use crate::console::frame::urls;
use crate::console::session::SignedIn;
use crate::console::session::form::OwnForm;
use crate::console::step_up::{self, StepUpForm};
use crate::types::error::Error;

/// The page for changing the password.
#[derive(Template)]
#[template(path = "password.html")]
pub struct PasswordPage {
    page: Page,
    account_name: String,
    asks_code: bool,
    /// A passkey can stand in for the code.
    has_passkeys: bool,
    form: FormState,
}

async fn form(console: &Console, mut owner: SignedIn, form: FormState) -> Result<PasswordPage, PageError> {
    let page = owner.page(console).await?;
    let asks_code = owner.verified(console).is_none();
    let has_passkeys = asks_code && step_up::can_use_passkey(console, &owner).await?;
    Ok(PasswordPage { page, account_name: owner.account.name.clone(), asks_code, has_passkeys, form })
}

/// `GET /cam/security/password`
pub async fn password_page(console: Console, owner: SignedIn) -> Result<AccountPage<PasswordPage>, PageError> {
    Ok(AccountPage(form(&console, owner, FormState::default()).await?))
}

/// The form. The current password is always required; a code or passkey is required unless an earlier verification still
/// holds.
#[derive(Deserialize)]
pub struct ChangeForm {
    password: SecretString,
    code: Option<SecretString>,
    passkey: Option<String>,
    new: SecretString,
    again: SecretString,
}

/// `POST /cam/security/password`
pub async fn change(
    console: Console,
    mut owner: SignedIn,
    OwnForm(sent): OwnForm<ChangeForm>,
) -> Result<Response, PageError> {
    let errors = match try_change(&console, &mut owner, sent).await? {
        Ok(epoch) => {
            owner.go_on(epoch, Flash::PasswordChanged).await?;
            return Ok(Redirect::to(urls::SECURITY).into_response());
        }
        Err(errors) => errors,
    };
    Ok(page::refused(form(&console, owner, errors).await?))
}

/// Changes the password. The new one is checked first, so that no code is spent if it is rejected.
async fn try_change(
    console: &Console,
    owner: &mut SignedIn,
    sent: ChangeForm,
) -> Result<Result<i64, FormState>, PageError> {
    let texts = owner.texts();
    let ChangeForm { password, code, passkey, new, again } = sent;
    let mut errors: Vec<FieldError> = form_state::of_new_password("new", &new, &owner.account.name, texts).collect();
    if new.expose_secret() != again.expose_secret() {
        errors.push(FieldError { field: "again", text: texts.credentials.password_differs.into() });
    }
    if !errors.is_empty() {
        return Ok(Err(FormState::with_errors(errors)));
    }
    let new = NewPassword::validate(new, &owner.account.name)?;
    let proof = StepUpForm { password: Some(password.clone()), code, passkey };
    let verified = match step_up::check(console, owner, proof).await {
        Ok(verified) => verified,
        Err(unproved) => return unproved.errors(texts).map(Err),
    };
    let present = owner.present(console);
    match credentials::change_password(&console.app, &verified, &present, password, new).await {
        Ok(epoch) => Ok(Ok(epoch)),
        Err(Error::PasswordWrong) => Ok(Err(FormState::with_error("password", texts.credentials.password_wrong))),
        Err(error) => Err(error.into()),
    }
}
