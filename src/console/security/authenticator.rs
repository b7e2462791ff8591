//! Replacing the authenticator, `/cam/security/authenticator`: verification, then the new seed, then its first code.
//! The old authenticator stays valid until then.

use axum::extract::Query;
use axum::response::{IntoResponse, Redirect, Response};
use secrecy::ExposeSecret;
use serde::Deserialize;

use crate::account::credentials::{self, Replacement};
use crate::console::Console;
use crate::console::frame::enrolment::{At, AuthenticatorPage, ConfirmForm};
use crate::console::frame::flash::Flash;
use crate::console::frame::form_state::FormState;
use crate::console::frame::page::{self, AccountPage, Confidential};
use crate::console::frame::problem::PageError;
use crate::console::frame::urls;
use crate::console::session::SignedIn;
use crate::console::session::form::OwnForm;
use crate::console::step_up::{self, RecoveryCode, StepUpForm, StepUpPrompt, StepUpSubject, VerifyPage};
use crate::texts::Texts;
use crate::types::error::Error;

fn ask(texts: &Texts, recovery: RecoveryCode) -> StepUpPrompt {
    StepUpPrompt {
        title: texts.security.replace_authenticator_title,
        text: texts.security.replace_authenticator_effect,
        about: StepUpSubject::Account,
        action: urls::AUTHENTICATOR.to_owned(),
        back: urls::SECURITY,
        button: texts.common.next,
        danger: false,
        recovery,
    }
}

/// The kind of code to ask for. Any value other than `recovery` stands for the authenticator's code.
#[derive(Deserialize)]
pub struct Kind {
    kind: Option<String>,
}

impl Kind {
    fn is_recovery(&self) -> bool {
        self.kind.as_deref() == Some("recovery")
    }
}

/// `GET /cam/security/authenticator`
pub async fn replace_page(
    console: Console,
    owner: SignedIn,
    Query(kind): Query<Kind>,
) -> Result<AccountPage<VerifyPage>, PageError> {
    let recovery = if kind.is_recovery() { RecoveryCode::Asked } else { RecoveryCode::Offered };
    let ask = ask(owner.texts(), recovery);
    step_up::page(&console, owner, ask).await
}

/// The form: a step-up, or the password and a recovery code.
#[derive(Deserialize)]
pub struct BeginForm {
    #[serde(flatten)]
    kind: Kind,
    #[serde(flatten)]
    proof: StepUpForm,
}

/// `POST /cam/security/authenticator`: begins a replacement, or begins it again.
pub async fn begin(
    console: Console,
    mut owner: SignedIn,
    OwnForm(BeginForm { kind, proof }): OwnForm<BeginForm>,
) -> Result<Response, PageError> {
    if kind.is_recovery() {
        return begin_with_recovery_code(console, owner, proof).await;
    }
    let ask = ask(owner.texts(), RecoveryCode::Offered);
    let verified = match step_up::check(&console, &mut owner, proof).await {
        Ok(verified) => verified,
        Err(unproved) => return unproved.answer(&console, owner, ask).await,
    };
    owner.keep_replacement(Replacement::begin(&console.app, &verified).await?).await?;
    Ok(Redirect::to(urls::NEW_AUTHENTICATOR).into_response())
}

async fn begin_with_recovery_code(
    console: Console,
    mut owner: SignedIn,
    proof: StepUpForm,
) -> Result<Response, PageError> {
    let StepUpForm { password: Some(password), code: Some(code), .. } = proof else {
        return Ok(Redirect::to(urls::AUTHENTICATOR_RECOVERY).into_response());
    };
    let code = code.expose_secret();
    let begun = Replacement::begin_with_recovery_code(&console.app, owner.proof(), password, code).await;
    let texts = owner.texts();
    let errors = match begun {
        Ok(replacement) => {
            owner.keep_replacement(replacement).await?;
            owner.renew_id().await?;
            return Ok(Redirect::to(urls::NEW_AUTHENTICATOR).into_response());
        }
        Err(Error::PasswordWrong) => FormState::with_error("password", texts.credentials.password_wrong),
        Err(Error::CodeRefused) => FormState::with_error("code", texts.credentials.code_refused),
        Err(error) => return Err(error.into()),
    };
    let page = step_up::form(&console, owner, ask(texts, RecoveryCode::Asked), errors).await?;
    Ok(page::refused(page))
}

async fn shown(
    console: &Console,
    owner: &mut SignedIn,
    replacement: &Replacement,
    form: FormState,
) -> Result<AuthenticatorPage, PageError> {
    let page = owner.page(console).await?;
    let seed = replacement.seed(&console.app).await?;
    Ok(AuthenticatorPage::new(page, At::Replacement, &owner.account.name, &seed, form)?)
}

/// `GET /cam/security/authenticator/new`. A replacement that has expired has to be begun again.
pub async fn new_page(console: Console, mut owner: SignedIn) -> Result<Response, PageError> {
    let Some(replacement) = owner.replacement(&console).cloned() else {
        return Ok(Redirect::to(urls::AUTHENTICATOR).into_response());
    };
    let page = shown(&console, &mut owner, &replacement, FormState::default()).await?;
    Ok(Confidential(AccountPage(page)).into_response())
}

/// `POST /cam/security/authenticator/new`
pub async fn confirm(
    console: Console,
    mut owner: SignedIn,
    OwnForm(form): OwnForm<ConfirmForm>,
) -> Result<Response, PageError> {
    let app = &console.app;
    let Some(replacement) = owner.replacement(&console).cloned() else {
        return Ok(Redirect::to(urls::AUTHENTICATOR).into_response());
    };
    let (code, present) = (form.code.expose_secret(), owner.present(&console));
    match credentials::confirm_totp(app, owner.proof(), &present, &replacement, code).await {
        Ok(epoch) => {
            owner.go_on(epoch, Flash::TotpReplaced).await?;
            Ok(Redirect::to(urls::SECURITY).into_response())
        }
        Err(Error::CodeRefused) => {
            let form = FormState::with_error("code", owner.texts().authenticator.code_refused);
            Ok(Confidential(page::refused(shown(&console, &mut owner, &replacement, form).await?)).into_response())
        }
        Err(error) => Err(error.into()),
    }
}
