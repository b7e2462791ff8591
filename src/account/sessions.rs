//! The sessions of an account, and ending them.

use super::verification::Verified;
use crate::app::App;
use crate::audit::Event;
use crate::db::sessions::{self as db, SessionRow};
use crate::db::{Tx, accounts};
use crate::types::error::Error;
use crate::types::event::{Action, Detail, Origin};
use crate::types::id::{SessionHandle, Uin};

/// The session that asks for a change, and goes on after it.
#[derive(Clone, Debug)]
pub struct Present {
    /// Which one it is.
    pub handle: SessionHandle,
    /// The credential epoch it belongs to.
    pub epoch: i64,
    /// The digest of the token its browser is known by.
    pub device_hash: Vec<u8>,
}

impl Present {
    /// Begins its change of the account. [`Error::SessionOver`] if it has been ended since it was looked up, by itself or
    /// by a change of credentials: of two sessions that end each other, one wins.
    pub(super) async fn begin(&self, app: &App, uin: Uin) -> Result<Tx, Error> {
        let mut tx = app.db.begin().await?;
        let alive =
            accounts::hold_epoch(&mut tx, uin, self.epoch).await? && db::is_alive(&mut tx, uin, &self.handle).await?;
        if alive { Ok(tx) } else { Err(Error::SessionOver) }
    }
}

/// The account's live sessions, the latest used first.
pub async fn list(app: &App, uin: Uin) -> Result<Vec<SessionRow>, Error> {
    let now = app.clock.now();
    Ok(db::list(&app.db, uin, now, now.minus(app.settings.session_idle)).await?)
}

/// One live session of the account, or [`Error::SessionNotFound`].
pub async fn find(app: &App, uin: Uin, handle: &SessionHandle) -> Result<SessionRow, Error> {
    list(app, uin).await?.into_iter().find(|session| session.handle == *handle).ok_or(Error::SessionNotFound)
}

/// Ends a session of the account: from when this returns, none of its requests is answered.
pub async fn end(
    app: &App,
    origin: &Origin,
    verified: &Verified,
    present: &Present,
    handle: &SessionHandle,
) -> Result<(), Error> {
    let uin = verified.uin();
    let mut tx = present.begin(app, uin).await?;
    if !db::end(&mut tx, uin, handle).await? {
        return Err(Error::SessionNotFound);
    }
    app.audit.append(&mut tx, origin, Event::done(Action::SessionEnded, uin).on_session(handle)).await?;
    Ok(tx.commit().await?)
}

/// Ends every session of the account but the present one, and every sign-in under way. Returns the new credential epoch,
/// in which the present session goes on.
pub async fn end_others(app: &App, origin: &Origin, verified: &Verified, present: &Present) -> Result<i64, Error> {
    let uin = verified.uin();
    let mut tx = present.begin(app, uin).await?;
    let epoch = accounts::raise_epoch(&mut tx, uin).await?;
    db::end_others(&mut tx, uin, &present.handle).await?;
    let event = Event::done(Action::SessionsEnded, uin).with_detail(Detail::AllButTheAsking);
    app.audit.append(&mut tx, origin, event).await?;
    tx.commit().await?;
    Ok(epoch)
}
