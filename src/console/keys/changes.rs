//! Changes to a key: create, disable, enable, delete, and its remark. For browsers without pop-ups, disabling and
//! deleting have a page that asks first.

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::sent_from::{SentFrom, named, tell};
use super::view::KeyView;
use crate::console::Console;
use crate::console::frame::flash::Flash;
use crate::console::frame::form_state::FormState;
use crate::console::frame::page::{self, AccountPage, Page};
use crate::console::frame::problem::PageError;
use crate::console::frame::urls;
use crate::console::session::SignedIn;
use crate::console::session::form::OwnForm;
use crate::console::step_up::{self, RecoveryCode, StepUpForm, StepUpPrompt, StepUpSubject};
use crate::keys::change::Effect;
use crate::keys::lifecycle::{self, Created};
use crate::texts::Texts;
use crate::types::error::Error;
use crate::types::id::SecretId;
use crate::types::key_state::KeyState;

/// The message for the next page: the change was made, or the reason why it was not.
fn outcome(changed: Result<Effect, Error>, id: SecretId, done: fn(SecretId) -> Flash) -> Result<Flash, Error> {
    match changed {
        Ok(Effect::Everywhere) => Ok(done(id)),
        Ok(Effect::Spreading) => Ok(Flash::TakesEffect),
        Err(Error::KeyAlready(state)) => Ok(Flash::KeyAlready(id, state)),
        Err(Error::KeyNotDisabled) => Ok(Flash::KeyNotDisabled(id)),
        Err(error) => Err(error),
    }
}

/// `POST /cam/capi/keys`
pub async fn create(
    console: Console,
    mut owner: SignedIn,
    OwnForm(from): OwnForm<SentFrom>,
) -> Result<Redirect, PageError> {
    let flash = match lifecycle::create(&console.app, owner.proof(), None).await {
        Ok(Created { effect: Effect::Spreading, .. }) => Flash::TakesEffect,
        Ok(created) => Flash::KeyCreated(created.secret_id),
        Err(Error::KeyLimit) => Flash::KeyLimit,
        Err(error) => return Err(error.into()),
    };
    tell(&mut owner, &from, flash).await
}

/// `POST /cam/capi/keys/{id}/disable`
pub async fn disable(
    console: Console,
    mut owner: SignedIn,
    Path(secret_id): Path<String>,
    OwnForm(from): OwnForm<SentFrom>,
) -> Result<Redirect, PageError> {
    let id = named(&secret_id)?;
    let changed = lifecycle::disable(&console.app, owner.proof(), &id).await;
    tell(&mut owner, &from, outcome(changed, id, Flash::KeyDisabled)?).await
}

fn ask_to_enable(texts: &Texts, secret_id: &SecretId) -> StepUpPrompt {
    StepUpPrompt {
        title: texts.keys.enable_stopped_title,
        text: texts.keys.enable_stopped_effect,
        about: StepUpSubject::Key(secret_id.clone()),
        action: urls::key_act(secret_id, "enable"),
        back: urls::KEYS,
        button: texts.common.enable,
        danger: false,
        recovery: RecoveryCode::Refused,
    }
}

/// `GET /cam/capi/keys/{id}/enable`: the step-up before a key is enabled that the emergency stop has disabled. Any other key
/// is enabled on the page of the keys.
pub async fn enable_page(
    console: Console,
    owner: SignedIn,
    Path(secret_id): Path<String>,
) -> Result<Response, PageError> {
    let key = lifecycle::find(&console.app, owner.proof(), &named(&secret_id)?).await?;
    if key.stopped_at.is_none() {
        return Ok(Redirect::to(urls::KEYS).into_response());
    }
    let ask = ask_to_enable(owner.texts(), &key.secret_id);
    Ok(step_up::page(&console, owner, ask).await?.into_response())
}

/// The page that the form was sent from, and the proof if there is one.
#[derive(Deserialize)]
pub struct EnableForm {
    #[serde(flatten)]
    from: SentFrom,
    #[serde(flatten)]
    proof: StepUpForm,
}

