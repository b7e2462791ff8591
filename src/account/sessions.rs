//! The sessions of an account, and ending them.

use std::net::IpAddr;

use super::owner::Owner;
use super::verification::Verified;
use crate::app::App;
use crate::audit::Event;
use crate::db::Tx;
use crate::db::accounts::{self, AccountRow};
use crate::db::sessions as db;
use crate::secret::token::TokenDigest;
use crate::types::error::Error;
use crate::types::event::{Action, Actor, Detail, Origin};
use crate::types::id::{SessionHandle, Uin};

pub use crate::db::sessions::SessionRow;

/// The session that asks for a change, and goes on after it.
#[derive(Clone, Debug)]
pub struct Present {
    /// Which one it is.
    pub handle: SessionHandle,
    /// The credential epoch it belongs to.
    pub epoch: i64,
    /// The digest of the token its browser is known by, or [`TokenDigest::of_none`].
    pub device_hash: TokenDigest,
}

impl Present {
    /// Begins its change of the account. [`Error::SessionOver`] if it has been ended since it was looked up, by itself or
    /// by a change of credentials: of two sessions that end each other, one wins.
    pub(super) async fn begin(&self, app: &App, owner: &Owner) -> Result<Tx, Error> {
        let mut tx = app.db.begin().await?;
        let uin = owner.uin();
        let alive =
            accounts::hold_epoch(&mut tx, uin, self.epoch).await? && db::is_alive(&mut tx, uin, &self.handle).await?;
        if alive { Ok(tx) } else { Err(Error::SessionOver) }
    }
}

/// Notes a completed sign-in, with the browser and the address it came from. Returns what its session is named by.
pub async fn begin(
    app: &App,
    uin: Uin,
    user_agent: Option<&str>,
    address: Option<IpAddr>,
) -> Result<SessionHandle, Error> {
    let (handle, address) = (SessionHandle::generate(), address.map(|address| address.to_string()));
    db::insert_sign_in(&app.db, &handle, uin, user_agent, address.as_deref(), app.clock.now()).await?;
    Ok(handle)
}

/// The owner that a session is of, and the account. None if the session is of an older credential epoch.
pub async fn owner(app: &App, origin: &Origin, uin: Uin, epoch: i64) -> Result<Option<(Owner, AccountRow)>, Error> {
    let account = accounts::by_uin(&app.db, uin).await?.filter(|account| account.credential_epoch == epoch);
    Ok(account.map(|account| (Owner::in_session(uin, origin), account)))
}

/// Signs out: from when this returns, none of the session's requests is answered.
pub async fn sign_out(app: &App, origin: &Origin, uin: Uin, handle: &SessionHandle) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    db::end(&mut tx, uin, handle).await?;
    app.audit.append(&mut tx, &origin.as_actor(Actor::Account), Event::done(Action::SignOut, uin)).await?;
    Ok(tx.commit().await?)
}

/// The account's live sessions, the latest used first.
pub async fn list(app: &App, owner: &Owner) -> Result<Vec<SessionRow>, Error> {
    let now = app.clock.now();
    Ok(db::list(&app.db, owner.uin(), now, now.minus(app.settings.session_idle)).await?)
}

/// A session of the account that has not been ended, or [`Error::SessionNotFound`].
pub async fn find(app: &App, owner: &Owner, handle: &SessionHandle) -> Result<SessionRow, Error> {
    db::find(&app.db, owner.uin(), handle).await?.ok_or(Error::SessionNotFound)
}

/// Ends a session of the account: from when this returns, none of its requests is answered.
pub async fn end(app: &App, verified: &Verified, present: &Present, handle: &SessionHandle) -> Result<(), Error> {
    let owner = verified.owner();
    let (uin, mut tx) = (owner.uin(), present.begin(app, owner).await?);
    if !db::end(&mut tx, uin, handle).await? {
        return Err(Error::SessionNotFound);
    }
    app.audit.append(&mut tx, owner.origin(), Event::done(Action::SessionEnded, uin).on_session(handle)).await?;
    Ok(tx.commit().await?)
}

/// Ends every session of the account but the present one, and every sign-in under way. Returns the new credential epoch,
/// in which the present session goes on.
pub async fn end_others(app: &App, verified: &Verified, present: &Present) -> Result<i64, Error> {
    let owner = verified.owner();
    let (uin, mut tx) = (owner.uin(), present.begin(app, owner).await?);
    let epoch = accounts::raise_epoch(&mut tx, uin).await?;
    db::end_others(&mut tx, uin, &present.handle).await?;
    let event = Event::done(Action::SessionsEnded, uin).with_detail(Detail::AllButTheAsking);
    app.audit.append(&mut tx, owner.origin(), event).await?;
    tx.commit().await?;
    Ok(epoch)
}
