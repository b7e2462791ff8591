//! The passkeys of an account: adding, renaming and removing them. They are optional. [`super::passkey_use`] describes
//! their use.

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

/// The most passkeys that an account may have. The schema enforces the limit, too.
pub const LIMIT: usize = 10;
/// The longest name of a passkey, in characters.
pub const NAME_MAX_CHARS: usize = 64;
/// The time after a verification in which a passkey may be added.
pub const ADDITION_LIFETIME: Duration = Duration::from_mins(10);

/// A valid name for a passkey.
pub struct Name(String);

impl Name {
    /// Trims and checks a name. Fails with [`Error::PasskeyNameInvalid`] if it is not 1 to 64 printable characters.
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

/// Finds one of the account's passkeys. Fails with [`Error::PasskeyNotFound`] if it has no such passkey.
pub async fn find(app: &App, owner: &Owner, handle: &PasskeyHandle) -> Result<PasskeyRow, Error> {
    list(app, owner).await?.into_iter().find(|passkey| passkey.handle == *handle).ok_or(Error::PasskeyNotFound)
}

/// Permission to add a passkey. Kept in the session. Only a verification grants it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Addition {
    since: Timestamp,
}

impl Addition {
    /// Grants the permission.
    pub fn begin(app: &App, _: &Verified) -> Self {
        Self { since: app.clock.now() }
    }

    /// Returns `true` if the permission has not expired.
    pub fn is_open(&self, app: &App) -> bool {
        app.clock.now() < self.since.plus(ADDITION_LIFETIME)
    }
}

/// Creates a challenge for a new passkey.
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

/// Adds the passkey that the browser has created. Fails with [`Error::PasskeyRefused`] if the response is not accepted
/// or the passkey is already in use, and with [`Error::PasskeyLimit`] if the account has the maximum number of
/// passkeys.
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

/// Removes a passkey of the account. Once this returns, the passkey no longer proves anything. Sessions continue.
pub async fn remove(app: &App, verified: &Verified, present: &Present, handle: &PasskeyHandle) -> Result<(), Error> {
    let owner = verified.owner();
    let (uin, mut tx) = (owner.uin(), present.begin(app, owner).await?);
    if !db::delete(&mut tx, uin, handle).await? {
        return Err(Error::PasskeyNotFound);
    }
    app.audit.append(&mut tx, owner.origin(), Event::done(Action::PasskeyRemoved, uin).on_passkey(handle)).await?;
    Ok(tx.commit().await?)
}
