//! `/cam/capi/keys/{id}/rotate`: replacing a key by a new one, in four steps.
//!
//! Nothing about a rotation is stored: how far it has come is read off the account's two keys and their use.

use askama::Template;
use askama_web::WebTemplate;
use axum::extract::Path;
use axum::response::Response;

use super::list::named;
use super::view::{DAY, KeyView};
use crate::console::Console;
use crate::console::frame::page::{self, Page};
use crate::console::frame::problem::PageError;
use crate::console::session::SignedIn;
use crate::db::api_keys::ApiKeyRow;
use crate::db::usage;
use crate::keys::lifecycle;
use crate::types::clock::Timestamp;
use crate::types::error::Error;
use crate::types::key_state::KeyState;

/// Addresses that are named; of the others there is the number.
const ADDRESSES: i64 = 5;

#[derive(Template, WebTemplate)]
#[template(path = "rotation.html")]
struct RotationPage {
    page: Page,
    /// The key that is replaced.
    old: KeyView,
    other: Other,
    /// Where programs called the old key from in the last 24 hours.
    addresses: Vec<String>,
    further_addresses: i64,
    steps: Steps,
}

/// What the account's other place holds.
enum Other {
    /// No key.
    Free,
    /// The key that replaces the old one.
    New(KeyView),
    /// A disabled key, which has to go, or to be enabled, first.
    Disabled(KeyView),
    /// An enabled key that is older than this one: that one should be replaced.
    Older(KeyView),
}

/// How far a step has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Done,
    Current,
    Later,
}

impl Progress {
    fn is_done(self) -> bool {
        self == Self::Done
    }

    fn is_current(self) -> bool {
        self == Self::Current
    }
}

/// The steps; the first that is not done is the current one.
struct Steps {
    create: Progress,
    take_into_use: Progress,
    disable: Progress,
    delete: Progress,
}

impl Steps {
    fn new(created: bool, in_use: bool, disabled: bool) -> Self {
        let mut found = false;
        let mut progress = |done: bool| match (done, found) {
            (true, _) => Progress::Done,
            (false, true) => Progress::Later,
            (false, false) => {
                found = true;
                Progress::Current
            }
        };
        Self {
            create: progress(created),
            take_into_use: progress(in_use),
            disable: progress(disabled),
            // A deleted key has no page.
            delete: progress(false),
        }
    }
}

/// Has the key had no accepted call in the last 24 hours?
fn is_quiet(key: &ApiKeyRow, now: Timestamp) -> bool {
    key.last_used_at.is_none_or(|used| used < now.minus(DAY))
}

impl Other {
    async fn new(console: &Console, old: &ApiKeyRow, other: Option<ApiKeyRow>) -> Result<Self, Error> {
        let Some(other) = other else { return Ok(Self::Free) };
        let kind = match (other.state, old.state) {
            (KeyState::Enabled, KeyState::Enabled) if other.created_at < old.created_at => Self::Older,
            (KeyState::Enabled, _) => Self::New,
            _ => Self::Disabled,
        };
        Ok(kind(KeyView::new(console, other).await?))
    }

    fn is_new(&self) -> bool {
        matches!(self, Self::New(_))
    }
}

/// `GET /cam/capi/keys/{id}/rotate`
pub async fn rotation_page(
    console: Console,
    mut owner: SignedIn,
    Path(secret_id): Path<String>,
) -> Result<Response, PageError> {
    let app = &console.app;
    let id = named(&secret_id)?;
    app.usage.flush().await;
    let (mut found, mut others): (Vec<ApiKeyRow>, Vec<ApiKeyRow>) =
        lifecycle::list(app, owner.uin()).await?.into_iter().partition(|key| key.secret_id == id);
    let old = found.pop().ok_or(Error::KeyNotFound)?;
    let other = others.pop();

    let now = app.clock.now();
    let disabled = old.state == KeyState::Disabled;
    let new_is_used = other.as_ref().is_some_and(|key| key.last_used_at.is_some());
    // Where nothing has ever called the old key, there is nothing to move.
    let moved = old.last_used_at.is_none() || new_is_used && (disabled || is_quiet(&old, now));
    let addresses = usage::addresses(&app.db, &id, now.minus(DAY), ADDRESSES).await.map_err(Error::from)?;
    let other = Other::new(&console, &old, other).await?;
    let old = KeyView::new(&console, old).await?;
    let created = other.is_new();
    Ok(page::of_account(RotationPage {
        steps: Steps::new(created, created && moved, disabled),
        further_addresses: (old.addresses_24h - ADDRESSES).max(0),
        page: owner.page(&console).await?,
        old,
        other,
        addresses,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_step_that_is_not_done_is_the_current_one() {
        let steps = Steps::new(true, false, true);
        assert!(steps.create.is_done() && steps.take_into_use.is_current() && steps.disable.is_done());
        assert_eq!(steps.delete, Progress::Later);
        assert!(Steps::new(true, true, true).delete.is_current());
    }
}
