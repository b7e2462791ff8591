//! Showing a SecretKey: the step-up, and the reveal that the page of the keys shows once.

use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};

use super::sent_from::named;
use crate::console::Console;
use crate::console::frame::page::AccountPage;
use crate::console::frame::problem::PageError;
use crate::console::frame::urls;
use crate::console::session::SignedIn;
use crate::console::session::form::OwnForm;
use crate::console::step_up::{self, RecoveryCode, StepUpForm, StepUpPrompt, StepUpSubject, VerifyPage};
use crate::keys::{lifecycle, reveal};
use crate::texts::Texts;
use crate::types::id::SecretId;

fn ask_to_show(texts: &Texts, secret_id: &SecretId) -> StepUpPrompt {
    StepUpPrompt {
        title: texts.step_up.title,
        text: texts.step_up.secret_key_at_stake,
        about: StepUpSubject::Key(secret_id.clone()),
        action: urls::show(secret_id),
        back: urls::KEYS,
        button: texts.common.show,
        danger: false,
        recovery: RecoveryCode::Refused,
    }
}

/// `GET /cam/capi/keys/{id}/show`: asks for password and code.
pub async fn show_page(
    console: Console,
    owner: SignedIn,
    Path(secret_id): Path<String>,
) -> Result<AccountPage<VerifyPage>, PageError> {
    let key = lifecycle::find(&console.app, owner.proof(), &named(&secret_id)?).await?;
    let ask = ask_to_show(owner.texts(), &key.secret_id);
    step_up::page(&console, owner, ask).await
}

/// `POST /cam/capi/keys/{id}/show`: verifies, records the reveal, and lets the next page show the secret once.
pub async fn show(
    console: Console,
    mut owner: SignedIn,
    Path(secret_id): Path<String>,
    OwnForm(proof): OwnForm<StepUpForm>,
) -> Result<Response, PageError> {
    let app = &console.app;
    let key = lifecycle::find(app, owner.proof(), &named(&secret_id)?).await?;
    let ask = ask_to_show(owner.texts(), &key.secret_id);
    let verified = match step_up::check(&console, &mut owner, proof).await {
        Ok(verified) => verified,
        Err(unproved) => return unproved.answer(&console, owner, ask).await,
    };
    let ticket = reveal::record_reveal(app, &verified, &key.secret_id).await?;
    owner.leave_reveal(ticket).await?;
    Ok(Redirect::to(urls::SHOWN_SECRET).into_response())
}
