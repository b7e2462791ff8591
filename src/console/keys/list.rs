//! The page of the keys, `/cam/capi`, and what can be done on it.

use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::advice::{self, Card};
use super::view::KeyView;
use crate::account::sign_in::Previous;
use crate::console::Console;
use crate::console::frame::flash::Flash;
use crate::console::frame::moment::Moment;
use crate::console::frame::page::{self, AccountPage, Confidential, FormState, Page};
use crate::console::frame::problem::{PageError, Problem};
use crate::console::frame::urls;
use crate::console::session::SignedIn;
use crate::console::session::form::OwnForm;
use crate::console::step_up::{self, StepUpForm, StepUpPrompt, StepUpSubject, VerifyPage};
use crate::keys::{lifecycle, reveal};
use crate::texts::Texts;
use crate::types::error::Error;
use crate::types::id::{AppId, SecretId};
use crate::types::key_state::KeyState;

/// A shown secret is masked again after this many seconds.
const MASK_AFTER_SECONDS: u32 = 60;

#[derive(Template)]
#[template(path = "keys.html")]
#[expect(clippy::struct_excessive_bools, reason = "what the template asks")]
struct KeysPage {
    page: Page,
    account_name: String,
    app_id: AppId,
    previous_sign_in: Option<PreviousSignIn>,
    at_limit: bool,
    verified: bool,
    has_passkeys: bool,
    revealed: bool,
    mask_after: u32,
    cards: Vec<Card>,
    keys: Vec<KeyView>,
}

impl KeysPage {
    fn any_enabled(&self) -> bool {
        self.keys.iter().any(|key| key.enabled)
    }
}

/// The sign-in before this one, and what has failed since.
struct PreviousSignIn {
    at: Moment,
    address: Option<String>,
    failures: String,
}

impl PreviousSignIn {
    fn new(texts: &Texts, previous: &Previous) -> Option<Self> {
        let failures = (texts.keys.failed_attempts_since)(previous.failures);
        Some(Self { at: previous.at?.into(), address: previous.address.clone(), failures })
    }
}

/// `GET /cam/capi`
pub async fn keys_page(console: Console, mut owner: SignedIn) -> Result<Response, PageError> {
    let app = &console.app;
    app.usage.flush().await;
    let rows = lifecycle::list(app, owner.proof()).await?;
    let cards = advice::cards(app, &owner, &rows).await?;
    let mut keys = Vec::new();
    for key in rows {
        keys.push(KeyView::new(&console, key).await?);
    }
    if let Some(ticket) = owner.take_reveal().await?
        && let Some((secret_id, secret_key)) = reveal::reveal(app, owner.proof(), &ticket).await?
        && let Some(key) = keys.iter_mut().find(|key| key.secret_id == secret_id)
    {
        key.revealed = Some(secret_key.expose_secret().to_owned());
    }
    let page = owner.page(&console).await?;
    let revealed = keys.iter().any(|key| key.revealed.is_some());
    let page = AccountPage(KeysPage {
        account_name: owner.account.name.clone(),
        app_id: owner.account.app_id,
        previous_sign_in: PreviousSignIn::new(page.t, owner.previous()),
        at_limit: keys.len() >= lifecycle::LIMIT,
        verified: owner.verified(&console).is_some(),
        has_passkeys: step_up::can_use_passkey(&console, &owner).await?,
        revealed,
        mask_after: MASK_AFTER_SECONDS,
        cards,
        keys,
        page,
    });
    Ok(if revealed { Confidential(page).into_response() } else { page.into_response() })
}

/// The key an address names. What is not the shape of a key names none of the account's.
pub(crate) fn named(secret_id: &str) -> Result<SecretId, PageError> {
    secret_id.parse().map_err(|_| Problem::KeyNotFound.into())
}

/// The page of one key that a form was sent from, and leads back to; all others lead to the page of the keys.
#[derive(Debug, Default, Deserialize)]
pub struct SentFrom {
    key: Option<SecretId>,
    rotation: Option<SecretId>,
}

impl SentFrom {
    fn address(&self) -> String {
        match (&self.rotation, &self.key) {
            (Some(key), _) => urls::key_act(key, "rotate"),
            (None, Some(key)) => urls::key_page(key),
            (None, None) => urls::KEYS.to_owned(),
        }
    }
}

/// Says what came of an operation on the next page.
async fn tell(owner: &mut SignedIn, from: &SentFrom, flash: Flash) -> Result<Redirect, PageError> {
    owner.leave_flash(flash).await?;
    Ok(Redirect::to(&from.address()))
}

/// What the next page says of a change to a key: that it was done, or why it could not be.
fn outcome(changed: Result<(), Error>, id: SecretId, done: fn(SecretId) -> Flash) -> Result<Flash, Error> {
    match changed {
        Ok(()) => Ok(done(id)),
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

/// `POST /cam/capi/keys/{id}/enable`
pub async fn enable(
    console: Console,
    mut owner: SignedIn,
    Path(secret_id): Path<String>,
    OwnForm(from): OwnForm<SentFrom>,
) -> Result<Redirect, PageError> {
    let id = named(&secret_id)?;
    let changed = lifecycle::enable(&console.app, owner.proof(), &id).await;
    tell(&mut owner, &from, outcome(changed, id, Flash::KeyEnabled)?).await
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
}

/// The full page in place of a pop-up, if the key is in the state it is about.
async fn confirm_page(
    console: &Console,
    mut owner: SignedIn,
    secret_id: &str,
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
        return Ok(tell(&mut owner, &SentFrom::default(), flash).await?.into_response());
    }
    let key = KeyView::new(console, key).await?;
    Ok(AccountPage(ConfirmPage { page: owner.page(console).await?, key }).into_response())
}

/// `GET /cam/capi/keys/{id}/disable`
pub async fn disable_page(
    console: Console,
    owner: SignedIn,
    Path(secret_id): Path<String>,
) -> Result<Response, PageError> {
    confirm_page(&console, owner, &secret_id, KeyState::Enabled).await
}

/// `GET /cam/capi/keys/{id}/delete`
pub async fn delete_page(
    console: Console,
    owner: SignedIn,
    Path(secret_id): Path<String>,
) -> Result<Response, PageError> {
    confirm_page(&console, owner, &secret_id, KeyState::Disabled).await
}

fn ask_to_show(texts: &Texts, secret_id: &SecretId) -> StepUpPrompt {
    StepUpPrompt {
        title: texts.step_up.title,
        text: texts.step_up.secret_key_at_stake,
        about: StepUpSubject::Key(secret_id.clone()),
        action: urls::show(secret_id),
        back: urls::KEYS,
        button: texts.common.show,
        danger: false,
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

/// `POST /cam/capi/keys/{id}/show`: verifies, records the reveal and lets the next page, once, show the secret.
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
    Ok(Redirect::to(&urls::key(&key.secret_id)).into_response())
}

#[derive(Template)]
#[template(path = "key_remark.html")]
struct RemarkPage {
    page: Page,
    secret_id: SecretId,
    remark: String,
    form: FormState,
}

/// The remark.
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
