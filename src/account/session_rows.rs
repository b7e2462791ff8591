//! The stored state of sessions. Each row is found by a hashed ID, names the account that the session belongs to, and
//! has an expiry time.

use std::time::Duration;

use crate::app::App;
use crate::db::{is_outage, sessions as db};
use crate::secret::token::TokenDigest;
use crate::types::clock::Timestamp;
use crate::types::error::Error;
use crate::types::id::{SessionHandle, Uin};

/// The use of a session is recorded only if the last record of it is at least this old. The idle timeout is exact to
/// within this time.
const TOUCH_AFTER: Duration = Duration::from_secs(10);

/// A session about to be stored.
#[derive(Debug)]
pub struct NewRow<'a> {
    /// The digest of the session's ID.
    pub id_hash: &'a TokenDigest,
    /// The account, if one is known.
    pub uin: Option<Uin>,
    /// The completed sign-in that the session belongs to.
    pub handle: Option<&'a SessionHandle>,
    /// The session's state, as JSON.
    pub data: &'a str,
    /// The time at which the session ends at the latest.
    pub expires_at: Timestamp,
}

/// Stores a new session. Returns `false` if the ID is taken.
pub async fn insert(app: &App, row: NewRow<'_>) -> Result<bool, Error> {
    let NewRow { id_hash, uin, handle, data, expires_at } = row;
    Ok(db::insert(&app.db, id_hash, uin, handle, data, app.clock.now(), expires_at).await?)
}

/// Changes a stored session. Does nothing if the session has been ended in the meantime.
pub async fn update(app: &App, row: NewRow<'_>) -> Result<(), Error> {
    Ok(db::update(&app.db, row.id_hash, row.uin, row.data, row.expires_at).await?)
}

/// Loads the state of a session that has not ended, and records that the session is in use.
pub async fn load(app: &App, id_hash: &TokenDigest) -> Result<Option<String>, Error> {
    let now = app.clock.now();
    let idle_since = now.minus(app.settings.session_idle);
    let Some((data, seen_at)) = db::load(&app.db, id_hash, now, idle_since).await? else { return Ok(None) };
    if now.since(seen_at) >= TOUCH_AFTER {
        // If nothing can be written, pages can still be read. The session then only times out earlier than it should.
        match db::touch(&app.db, id_hash, now).await {
            Err(error) if is_outage(&error) => tracing::warn!(%error, "the use of a session could not be recorded"),
            touched => touched?,
        }
    }
    Ok(Some(data))
}

/// Ends a session.
pub async fn delete(app: &App, id_hash: &TokenDigest) -> Result<(), Error> {
    Ok(db::delete(&app.db, id_hash).await?)
}
