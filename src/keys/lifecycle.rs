//! The life cycle of a key pair: create, disable, enable, delete.
//!
//! Invariant: every change increments the change number and is committed in the same transaction as its audit record.
//! It is acknowledged only once it holds on every server, see [`KeyChange`].

use secrecy::{ExposeSecret, SecretString};

use super::change::{Effect, KeyChange};
use super::secret_place;
use crate::account::owner::Owner;
use crate::account::verification::Verified;
use crate::app::App;
use crate::audit::Event;
use crate::db::Tx;
use crate::db::api_keys as db;

pub use crate::db::api_keys::{ApiKeyRow, KeyOfAccount};
use crate::master_key;
use crate::secret::vault::{Sealed, Vault};
use crate::types::error::Error;
use crate::types::event::{Action, Detail};
use crate::types::id::{SecretId, Uin};
use crate::types::key_state::KeyState;
use crate::types::random;

/// The most keys that an account can have, including disabled ones. The schema enforces the limit with two slots per
/// account.
pub const LIMIT: usize = 2;

/// The longest remark, in characters.
pub const REMARK_MAX_CHARS: usize = 1024;

const SECRET_KEY_CHARS: usize = 32;

/// Checks a remark: 1 to 1024 printable characters. Returns `None` if it is empty.
pub fn check_remark(remark: &str) -> Result<Option<&str>, Error> {
    let remark = remark.trim();
    if remark.chars().count() > REMARK_MAX_CHARS || remark.chars().any(char::is_control) {
        return Err(Error::RemarkInvalid);
    }
    Ok(Some(remark).filter(|remark| !remark.is_empty()))
}

/// A new key pair.
#[derive(Debug)]
pub struct Created {
    /// The public half.
    pub secret_id: SecretId,
    /// The secret half. The API returns it once; the console shows it only after a verification.
    pub secret_key: SecretString,
    /// How far the key is known.
    pub effect: Effect,
}

/// The outcome of an emergency stop.
#[derive(Debug)]
pub struct Stopped {
    /// The keys that were enabled.
    pub keys: Vec<SecretId>,
    /// How far it has come.
    pub effect: Effect,
}

/// Creates a key. Fails with [`Error::KeyLimit`] if the account has two.
pub async fn create(app: &App, owner: &Owner, remark: Option<&str>) -> Result<Created, Error> {
    let remark = remark.map(check_remark).transpose()?.flatten();
    let secret_id = SecretId::generate();
    let secret_key: SecretString = random::alphanumeric(SECRET_KEY_CHARS).into();

    let mut change = KeyChange::begin(app).await?;
    let (number, tx) = change.parts();
    let plain = secret_key.expose_secret().as_bytes();
    let sealed = master_key::seal(&app.vault, tx, secret_place(owner.uin(), &secret_id), plain).await?;
    if !db::insert(tx, owner.uin(), &secret_id, &sealed, remark, app.clock.now(), number).await? {
        return Err(Error::KeyLimit);
    }
    app.audit.append(tx, owner.origin(), Event::done(Action::KeyCreated, owner.uin()).on_key(&secret_id)).await?;
    let effect = change.commit(app, owner).await?;
    Ok(Created { secret_id, secret_key, effect })
}

/// The account's live keys, oldest first.
pub async fn list(app: &App, owner: &Owner) -> Result<Vec<ApiKeyRow>, Error> {
    Ok(db::list(&app.db, owner.uin()).await?)
}

/// Up to `limit` of the account's keys and their states, newest first, including deleted keys.
pub async fn latest(app: &App, owner: &Owner, limit: i64) -> Result<Vec<(SecretId, KeyState)>, Error> {
    Ok(db::latest(&app.db, owner.uin(), limit).await?)
}

/// The live keys of all accounts, for the operator.
pub async fn of_all_accounts(app: &App) -> Result<Vec<KeyOfAccount>, Error> {
    Ok(db::of_all_accounts(&app.db).await?)
}

/// Lets the operator act for the account that a live key belongs to. Fails with [`Error::KeyNotFound`] if there is no
/// such key.
pub async fn for_operator(app: &App, secret_id: &SecretId) -> Result<Owner, Error> {
    db::owner(&app.db, secret_id).await?.map(Owner::by_operator).ok_or(Error::KeyNotFound)
}

/// Finds a live key of the account. Fails with [`Error::KeyNotFound`] if there is no such key.
pub async fn find(app: &App, owner: &Owner, secret_id: &SecretId) -> Result<ApiKeyRow, Error> {
    db::find(&app.db, owner.uin(), secret_id).await?.ok_or(Error::KeyNotFound)
}

/// Disables a key. Once this returns [`Effect::Everywhere`], no request signed with the key is accepted.
pub async fn disable(app: &App, owner: &Owner, secret_id: &SecretId) -> Result<Effect, Error> {
    let change = KeyChange::begin(app).await?;
    change_state(app, change, owner, secret_id, KeyState::Enabled, KeyState::Disabled).await
}

/// Enables a key. Once this returns [`Effect::Everywhere`], requests signed with the key are accepted again. Fails with
/// [`Error::KeyStopped`] if the emergency stop has disabled the key: see [`enable_verified`].
pub async fn enable(app: &App, owner: &Owner, secret_id: &SecretId) -> Result<Effect, Error> {
    // This comes first, so that the key cannot be stopped between the look and the change.
    let mut change = KeyChange::begin(app).await?;
    if db::is_stopped(change.parts().1, owner.uin(), secret_id).await? {
        return Err(Error::KeyStopped);
    }
    change_state(app, change, owner, secret_id, KeyState::Disabled, KeyState::Enabled).await
}

