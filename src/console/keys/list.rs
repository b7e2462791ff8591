//! The page of the keys, `/cam/capi`.

use askama::Template;
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret;

use super::advice::{self, Card};
use super::sent_from::SentFrom;
use super::view::KeyView;
use crate::account::sign_in::Previous;
use crate::console::Console;
use crate::console::frame::moment::Moment;
use crate::console::frame::page::{AccountPage, Confidential, Page};
use crate::console::frame::problem::PageError;
use crate::console::frame::urls;
use crate::console::session::SignedIn;
use crate::console::step_up;
use crate::keys::{lifecycle, reveal};
use crate::texts::Texts;
use crate::types::id::AppId;

/// The number of seconds after which a shown secret is masked again.
const MASK_AFTER_SECONDS: u32 = 60;

#[derive(Template)]
#[template(path = "keys.html")]
#[expect(clippy::struct_excessive_bools, reason = "each is a condition of the template")]
struct KeysPage {
    page: Page,
    account_name: String,
    app_id: AppId,
    previous_sign_in: Option<PreviousSignIn>,
    recovery_link: Option<Moment>,
    at_limit: bool,
    verified: bool,
    has_passkeys: bool,
    revealed: bool,
    mask_after: u32,
    cards: Vec<Card>,
    keys: Vec<KeyView>,
    from: SentFrom,
}

impl KeysPage {
    fn any_enabled(&self) -> bool {
        self.keys.iter().any(|key| key.enabled)
    }

    /// A page that shows a secret stays.
    fn reloads(&self) -> bool {
        !self.revealed && self.keys.iter().any(|key| key.spreading.is_some())
    }

    fn all_enabled(&self) -> bool {
        self.keys.iter().all(|key| key.enabled)
    }
}

/// The previous sign-in, and the failed attempts since then.
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
        recovery_link: owner.previous().recovery_link_at.map(Moment::from),
        at_limit: keys.len() >= lifecycle::LIMIT,
        verified: owner.verified(&console).is_some(),
        has_passkeys: step_up::can_use_passkey(&console, &owner).await?,
        revealed,
        mask_after: MASK_AFTER_SECONDS,
        cards,
        keys,
        from: SentFrom::default(),
        page,
    });
    Ok(if revealed { Confidential(page).into_response() } else { page.into_response() })
}
