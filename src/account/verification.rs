//! Identity verification (step-up): password *and* TOTP code again, or a passkey, before an operation that cannot be
//! undone.

use secrecy::SecretString;

use super::owner::Owner;
use super::passkey_use::{Answer, Claim};
use super::second_factor::{self, SecondFactor};
use crate::app::App;
use crate::audit::Event;
use crate::db::accounts::{self, AccountRow};
use crate::throttle::{self, Settled, Subject};
use crate::types::clock::Timestamp;
use crate::types::error::Error;
use crate::types::event::{Action, Detail, Origin};
use crate::types::id::Uin;

/// Proof that the account's owner has just been verified, or was verified within the verification window. The operator
/// on the command line needs no verification.
#[derive(Debug)]
#[must_use]
pub struct Verified {
    owner: Owner,
}

impl Verified {
    /// The owner on whose behalf the operation is performed.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The operator on the command line, who may act for any account.
    pub fn by_operator(uin: Uin) -> Self {
        Self { owner: Owner::by_operator(uin) }
    }

    /// Renews the proof from an earlier verification in the same session, if the window is still open. A window of zero
    /// is never open.
    pub fn within_window(app: &App, owner: &Owner, verified_at: Option<Timestamp>) -> Option<Self> {
        let open_until = verified_at?.plus(app.settings.verification_window);
        (app.clock.now() < open_until).then(|| Self { owner: owner.clone() })
    }
}

/// Checks password and code. [`Error::PasswordWrong`] and [`Error::CodeRefused`] say which of the two failed, because
/// the user is already signed in. The code is checked, and spent, only if the password is correct.
pub async fn verify(app: &App, owner: &Owner, password: SecretString, code: &str) -> Result<Verified, Error> {
    prove(app, owner, password, SecondFactor::Totp(code)).await?;
    Ok(Verified { owner: owner.clone() })
}

/// Like [`verify`], but with either kind of second factor. Records the outcome.
pub(super) async fn prove(
    app: &App,
    owner: &Owner,
    password: SecretString,
    factor: SecondFactor<'_>,
) -> Result<(), Error> {
    let uin = owner.uin();
    let account = accounts::by_uin(&app.db, uin).await?.ok_or(Error::PasswordWrong)?;
    let right = app.hasher.verify(password, account.password_hash.clone()).await?;
    let mut tx = app.db.begin().await?;
    let settled = throttle::settle(&mut tx, &Subject::verification(uin), right, app.clock.now()).await?;
    let refusal = if settled != Settled::Accepted {
        Some((Detail::Password, Error::PasswordWrong))
    } else if second_factor::spend(app, &mut tx, &account, &factor).await? != Settled::Accepted {
        Some((Detail::Code, Error::CodeRefused))
    } else {
        None
    };
    let event = match (&refusal, factor) {
        (Some((why, _)), _) => Event::refused(Action::Verification, uin, *why),
        (None, SecondFactor::Totp(_)) => Event::done(Action::Verification, uin),
        (None, SecondFactor::Recovery(_)) => {
            Event::done(Action::Verification, uin).with_detail(Detail::PasswordAndRecoveryCode)
        }
    };
    app.audit.append(&mut tx, owner.origin(), event).await?;
    tx.commit().await?;
    refusal.map_or(Ok(()), |(_, error)| Err(error))
}

/// Checks the use of one of the account's passkeys. Fails with [`Error::PasskeyRefused`] in any other case, including
/// the use of another account's passkey. A failure counts like a wrong password in [`verify`].
pub async fn verify_with_passkey(app: &App, owner: &Owner, answer: Answer<'_>) -> Result<Verified, Error> {
    let uin = owner.uin();
    let now = app.clock.now();
    let claim = Claim::read(app, answer).await?;
    let subject = Subject::verification(uin);
    let mut tx = app.db.begin().await?;
    let right = match claim {
        Some(claim) if claim.uin() == uin && claim.names_its_owner() != Some(false) => {
            !throttle::is_blocked_in(&mut tx, &subject, now).await? && claim.holds(app, &mut tx).await?
        }
        _ => false,
    };
    let accepted = throttle::settle(&mut tx, &subject, right, now).await? == Settled::Accepted;
    let event = if accepted {
        Event::done(Action::Verification, uin).with_detail(Detail::Passkey)
    } else {
        Event::refused(Action::Verification, Some(uin), Detail::Passkey)
    };
    app.audit.append(&mut tx, owner.origin(), event).await?;
    tx.commit().await?;
    if accepted { Ok(Verified { owner: owner.clone() }) } else { Err(Error::PasskeyRefused) }
}

/// Checks only the password, for an `action` that also requires a code, before or after. A wrong password counts as in
/// [`verify`], and is recorded as a refusal of `action`.
pub(super) async fn prove_password(
    app: &App,
    origin: &Origin,
    account: &AccountRow,
    typed: SecretString,
    action: Action,
) -> Result<(), Error> {
    let right = app.hasher.verify(typed, account.password_hash.clone()).await?;
    let mut tx = app.db.begin().await?;
    let subject = Subject::verification(account.uin);
    let accepted = throttle::settle(&mut tx, &subject, right, app.clock.now()).await? == Settled::Accepted;
    if !accepted {
        app.audit.append(&mut tx, origin, Event::refused(action, account.uin, Detail::Password)).await?;
    }
    tx.commit().await?;
    if accepted { Ok(()) } else { Err(Error::PasswordWrong) }
}
