//! The page that a form about a key was sent from, to which its handler redirects.

use axum::response::Redirect;
use serde::Deserialize;

use crate::console::frame::flash::Flash;
use crate::console::frame::problem::{PageError, Problem};
use crate::console::frame::urls;
use crate::console::session::SignedIn;
use crate::types::id::SecretId;

/// Parses the key that a URL names. A malformed name is treated like that of a key the account does not have.
pub(crate) fn named(secret_id: &str) -> Result<SecretId, PageError> {
    secret_id.parse().map_err(|_| Problem::KeyNotFound.into())
}

/// The page that a form was sent from. If it names no key, that is the page of the keys.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct SentFrom {
    /// The page of this key.
    pub key: Option<SecretId>,
    /// The rotation of this key.
    pub rotation: Option<SecretId>,
}

impl SentFrom {
    /// The page of a key.
    pub fn key(secret_id: &SecretId) -> Self {
        Self { key: Some(secret_id.clone()), rotation: None }
    }

    /// The rotation of a key.
    pub fn rotation(secret_id: &SecretId) -> Self {
        Self { key: None, rotation: Some(secret_id.clone()) }
    }

    /// The URL of the page.
    pub fn address(&self) -> String {
        match (&self.rotation, &self.key) {
            (Some(key), _) => urls::key_act(key, "rotate"),
            (None, Some(key)) => urls::key_page(key),
            (None, None) => urls::KEYS.to_owned(),
        }
    }

    /// The query string that passes the page to a confirmation page.
    pub fn query(&self) -> String {
        match (&self.rotation, &self.key) {
            (Some(key), _) => format!("?rotation={key}"),
            (None, Some(key)) => format!("?key={key}"),
            (None, None) => String::new(),
        }
    }
}

/// Redirects to the page, which shows the message.
pub(super) async fn tell(owner: &mut SignedIn, from: &SentFrom, flash: Flash) -> Result<Redirect, PageError> {
    owner.leave_flash(flash).await?;
    Ok(Redirect::to(&from.address()))
}
