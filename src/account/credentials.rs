//! Changing an account's credentials: its password, its authenticator, its recovery codes.
//!
//! Invariant: a change of password or authenticator starts a new credential epoch and ends every other session, in one
//! transaction. A session that has itself been ended in the meantime cannot make the change.

use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::owner::Owner;
use super::pending_seed::PendingSeed;
use super::second_factor::SecondFactor;
use super::sessions::Present;
use super::verification::{self, Verified};
use super::{setup, store_totp_seed};
use crate::app::App;
use crate::audit::Event;
use crate::db::{Tx, accounts, sessions};
use crate::secret::password;
use crate::secret::totp::{Code, Seed};
use crate::types::clock::Timestamp;
use crate::types::error::Error;
use crate::types::event::{Action, Detail};
use crate::types::id::Uin;

/// The time that a new authenticator has for its first code.
pub const REPLACEMENT_LIFETIME: Duration = Duration::from_mins(10);

/// A password that meets the requirements for its account.
pub struct NewPassword(SecretString);

impl NewPassword {
    /// Applies the same rules as at setup. [`Error::PasswordUnfit`] gives the reason for a rejection.
    pub fn validate(typed: SecretString, account_name: &str) -> Result<Self, Error> {
        password::validate(&typed, account_name).map_err(Error::PasswordUnfit)?;
        Ok(Self(typed))
    }
}

/// Changes the password. Requires the current one, even from a session that has just been verified. Returns the new
/// credential epoch, in which the present session continues.
pub async fn change_password(
    app: &App,
    verified: &Verified,
    present: &Present,
    current: SecretString,
    new: NewPassword,
) -> Result<i64, Error> {
    let owner = verified.owner();
    let uin = owner.uin();
    let account = accounts::by_uin(&app.db, uin).await?.ok_or(Error::SessionOver)?;
    verification::prove_password(app, owner.origin(), &account, current, Action::PasswordChanged).await?;
    let hash = app.hasher.hash(new.0).await?;
    let mut tx = present.begin(app, owner).await?;
    let epoch = accounts::set_password(&mut tx, uin, &hash).await?;
    end_everything_else(&mut tx, uin, present).await?;
    app.audit.append(&mut tx, owner.origin(), Event::done(Action::PasswordChanged, uin)).await?;
    tx.commit().await?;
    Ok(epoch)
}

/// A new authenticator that waits for its first code. Kept in the session. A replacement begins with a verification or,
/// for an owner who has lost the old authenticator, with the password and a recovery code.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Replacement {
    seed: PendingSeed,
    since: Timestamp,
}

impl Replacement {
    /// Begins a replacement. The old authenticator stays valid until [`confirm_totp`].
    pub async fn begin(app: &App, verified: &Verified) -> Result<Self, Error> {
        Self::of(app, verified.owner()).await
    }

    /// Begins a replacement for an owner who has lost the old authenticator. This spends the recovery code, and
    /// verifies nothing else. [`Error::PasswordWrong`] and [`Error::CodeRefused`] say which of the two failed.
    pub async fn begin_with_recovery_code(
        app: &App,
        owner: &Owner,
        password: SecretString,
        code: &str,
    ) -> Result<Self, Error> {
        verification::prove(app, owner, password, SecondFactor::Recovery(code)).await?;
        Self::of(app, owner).await
    }

    async fn of(app: &App, owner: &Owner) -> Result<Self, Error> {
        let seed = PendingSeed::generate(app, Some(owner.uin()), REPLACEMENT_LIFETIME).await?;
        Ok(Self { seed, since: app.clock.now() })
    }

    /// Returns `true` if the replacement can still be confirmed.
    pub fn is_open(&self, app: &App) -> bool {
        app.clock.now() < self.since.plus(REPLACEMENT_LIFETIME)
    }

    /// Opens the seed, to show it to the owner. Fails with [`Error::SessionOver`] if the seed has expired or has been
    /// confirmed.
    pub async fn seed(&self, app: &App) -> Result<Seed, Error> {
        self.seed.open(app).await?.ok_or(Error::SessionOver)
    }
}

/// Replaces the authenticator, given the first code of the new one. Returns the new credential epoch, in which the
/// present session continues. [`Error::CodeRefused`] means that nothing was changed.
pub async fn confirm_totp(
    app: &App,
    owner: &Owner,
    present: &Present,
    replacement: &Replacement,
    code: &str,
) -> Result<i64, Error> {
    let uin = owner.uin();
    let seed = replacement.seed.open(app).await?;
    let step = Code::parse(code).and_then(|code| seed.as_ref()?.matching_step(&code, app.clock.now()));
    let mut tx = present.begin(app, owner).await?;
    let (Some(seed), Some(step)) = (seed, step.filter(|_| replacement.is_open(app))) else {
        app.audit.append(&mut tx, owner.origin(), Event::refused(Action::TotpReplaced, uin, Detail::Code)).await?;
        tx.commit().await?;
        return Err(Error::CodeRefused);
    };
    let epoch = store_totp_seed(app, &mut tx, uin, &seed, step).await?;
    replacement.seed.forget(&mut tx).await?;
    end_everything_else(&mut tx, uin, present).await?;
    app.audit.append(&mut tx, owner.origin(), Event::done(Action::TotpReplaced, uin)).await?;
    tx.commit().await?;
    Ok(epoch)
}

/// Ends the account's other sessions and its incomplete sign-ins, and forgets all other known browsers.
async fn end_everything_else(tx: &mut Tx, uin: Uin, present: &Present) -> Result<(), Error> {
    sessions::end_others(tx, uin, &present.handle).await?;
    Ok(accounts::forget_other_devices(tx, uin, &present.device_hash).await?)
}

/// Creates ten new recovery codes, which are shown only this once. The old ones become invalid.
pub async fn replace_recovery_codes(
    app: &App,
    verified: &Verified,
    present: &Present,
) -> Result<Vec<SecretString>, Error> {
    let owner = verified.owner();
    let (uin, mut tx) = (owner.uin(), present.begin(app, owner).await?);
    let codes = setup::new_recovery_codes(&mut tx, uin).await?;
    app.audit.append(&mut tx, owner.origin(), Event::done(Action::RecoveryCodesReplaced, uin)).await?;
    tx.commit().await?;
    Ok(codes)
}

/// The number of recovery codes that are left.
pub async fn recovery_codes_left(app: &App, owner: &Owner) -> Result<i64, Error> {
    Ok(accounts::recovery_codes_left(&app.db, owner.uin()).await?)
}