/// `POST /cam/capi/keys/{id}/enable`
pub async fn enable(
    console: Console,
    mut owner: SignedIn,
    Path(secret_id): Path<String>,
    OwnForm(EnableForm { from, proof }): OwnForm<EnableForm>,
) -> Result<Response, PageError> {
    let id = named(&secret_id)?;
    let changed = match lifecycle::enable(&console.app, owner.proof(), &id).await {
        Err(Error::KeyStopped) => {
            let ask = ask_to_enable(owner.texts(), &id);
            match step_up::check(&console, &mut owner, proof).await {
                Ok(verified) => lifecycle::enable_verified(&console.app, &verified, &id).await,
                Err(unproved) => return unproved.answer(&console, owner, ask).await,
            }
        }
        changed => changed,
    };
    Ok(tell(&mut owner, &from, outcome(changed, id, Flash::KeyEnabled)?).await?.into_response())
}

/// `POST /cam/capi/keys/{id}/delete`
pub async fn delete(
    console: Console,
    mut owner: SignedIn,
    Path(secret_id): Path<String>,
    OwnForm(from): OwnForm<SentFrom>,
) -> Result<Redirect, PageError> {
    let id = named(&secret_id)?;
    let changed = lifecycle::delete(&console.app, owner.proof(), &id).await;
    tell(&mut owner, &from, outcome(changed, id, Flash::KeyDeleted)?).await
}

#[derive(Template)]
#[template(path = "key_confirm.html")]
struct ConfirmPage {
    page: Page,
    key: KeyView,
    from: SentFrom,
}

/// The full page that replaces a pop-up, if the key is in the required state.
async fn confirm_page(
    console: &Console,
    mut owner: SignedIn,
    secret_id: &str,
    from: SentFrom,
    about: KeyState,
) -> Result<Response, PageError> {
    let id = named(secret_id)?;
    console.app.usage.flush().await;
    let key = lifecycle::find(&console.app, owner.proof(), &id).await?;
    if key.state != about {
        let flash = match about {
            KeyState::Disabled => Flash::KeyNotDisabled(id),
            _ => Flash::KeyAlready(id, key.state),
        };
        return Ok(tell(&mut owner, &from, flash).await?.into_response());
    }
    let key = KeyView::new(console, key).await?;
    Ok(AccountPage(ConfirmPage { page: owner.page(console).await?, key, from }).into_response())
}

/// `GET /cam/capi/keys/{id}/disable`
pub async fn disable_page(
    console: Console,
    owner: SignedIn,
    Path(secret_id): Path<String>,
    Query(from): Query<SentFrom>,
) -> Result<Response, PageError> {
    confirm_page(&console, owner, &secret_id, from, KeyState::Enabled).await
}

/// `GET /cam/capi/keys/{id}/delete`
pub async fn delete_page(
    console: Console,
    owner: SignedIn,
    Path(secret_id): Path<String>,
    Query(from): Query<SentFrom>,
) -> Result<Response, PageError> {
    confirm_page(&console, owner, &secret_id, from, KeyState::Disabled).await
}

#[derive(Template)]
#[template(path = "key_remark.html")]
struct RemarkPage {
    page: Page,
    secret_id: SecretId,
    remark: String,
    form: FormState,
}

/// The form with the remark.
#[derive(Debug, Deserialize)]
pub struct RemarkForm {
    remark: String,
    #[serde(flatten)]
    from: SentFrom,
}

/// `POST /cam/capi/keys/{id}/remark`
pub async fn set_remark(
    console: Console,
    mut owner: SignedIn,
    Path(secret_id): Path<String>,
    OwnForm(form): OwnForm<RemarkForm>,
) -> Result<Response, PageError> {
    let id = named(&secret_id)?;
    match lifecycle::set_remark(&console.app, owner.proof(), &id, &form.remark).await {
        Ok(()) => Ok(tell(&mut owner, &form.from, Flash::RemarkSaved(id)).await?.into_response()),
        Err(Error::RemarkInvalid) => {
            let page = owner.page(&console).await?.at(urls::KEYS);
            let errors = FormState::with_error("remark", page.t.keys.remark_invalid);
            Ok(page::refused(RemarkPage { page, secret_id: id, remark: form.remark, form: errors }))
        }
        Err(error) => Err(error.into()),
    }
}
