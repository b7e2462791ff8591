//! Passkeys on the security page, `/cam/security/passkeys`. Adding one requires a verification, then a name and the
//! browser's own dialog. Removing one requires a verification; renaming one does not.

use askama::Template;
use axum::Json;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::account::passkey_use;
use crate::account::passkey_use::Answer;
use crate::account::passkeys::{self, Addition, Name, PasskeyRow};
use crate::account::webauthn::Options;
use crate::console::Console;
use crate::console::frame::flash::Flash;
use crate::console::frame::form_state::FormState;
use crate::console::frame::moment::Moment;
use crate::console::frame::page::{self, AccountPage, Page};
use crate::console::frame::problem::{PageError, Problem};
use crate::console::frame::urls;
use crate::console::session::SignedIn;
use crate::console::session::form::{Nothing, OwnForm};
use crate::console::step_up::{self, RecoveryCode, StepUpForm, StepUpPrompt, StepUpSubject, VerifyPage};
use crate::texts::Texts;
use crate::types::error::Error;
use crate::types::id::PasskeyHandle;

/// A passkey, as the pages show it.
pub struct PasskeyView {
    /// The passkey's handle.
    pub handle: PasskeyHandle,
    /// The name that its owner has given it.
    pub name: String,
    /// The time at which it was added.
    pub added: Moment,
    /// The time at which it was last used.
    pub last_used: Option<Moment>,
}

impl From<PasskeyRow> for PasskeyView {
    fn from(row: PasskeyRow) -> Self {
        Self {
            handle: row.handle,
            name: row.name,
            added: row.created_at.into(),
            last_used: row.last_used_at.map(Moment::from),
        }
    }
}

/// `POST /cam/security/passkeys/options`: the challenge for a verification.
pub async fn ask_for_own(
    console: Console,
    mut owner: SignedIn,
    OwnForm(Nothing {}): OwnForm<Nothing>,
) -> Result<Json<Options>, PageError> {
    let (options, challenge) = passkey_use::ask_for_own(&console.app, console.relying_party()?, owner.proof()).await?;
    owner.keep_challenge(challenge).await?;
    Ok(Json(options))
}

fn ask_to_add(texts: &Texts) -> StepUpPrompt {
    StepUpPrompt {
        title: texts.passkeys.add_title,
        text: texts.passkeys.add_effect,
        about: StepUpSubject::Account,
        action: urls::ADD_PASSKEY.to_owned(),
        back: urls::SECURITY,
        button: texts.common.next,
        danger: false,
        recovery: RecoveryCode::Refused,
    }
}

/// `GET /cam/security/passkeys/add`
pub async fn add_page(console: Console, owner: SignedIn) -> Result<AccountPage<VerifyPage>, PageError> {
    console.relying_party()?;
    let ask = ask_to_add(owner.texts());
    step_up::page(&console, owner, ask).await
}

/// `POST /cam/security/passkeys/add`: grants the permission to add a passkey.
pub async fn begin(
    console: Console,
    mut owner: SignedIn,
    OwnForm(proof): OwnForm<StepUpForm>,
) -> Result<Response, PageError> {
    console.relying_party()?;
    let ask = ask_to_add(owner.texts());
    let verified = match step_up::check(&console, &mut owner, proof).await {
        Ok(verified) => verified,
        Err(unproved) => return unproved.answer(&console, owner, ask).await,
    };
    owner.keep_addition(Some(Addition::begin(&console.app, &verified))).await?;
    Ok(Redirect::to(urls::NEW_PASSKEY).into_response())
}

#[derive(Template)]
#[template(path = "passkey_new.html")]
struct NewPage {
    page: Page,
    name: String,
    form: FormState,
}

/// `GET /cam/security/passkeys/new`. Redirects to the verification if the permission has expired.
pub async fn new_page(console: Console, mut owner: SignedIn) -> Result<Response, PageError> {
    if owner.addition(&console).is_none() {
        return Ok(Redirect::to(urls::ADD_PASSKEY).into_response());
    }
    let page = owner.page(&console).await?;
    Ok(AccountPage(NewPage { page, name: String::new(), form: FormState::default() }).into_response())
}

/// `POST /cam/security/passkeys/new/options`: the challenge for a new passkey.
pub async fn ask_for_new(
    console: Console,
    mut owner: SignedIn,
    OwnForm(Nothing {}): OwnForm<Nothing>,
) -> Result<Response, PageError> {
    let Some(addition) = owner.addition(&console) else {
        return Ok(Redirect::to(urls::ADD_PASSKEY).into_response());
    };
    let site = console.relying_party()?;
    let (options, challenge) = passkeys::ask_for_new(&console.app, site, &owner.account, addition).await?;
    owner.keep_challenge(challenge).await?;
    Ok(Json(options).into_response())
}

/// The form with the name and the browser's response.
#[derive(Deserialize)]
pub struct NewForm {
    name: String,
    /// Missing if the script did not run.
    #[serde(default)]
    passkey: String,
}

