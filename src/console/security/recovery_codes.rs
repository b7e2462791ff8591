//! New recovery codes, `/cam/security/recovery-codes`.

use axum::response::{IntoResponse, Response};

use crate::account::credentials;
use crate::console::Console;
use crate::console::frame::enrolment::{At, RecoveryCodesPage};
use crate::console::frame::page::{AccountPage, Confidential};
use crate::console::frame::problem::PageError;
use crate::console::frame::urls;
use crate::console::session::SignedIn;
use crate::console::session::form::OwnForm;
use crate::console::step_up::{self, RecoveryCode, StepUpForm, StepUpPrompt, StepUpSubject, VerifyPage};
use crate::texts::Texts;

fn ask(texts: &Texts) -> StepUpPrompt {
    StepUpPrompt {
        title: texts.security.new_recovery_codes_title,
        text: texts.security.new_recovery_codes_effect,
        about: StepUpSubject::Account,
        action: urls::RECOVERY_CODES.to_owned(),
        back: urls::SECURITY,
        button: texts.security.generate_codes,
        danger: false,
        recovery: RecoveryCode::Refused,
    }
}

/// `GET /cam/security/recovery-codes`
pub async fn replace_page(console: Console, owner: SignedIn) -> Result<AccountPage<VerifyPage>, PageError> {
    let ask = ask(owner.texts());
    step_up::page(&console, owner, ask).await
}

/// `POST /cam/security/recovery-codes`. This is the only response that shows the codes; no page shows them again.
pub async fn replace(
    console: Console,
    mut owner: SignedIn,
    OwnForm(proof): OwnForm<StepUpForm>,
) -> Result<Response, PageError> {
    let ask = ask(owner.texts());
    let verified = match step_up::check(&console, &mut owner, proof).await {
        Ok(verified) => verified,
        Err(unproved) => return unproved.answer(&console, owner, ask).await,
    };
    let present = owner.present(&console);
    let codes = credentials::replace_recovery_codes(&console.app, &verified, &present).await?;
    let page = owner.page(&console).await?;
    let page = RecoveryCodesPage::new(page, At::Replacement, &owner.account.name, &codes);
    Ok(Confidential(AccountPage(page)).into_response())
}
