//! Showing a SecretKey. A reveal is recorded before the secret is opened, and opens it once, within a minute.

use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::secret_place;
use crate::account::owner::Owner;
use crate::account::verification::Verified;
use crate::app::App;
use crate::audit::Event;
use crate::db::api_keys as db;
use crate::secret::token::{Token, TokenDigest};
use crate::types::error::Error;
use crate::types::event::Action;
use crate::types::id::SecretId;

/// A reveal that has been recorded but not yet used. Kept in the session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RevealTicket {
    token_hash: TokenDigest,
}

/// The time in which a recorded reveal can be used.
const REVEAL_LIFETIME: Duration = Duration::from_mins(1);

/// Records that the key's secret is about to be shown. The returned ticket opens the secret once.
pub async fn record_reveal(app: &App, verified: &Verified, secret_id: &SecretId) -> Result<RevealTicket, Error> {
    let owner = verified.owner();
    let uin = owner.uin();
    let token_hash = Token::generate().digest();
    let mut tx = app.db.begin().await?;
    db::state(&mut tx, uin, secret_id).await?.ok_or(Error::KeyNotFound)?;
    db::insert_reveal(&mut tx, &token_hash, uin, secret_id, app.clock.now().plus(REVEAL_LIFETIME)).await?;
    app.audit.append(&mut tx, owner.origin(), Event::done(Action::KeyRevealed, uin).on_key(secret_id)).await?;
    tx.commit().await?;
    Ok(RevealTicket { token_hash })
}

/// Uses up a recorded reveal and opens its secret. Returns `None` if the reveal has been used or has expired, or if its
/// key has been deleted.
pub async fn reveal(
    app: &App,
    owner: &Owner,
    ticket: &RevealTicket,
) -> Result<Option<(SecretId, SecretString)>, Error> {
    let Some(secret_id) = db::take_reveal(&app.db, &ticket.token_hash, owner.uin(), app.clock.now()).await? else {
        return Ok(None);
    };
    let Some(sealed) = db::sealed_secret(&app.db, owner.uin(), &secret_id).await? else { return Ok(None) };
    let secret_key = app.vault.open_text(secret_place(owner.uin(), &secret_id), &sealed)?;
    Ok(Some((secret_id, secret_key)))
}