/// `POST /cam/security/passkeys/new`
pub async fn add(
    console: Console,
    mut owner: SignedIn,
    OwnForm(sent): OwnForm<NewForm>,
) -> Result<Response, PageError> {
    let Some(addition) = owner.addition(&console) else {
        return Ok(Redirect::to(urls::ADD_PASSKEY).into_response());
    };
    let site = console.relying_party()?;
    let answer = Answer { site, challenge: owner.challenge(), credential: &sent.passkey };
    let outcome = match Name::check(&sent.name) {
        Ok(name) => {
            let present = owner.present(&console);
            passkeys::add(&console.app, owner.proof(), &present, addition, &name, answer).await
        }
        Err(error) => Err(error),
    };
    let texts = owner.texts();
    let form = match outcome {
        Ok(()) => return done(&mut owner, Flash::PasskeyAdded).await,
        Err(Error::PasskeyLimit) => return done(&mut owner, Flash::PasskeyLimit).await,
        Err(Error::PasskeyNameInvalid) => FormState::with_error("name", texts.passkeys.name_invalid),
        Err(Error::PasskeyRefused) => FormState::with_error("passkey", texts.passkeys.new_refused),
        Err(error) => return Err(error.into()),
    };
    let page = owner.page(&console).await?;
    Ok(page::refused(NewPage { page, name: sent.name, form }))
}

/// Withdraws the permission, because one verification is good for one passkey.
async fn done(owner: &mut SignedIn, flash: Flash) -> Result<Response, PageError> {
    owner.keep_addition(None).await?;
    tell(owner, flash).await
}

/// Redirects to the security page, which shows the message.
async fn tell(owner: &mut SignedIn, flash: Flash) -> Result<Response, PageError> {
    owner.leave_flash(flash).await?;
    Ok(Redirect::to(urls::SECURITY).into_response())
}

/// The passkey that a URL names, if it belongs to the account.
async fn named(console: &Console, owner: &SignedIn, handle: &str) -> Result<PasskeyRow, PageError> {
    let handle = PasskeyHandle::parse(handle).ok_or(Problem::PasskeyNotFound)?;
    Ok(passkeys::find(&console.app, owner.proof(), &handle).await?)
}

#[derive(Template)]
#[template(path = "passkey_name.html")]
struct NamePage {
    page: Page,
    handle: PasskeyHandle,
    name: String,
    form: FormState,
}

/// The form with the new name.
#[derive(Deserialize)]
pub struct NameForm {
    name: String,
}

/// `POST /cam/security/passkeys/{handle}/name`
pub async fn rename(
    console: Console,
    mut owner: SignedIn,
    Path(handle): Path<String>,
    OwnForm(sent): OwnForm<NameForm>,
) -> Result<Response, PageError> {
    let passkey = named(&console, &owner, &handle).await?;
    let Ok(name) = Name::check(&sent.name) else {
        let page = owner.page(&console).await?;
        let form = FormState::with_error("name", page.t.passkeys.name_invalid);
        return Ok(page::refused(NamePage { page, handle: passkey.handle, name: sent.name, form }));
    };
    let present = owner.present(&console);
    passkeys::rename(&console.app, owner.proof(), &present, &passkey.handle, &name).await?;
    tell(&mut owner, Flash::PasskeyRenamed).await
}

fn ask_to_remove(texts: &Texts, passkey: &PasskeyRow) -> StepUpPrompt {
    StepUpPrompt {
        title: texts.passkeys.remove_title,
        text: texts.passkeys.remove_effect,
        about: StepUpSubject::Passkey(passkey.name.clone()),
        action: urls::remove_passkey(&passkey.handle),
        back: urls::SECURITY,
        button: texts.passkeys.remove,
        danger: true,
        recovery: RecoveryCode::Refused,
    }
}

/// `GET /cam/security/passkeys/{handle}/remove`
pub async fn remove_page(
    console: Console,
    owner: SignedIn,
    Path(handle): Path<String>,
) -> Result<AccountPage<VerifyPage>, PageError> {
    let ask = ask_to_remove(owner.texts(), &named(&console, &owner, &handle).await?);
    step_up::page(&console, owner, ask).await
}

/// `POST /cam/security/passkeys/{handle}/remove`
pub async fn remove(
    console: Console,
    mut owner: SignedIn,
    Path(handle): Path<String>,
    OwnForm(proof): OwnForm<StepUpForm>,
) -> Result<Response, PageError> {
    let passkey = named(&console, &owner, &handle).await?;
    let ask = ask_to_remove(owner.texts(), &passkey);
    let verified = match step_up::check(&console, &mut owner, proof).await {
        Ok(verified) => verified,
        Err(unproved) => return unproved.answer(&console, owner, ask).await,
    };
    passkeys::remove(&console.app, &verified, &owner.present(&console), &passkey.handle).await?;
    tell(&mut owner, Flash::PasskeyRemoved).await
}
