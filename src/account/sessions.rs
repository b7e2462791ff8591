//! Listing and ending the sessions of an account.

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

/// The session that requests a change, and continues after it.
#[derive(Clone, Debug)]
pub struct Present {
    /// The session's handle.
    pub handle: SessionHandle,
    /// The credential epoch that the session belongs to.
    pub epoch: i64,
    /// The digest of the token that identifies its browser, or [`TokenDigest::of_none`].
    pub device_hash: TokenDigest,
}

impl Present {
    /// Begins a transaction that changes the account. Fails with [`Error::SessionOver`] if the session has been ended
    /// since it was looked up, directly or by a change of credentials. If two sessions end each other, only one
    /// succeeds.
    pub(super) async fn begin(&self, app: &App, owner: &Owner) -> Result<Tx, Error> {
        let mut tx = app.db.begin().await?;
        let uin = owner.uin();
        let alive =
            accounts::hold_epoch(&mut tx, uin, self.epoch).await? && db::is_alive(&mut tx, uin, &self.handle).await?;
        if alive { Ok(tx) } else { Err(Error::SessionOver) }
    }
}

/// Stores a completed sign-in, with its browser and address. Returns the handle of its session.
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

/// The owner that a session belongs to, and the account. Returns `None` if the session belongs to an older credential
/// epoch.
pub async fn owner(app: &App, origin: &Origin, uin: Uin, epoch: i64) -> Result<Option<(Owner, AccountRow)>, Error> {
    let account = accounts::by_uin(&app.db, uin).await?.filter(|account| account.credential_epoch == epoch);
    Ok(account.map(|account| (Owner::in_session(uin, origin), account)))
}

/// Signs out. Once this returns, the session's requests are refused.
pub async fn sign_out(app: &App, origin: &Origin, uin: Uin, handle: &SessionHandle) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    db::end(&mut tx, uin, handle).await?;
    app.audit.append(&mut tx, &origin.as_actor(Actor::Account), Event::done(Action::SignOut, uin)).await?;
    Ok(tx.commit().await?)
}

/// The account's live sessions, the most recently used first.
pub async fn list(app: &App, owner: &Owner) -> Result<Vec<SessionRow>, Error> {
    let now = app.clock.now();
    Ok(db::list(&app.db, owner.uin(), now, now.minus(app.settings.session_idle)).await?)
}

/// Finds a session of the account that has not been ended. Fails with [`Error::SessionNotFound`] if there is no such
/// session.
pub async fn find(app: &App, owner: &Owner, handle: &SessionHandle) -> Result<SessionRow, Error> {
    db::find(&app.db, owner.uin(), handle).await?.ok_or(Error::SessionNotFound)
}

/// Ends a session of the account. Once this returns, the session's requests are refused.
pub async fn end(app: &App, verified: &Verified, present: &Present, handle: &SessionHandle) -> Result<(), Error> {
    let owner = verified.owner();
    let (uin, mut tx) = (owner.uin(), present.begin(app, owner).await?);
    if !db::end(&mut tx, uin, handle).await? {
        return Err(Error::SessionNotFound);
    }
    app.audit.append(&mut tx, owner.origin(), Event::done(Action::SessionEnded, uin).on_session(handle)).await?;
    Ok(tx.commit().await?)
}

/// Ends every session of the account except the present one, and every incomplete sign-in. Returns the new credential
/// epoch, in which the present session continues.
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
