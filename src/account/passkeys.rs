//! Passkeys of an account. The use of one stands in for password and code together, at sign-in and at verification; the
//! account can do without any.
//!
//! Invariant: a challenge is made here, is known to the browser or session that asked, and is taken by the first answer,
//! right or wrong. A passkey is only ever looked for among those of the account it is to prove.
//!
//! Anybody can ask, and each question is a row. So of one asker only so many wait for their answers, and of all only so
//! many; those who have signed in before do not share with strangers of their address.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::owner::Owner;
use super::passkey_use::{Answer, Asker, Challenge};
use super::sessions::Present;
use super::verification::Verified;
use crate::app::App;
use crate::audit::Event;
use crate::db::accounts::AccountRow;
use crate::db::passkeys::{self as db, NewPasskey};

pub use crate::db::passkeys::PasskeyRow;
use crate::types::clock::Timestamp;
use crate::types::error::Error;
use crate::types::event::Action;
use crate::types::id::PasskeyHandle;

pub use super::webauthn::{Options, RelyingParty};

/// How many an account may have. The schema holds it, too.
pub const LIMIT: usize = 10;
/// The longest name of one, in characters.
pub const NAME_MAX_CHARS: usize = 64;
/// How long after the verification one may be added.
pub const ADDITION_LIFETIME: Duration = Duration::from_mins(10);

/// A name that will do.
pub struct Name(String);

impl Name {
    /// Trimmed; [`Error::PasskeyNameInvalid`] if it is not 1 to 64 printable characters.
    pub fn check(name: &str) -> Result<Self, Error> {
        let name = name.trim();
        let fits = (1..=NAME_MAX_CHARS).contains(&name.chars().count()) && !name.chars().any(char::is_control);
        if fits { Ok(Self(name.to_owned())) } else { Err(Error::PasskeyNameInvalid) }
    }
}

/// The account's passkeys, oldest first.
pub async fn list(app: &App, owner: &Owner) -> Result<Vec<PasskeyRow>, Error> {
    Ok(db::list(&app.db, owner.uin()).await?)
}

/// One of them, or [`Error::PasskeyNotFound`].
pub async fn find(app: &App, owner: &Owner, handle: &PasskeyHandle) -> Result<PasskeyRow, Error> {
    list(app, owner).await?.into_iter().find(|passkey| passkey.handle == *handle).ok_or(Error::PasskeyNotFound)
}

/// Leave to add one passkey. Kept in the session; only a verification gives it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Addition {
    since: Timestamp,
}

impl Addition {
    /// Gives it.
    pub fn begin(app: &App, _: &Verified) -> Self {
        Self { since: app.clock.now() }
    }

    /// Does it still hold?
    pub fn is_open(&self, app: &App) -> bool {
        app.clock.now() < self.since.plus(ADDITION_LIFETIME)
    }
}

/// Asks the browser for a new passkey.
pub async fn ask_for_new(
    app: &App,
    site: &RelyingParty,
    account: &AccountRow,
    _: &Addition,
) -> Result<(Options, Challenge), Error> {
    let known = db::credential_ids(&app.db, account.uin).await?;
    let (options, ceremony) = site.ask_for_new(account.uin, &account.name, known)?;
    Ok((options, Challenge::keep(app, &Asker::Account(account.uin), &ceremony).await?))
}

/// Adds the passkey the browser has made. [`Error::PasskeyRefused`] if it has not made one that will do, or it is in use
/// already; [`Error::PasskeyLimit`] if the account has as many as it may.
pub async fn add(
    app: &App,
    owner: &Owner,
    present: &Present,
    _: &Addition,
    name: &Name,
    answer: Answer<'_>,
) -> Result<(), Error> {
    let ceremony = answer.challenge.ok_or(Error::PasskeyRefused)?.take(app).await?.ok_or(Error::PasskeyRefused)?;
    let passkey = answer.site.check_new(&ceremony, answer.credential).ok_or(Error::PasskeyRefused)?;
    let credential = serde_json::to_string(&passkey).map_err(Error::internal)?;
    let (handle, now) = (PasskeyHandle::generate(), app.clock.now());
    let (uin, mut tx) = (owner.uin(), present.begin(app, owner).await?);
    let limit = i64::try_from(LIMIT).map_err(Error::internal)?;
    let new =
        NewPasskey { handle: &handle, uin, credential_id: passkey.cred_id(), credential: &credential, name: &name.0 };
    match db::insert(&mut tx, &new, now, limit).await {
        Ok(true) => {}
        Ok(false) => return Err(Error::PasskeyLimit),
        Err(sqlx::Error::Database(cause)) if cause.is_unique_violation() => return Err(Error::PasskeyRefused),
        Err(cause) => return Err(cause.into()),
    }
    app.audit.append(&mut tx, owner.origin(), Event::done(Action::PasskeyAdded, uin).on_passkey(&handle)).await?;
    Ok(tx.commit().await?)
}

/// Renames a passkey of the account.
pub async fn rename(
    app: &App,
    owner: &Owner,
    present: &Present,
    handle: &PasskeyHandle,
    name: &Name,
) -> Result<(), Error> {
    let (uin, mut tx) = (owner.uin(), present.begin(app, owner).await?);
    if !db::rename(&mut tx, uin, handle, &name.0).await? {
        return Err(Error::PasskeyNotFound);
    }
    app.audit.append(&mut tx, owner.origin(), Event::done(Action::PasskeyRenamed, uin).on_passkey(handle)).await?;
    Ok(tx.commit().await?)
}

/// Removes a passkey of the account: from when this returns, nothing can be proved with it. Sessions go on.
pub async fn remove(app: &App, verified: &Verified, present: &Present, handle: &PasskeyHandle) -> Result<(), Error> {
    let owner = verified.owner();
    let (uin, mut tx) = (owner.uin(), present.begin(app, owner).await?);
    if !db::delete(&mut tx, uin, handle).await? {
        return Err(Error::PasskeyNotFound);
    }
    app.audit.append(&mut tx, owner.origin(), Event::done(Action::PasskeyRemoved, uin).on_passkey(handle)).await?;
    Ok(tx.commit().await?)
}
