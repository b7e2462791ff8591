//! The emergency stop, `/cam/capi/disable-all`, which disables every key of the account at once.

use askama::Template;
use axum::response::{IntoResponse, Redirect, Response};

use super::view::KeyView;
use crate::console::Console;
use crate::console::frame::flash::Flash;
use crate::console::frame::page::{AccountPage, Page};
use crate::console::frame::problem::PageError;
use crate::console::frame::urls;
use crate::console::session::SignedIn;
use crate::console::session::form::{Nothing, OwnForm};
use crate::keys::change::Effect;
use crate::keys::lifecycle::{self, Stopped};
use crate::types::key_state::KeyState;

#[derive(Template)]
#[template(path = "disable_all.html")]
struct DisableAllPage {
    page: Page,
    /// The keys that will be disabled.
    keys: Vec<KeyView>,
}

/// The page that asks first. Returns `None` if no key is enabled, so that there is nothing to ask.
async fn ask(console: &Console, owner: &mut SignedIn) -> Result<Option<DisableAllPage>, PageError> {
    console.app.usage.flush().await;
    let mut keys = Vec::new();
    for key in lifecycle::list(&console.app, owner.proof()).await? {
        if key.state == KeyState::Enabled {
            keys.push(KeyView::new(console, key).await?);
        }
    }
    if keys.is_empty() {
        return Ok(None);
    }
    let page = owner.page(console).await?;
    Ok(Some(DisableAllPage { page, keys }))
}

async fn tell(owner: &mut SignedIn, flash: Flash) -> Result<Response, PageError> {
    owner.leave_flash(flash).await?;
    Ok(Redirect::to(urls::KEYS).into_response())
}

/// `GET /cam/capi/disable-all`
pub async fn ask_page(console: Console, mut owner: SignedIn) -> Result<Response, PageError> {
    match ask(&console, &mut owner).await? {
        Some(asked) => Ok(AccountPage(asked).into_response()),
        None => tell(&mut owner, Flash::AllKeysDisabled(0)).await,
    }
}

/// `POST /cam/capi/disable-all`. One confirmation is enough: stopping is safe, and has to be quick.
pub async fn disable_all(
    console: Console,
    mut owner: SignedIn,
    OwnForm(Nothing {}): OwnForm<Nothing>,
) -> Result<Response, PageError> {
    let Stopped { keys, effect } = lifecycle::disable_all(&console.app, owner.proof()).await?;
    let flash = match effect {
        Effect::Everywhere => Flash::AllKeysDisabled(keys.len()),
        Effect::Spreading => Flash::TakesEffect,
    };
    tell(&mut owner, flash).await
}
