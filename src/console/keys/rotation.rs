//! Replacing a key with a new one, in four steps: `/cam/capi/keys/{id}/rotate`.
//!
//! Nothing about a rotation is stored: its progress is derived from the account's two keys and their use.

use askama::Template;
use axum::extract::Path;

use super::sent_from::{SentFrom, named};
use super::view::KeyView;
use crate::console::Console;
use crate::console::frame::page::{AccountPage, Page};
use crate::console::frame::problem::PageError;
use crate::console::frame::urls;
use crate::console::session::SignedIn;
use crate::keys::lifecycle::ApiKeyRow;
use crate::keys::recent_use;
use crate::keys::rotation::{Other, Rotation, Steps, rotation};
use crate::types::error::Error;

/// The number of addresses to list. The others are only counted.
const ADDRESSES: i64 = 5;

/// The page of a rotation.
#[derive(Template)]
#[template(path = "rotation.html")]
pub struct RotationPage {
    page: Page,
    /// The key to be replaced.
    old: KeyView,
    other: Other<KeyView>,
    /// The addresses from which the old key was used in the last 24 hours.
    addresses: Vec<String>,
    further_addresses: i64,
    steps: Steps,
    from: SentFrom,
}

/// `GET /cam/capi/keys/{id}/rotate`
pub async fn rotation_page(
    console: Console,
    mut owner: SignedIn,
    Path(secret_id): Path<String>,
) -> Result<AccountPage<RotationPage>, PageError> {
    let app = &console.app;
    let id = named(&secret_id)?;
    app.usage.flush().await;
    let Rotation { old, other, steps } = rotation(app, owner.proof(), &id).await?;
    let addresses = recent_use::addresses(app, &id, ADDRESSES).await?;
    let other = shown(&console, other).await?;
    let old = KeyView::new(&console, old).await?;
    Ok(AccountPage(RotationPage {
        steps,
        from: SentFrom::rotation(&old.secret_id),
        further_addresses: (old.addresses_24h - ADDRESSES).max(0),
        page: owner.page(&console).await?,
        old,
        other,
        addresses,
    }))
}

async fn shown(console: &Console, other: Other<ApiKeyRow>) -> Result<Other<KeyView>, Error> {
    Ok(match other {
        Other::Free => Other::Free,
        Other::New(key) => Other::New(KeyView::new(console, key).await?),
        Other::Disabled(key) => Other::Disabled(KeyView::new(console, key).await?),
        Other::Older(key) => Other::Older(KeyView::new(console, key).await?),
    })
}
