//! The stored state of sessions: under a hashed id, with the account it belongs to, for as long as it may last.

use std::time::Duration;

use crate::app::App;
use crate::db::{is_outage, sessions as db};
use crate::secret::token::TokenDigest;
use crate::types::clock::Timestamp;
use crate::types::error::Error;
use crate::types::id::{SessionHandle, Uin};

/// A session's use is noted when the note is this old; the idle limit is exact to within this.
const TOUCH_AFTER: Duration = Duration::from_secs(10);

/// A session to be stored.
#[derive(Debug)]
pub struct NewRow<'a> {
    /// The digest of the session's id.
    pub id_hash: &'a TokenDigest,
    /// The account, if one is known.
    pub uin: Option<Uin>,
    /// The completed sign-in it belongs to.
    pub handle: Option<&'a SessionHandle>,
    /// Its state, as JSON.
    pub data: &'a str,
    /// When it ends in any case.
    pub expires_at: Timestamp,
}

/// Stores a new session. False if there is one with this id.
pub async fn insert(app: &App, row: NewRow<'_>) -> Result<bool, Error> {
    let NewRow { id_hash, uin, handle, data, expires_at } = row;
    Ok(db::insert(&app.db, id_hash, uin, handle, data, app.clock.now(), expires_at).await?)
}

/// Changes a stored session. Does nothing where it has been ended meanwhile.
pub async fn update(app: &App, row: NewRow<'_>) -> Result<(), Error> {
    Ok(db::update(&app.db, row.id_hash, row.uin, row.data, row.expires_at).await?)
}

/// The state of a session that has not ended, and notes that it is used.
pub async fn load(app: &App, id_hash: &TokenDigest) -> Result<Option<String>, Error> {
    let now = app.clock.now();
    let idle_since = now.minus(app.settings.session_idle);
    let Some((data, seen_at)) = db::load(&app.db, id_hash, now, idle_since).await? else { return Ok(None) };
    if now.since(seen_at) >= TOUCH_AFTER {
        // Where nothing can be written, pages can still be read; the session just ends earlier than it would.
        match db::touch(&app.db, id_hash, now).await {
            Err(error) if is_outage(&error) => tracing::warn!(%error, "the use of a session could not be noted"),
            touched => touched?,
        }
    }
    Ok(Some(data))
}

/// Ends a session.
pub async fn delete(app: &App, id_hash: &TokenDigest) -> Result<(), Error> {
    Ok(db::delete(&app.db, id_hash).await?)
}