/// Enables a key, also after an emergency stop.
pub async fn enable_verified(app: &App, verified: &Verified, secret_id: &SecretId) -> Result<Effect, Error> {
    let change = KeyChange::begin(app).await?;
    change_state(app, change, verified.owner(), secret_id, KeyState::Disabled, KeyState::Enabled).await
}

/// The emergency stop: disables all keys of the account. Once this returns [`Effect::Everywhere`], no request signed
/// with any of them is accepted.
///
/// Stopping needs no step-up, because it is safe and has to be quick. Enabling a stopped key does.
pub async fn disable_all(app: &App, owner: &Owner) -> Result<Stopped, Error> {
    // This comes before the keys are read, so that none can be created or enabled from here on.
    let mut change = KeyChange::begin(app).await?;
    let keys = db::enabled(change.parts().1, owner.uin()).await?;
    for (done, secret_id) in keys.iter().enumerate() {
        if done > 0 {
            change.next().await?;
        }
        let (number, tx) = change.parts();
        let (from, to) = (KeyState::Enabled, KeyState::Disabled);
        if !db::set_state(tx, owner.uin(), secret_id, from, to, app.clock.now(), number).await? {
            return Err(Error::internal("an enabled key could not be disabled"));
        }
        db::mark_stopped(tx, secret_id, app.clock.now()).await?;
        let event = Event::done(Action::KeyDisabled, owner.uin()).on_key(secret_id).with_detail(Detail::AllKeys);
        app.audit.append(tx, owner.origin(), event).await?;
    }
    let effect = if keys.is_empty() { change.give_up(app, owner).await? } else { change.commit(app, owner).await? };
    Ok(Stopped { keys, effect })
}

/// A key that is in the new state already may have been brought there by a change that was never acknowledged, so
/// [`Error::KeyAlready`] comes only once that holds everywhere.
async fn change_state(
    app: &App,
    mut change: KeyChange,
    owner: &Owner,
    secret_id: &SecretId,
    from: KeyState,
    to: KeyState,
) -> Result<Effect, Error> {
    let (number, tx) = change.parts();
    if !db::set_state(tx, owner.uin(), secret_id, from, to, app.clock.now(), number).await? {
        let why = why_unchanged(tx, owner.uin(), secret_id, from).await?;
        if matches!(why, Error::KeyAlready(_)) && change.give_up(app, owner).await? == Effect::Spreading {
            return Ok(Effect::Spreading);
        }
        return Err(why);
    }
    let action = if to == KeyState::Enabled { Action::KeyEnabled } else { Action::KeyDisabled };
    app.audit.append(tx, owner.origin(), Event::done(action, owner.uin()).on_key(secret_id)).await?;
    change.commit(app, owner).await
}

async fn why_unchanged(tx: &mut Tx, uin: Uin, secret_id: &SecretId, from: KeyState) -> Result<Error, Error> {
    Ok(match db::state(tx, uin, secret_id).await? {
        // Callers treat "already" as success, so a change that was possible but failed must not return it.
        Some(state) if state == from => Error::internal("a key in the right state could not be changed"),
        Some(state) => Error::KeyAlready(state),
        None => Error::KeyNotFound,
    })
}

/// Deletes a disabled key and destroys its secret for good. Fails with [`Error::KeyNotDisabled`] if the key is enabled.
pub async fn delete(app: &App, owner: &Owner, secret_id: &SecretId) -> Result<Effect, Error> {
    let mut change = KeyChange::begin(app).await?;
    let (number, tx) = change.parts();
    if !db::delete(tx, owner.uin(), secret_id, app.clock.now(), number).await? {
        let state = db::state(tx, owner.uin(), secret_id).await?;
        return Err(state.map_or(Error::KeyNotFound, |_| Error::KeyNotDisabled));
    }
    app.audit.append(tx, owner.origin(), Event::done(Action::KeyDeleted, owner.uin()).on_key(secret_id)).await?;
    change.commit(app, owner).await
}

/// Sets the key's remark; an empty one clears it. No answer depends on it, so nobody waits for it.
pub async fn set_remark(app: &App, owner: &Owner, secret_id: &SecretId, remark: &str) -> Result<(), Error> {
    let remark = check_remark(remark)?;
    let mut change = KeyChange::begin(app).await?;
    let (number, tx) = change.parts();
    if !db::set_remark(tx, owner.uin(), secret_id, remark, number).await? {
        return Err(Error::KeyNotFound);
    }
    app.audit.append(tx, owner.origin(), Event::done(Action::KeyRemarked, owner.uin()).on_key(secret_id)).await?;
    change.commit_remark().await
}

/// Seals a secret for the row of its key and account.
pub fn seal_secret(vault: &Vault, uin: Uin, secret_id: &SecretId, secret_key: &SecretString) -> Result<Sealed, Error> {
    Ok(vault.seal(secret_place(uin, secret_id), secret_key.expose_secret().as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_are_checked() {
        assert_eq!(check_remark("  ").unwrap(), None);
        assert_eq!(check_remark(" CI of the shop ").unwrap(), Some("CI of the shop"));
        assert_eq!(check_remark(&"字".repeat(1024)).unwrap().map(|r| r.chars().count()), Some(1024));
        assert!(check_remark(&"x".repeat(1025)).is_err());
        assert!(check_remark("two\nlines").is_err());
    }
}
