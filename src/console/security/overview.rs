//! The security page, `/cam/security`: the account's credentials and sessions. The sessions can be ended here.

use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};

use super::passkeys::PasskeyView;
use super::session_view::SessionView;
use crate::account::sessions::SessionRow;
use crate::account::{credentials, passkeys, sessions};
use crate::console::Console;
use crate::console::frame::flash::Flash;
use crate::console::frame::page::{AccountPage, Page};
use crate::console::frame::problem::{PageError, Problem};
use crate::console::frame::urls;
use crate::console::session::SignedIn;
use crate::console::session::form::OwnForm;
use crate::console::step_up::{self, RecoveryCode, StepUpForm, StepUpPrompt, StepUpSubject, VerifyPage};
use crate::texts::Texts;
use crate::types::id::SessionHandle;

/// The security page.
#[derive(Template)]
#[template(path = "security.html")]
pub struct SecurityPage {
    page: Page,
    verified: bool,
    recovery_codes_left: String,
    passkeys: Vec<PasskeyView>,
    passkeys_work: bool,
    passkeys_full: bool,
    sessions: Vec<SessionView>,
}

/// `GET /cam/security`
pub async fn security_page(console: Console, mut owner: SignedIn) -> Result<AccountPage<SecurityPage>, PageError> {
    let app = &console.app;
    let page = owner.page(&console).await?;
    let left = credentials::recovery_codes_left(app, owner.proof()).await?;
    let rows = sessions::list(app, owner.proof()).await?.into_iter();
    let mut sessions: Vec<SessionView> = rows.map(|session| SessionView::new(page.t, &owner, session)).collect();
    sessions.sort_by_key(|session| !session.present);
    let passkeys = passkeys::list(app, owner.proof()).await?;
    Ok(AccountPage(SecurityPage {
        verified: owner.verified(&console).is_some(),
        recovery_codes_left: (page.t.security.recovery_codes_left)(left),
        passkeys_work: console.site.passkeys.is_some(),
        passkeys_full: passkeys.len() >= passkeys::LIMIT,
        passkeys: passkeys.into_iter().map(PasskeyView::from).collect(),
        sessions,
        page,
    }))
}

/// The session that a URL names, if it is a live session of the account.
async fn named(console: &Console, owner: &SignedIn, handle: &str) -> Result<SessionRow, PageError> {
    let handle = SessionHandle::parse(handle).ok_or(Problem::SessionNotFound)?;
    Ok(sessions::find(&console.app, owner.proof(), &handle).await?)
}

fn ask_to_end(owner: &SignedIn, session: SessionRow) -> StepUpPrompt {
    let texts = owner.texts();
    StepUpPrompt {
        title: texts.security.end_title,
        text: texts.security.end_effect,
        action: urls::end_session(&session.handle),
        about: StepUpSubject::Session(SessionView::new(texts, owner, session)),
        back: urls::SECURITY,
        button: texts.security.end,
        danger: true,
        recovery: RecoveryCode::Refused,
    }
}

/// `GET /cam/security/sessions/{handle}/end`
pub async fn end_page(
    console: Console,
    owner: SignedIn,
    Path(handle): Path<String>,
) -> Result<AccountPage<VerifyPage>, PageError> {
    let session = named(&console, &owner, &handle).await?;
    let ask = ask_to_end(&owner, session);
    step_up::page(&console, owner, ask).await
}

/// `POST /cam/security/sessions/{handle}/end`
pub async fn end(
    console: Console,
    mut owner: SignedIn,
    Path(handle): Path<String>,
    OwnForm(proof): OwnForm<StepUpForm>,
) -> Result<Response, PageError> {
    let session = named(&console, &owner, &handle).await?;
    let handle = session.handle.clone();
    let ask = ask_to_end(&owner, session);
    let verified = match step_up::check(&console, &mut owner, proof).await {
        Ok(verified) => verified,
        Err(unproved) => return unproved.answer(&console, owner, ask).await,
    };
    sessions::end(&console.app, &verified, &owner.present(&console), &handle).await?;
    owner.leave_flash(Flash::SessionEnded).await?;
    Ok(Redirect::to(urls::SECURITY).into_response())
}

fn ask_to_end_others(texts: &Texts) -> StepUpPrompt {
    StepUpPrompt {
        title: texts.security.end_others_title,
        text: texts.security.end_others_effect,
        about: StepUpSubject::Account,
        action: urls::END_OTHERS.to_owned(),
        back: urls::SECURITY,
        button: texts.security.end_others,
        danger: true,
        recovery: RecoveryCode::Refused,
    }
}

/// `GET /cam/security/sessions/end-others`
pub async fn end_others_page(console: Console, owner: SignedIn) -> Result<AccountPage<VerifyPage>, PageError> {
    let ask = ask_to_end_others(owner.texts());
    step_up::page(&console, owner, ask).await
}

/// `POST /cam/security/sessions/end-others`
pub async fn end_others(
    console: Console,
    mut owner: SignedIn,
    OwnForm(proof): OwnForm<StepUpForm>,
) -> Result<Response, PageError> {
    let ask = ask_to_end_others(owner.texts());
    let verified = match step_up::check(&console, &mut owner, proof).await {
        Ok(verified) => verified,
        Err(unproved) => return unproved.answer(&console, owner, ask).await,
    };
    let epoch = sessions::end_others(&console.app, &verified, &owner.present(&console)).await?;
    owner.go_on(epoch, Flash::OtherSessionsEnded).await?;
    Ok(Redirect::to(urls::SECURITY).into_response())
}
