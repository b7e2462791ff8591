//! Signing in with a password, then a TOTP or recovery code, or with a passkey, which replaces both.
//!
//! `anonymous → check_password → PasswordAccepted → check_code → SignedIn`. A wrong password is always refused with the
//! same words and after the same work, whether or not the account exists, is set up, or has to wait.

use std::net::IpAddr;
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::passkey_use::{Answer, Claim};
use super::second_factor::{self, SecondFactor};
use super::{canonical_name, check_name};
use crate::app::App;
use crate::audit::Event;
use crate::db::accounts::{self, AccountRow};
use crate::db::{Tx, refused_sign_ins};
use crate::secret::token::{Token, TokenDigest};
use crate::throttle::{self, Settled, Subject};
use crate::types::clock::Timestamp;
use crate::types::error::Error;
use crate::types::event::{Action, Actor, Detail, Origin};
use crate::types::id::Uin;

/// The time for which a browser that has signed in is remembered.
pub const DEVICE_LIFETIME: Duration = Duration::from_hours(90 * 24);

/// A correct password, which a code must follow. Kept in the session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PasswordAccepted {
    /// The account's number.
    pub uin: Uin,
    /// The account's credential epoch at that moment. If it has changed since, this is worthless.
    epoch: i64,
}

/// A completed sign-in.
#[derive(Debug)]
pub struct SignedIn {
    /// The account's number.
    pub uin: Uin,
    /// The credential epoch that the session belongs to.
    pub epoch: i64,
    /// The previous sign-in, to show on the first page.
    pub previous: Previous,
    /// The number of recovery codes left, if one was used.
    pub recovery_codes_left: Option<i64>,
    /// The token that identifies the browser at its next sign-in.
    pub device: Token,
}

/// The previous sign-in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Previous {
    /// The time of the previous sign-in. `None` if this is the first.
    pub at: Option<Timestamp>,
    /// The address that it came from.
    pub address: Option<String>,
    /// The number of failed attempts since then.
    pub failures: i64,
    /// The time at which the operator created a recovery link since then.
    #[serde(default)]
    pub recovery_link_at: Option<Timestamp>,
}

/// The first step: checks the password. `device` is the token of a browser that has signed in before.
pub async fn check_password(
    app: &App,
    origin: &Origin,
    address: IpAddr,
    name: &str,
    typed: SecretString,
    device: Option<&Token>,
) -> Result<PasswordAccepted, Error> {
    let now = app.clock.now();
    let account = account_called(app, name).await?;
    let name = canonical_name(name);
    let uin = account.as_ref().map(|account| account.uin);
    let device_hash = device.map_or_else(TokenDigest::of_none, Token::digest);
    let known = accounts::is_known_device(&app.db, &device_hash, uin.unwrap_or(Uin(0)), now).await?;

    // A blocked address is told at once, which discloses nothing about any account. Known browsers are throttled
    // separately.
    let from_address = Subject::address(address);
    if !known && let Some(wait) = throttle::wait(&app.db, &from_address, now).await? {
        return Err(Error::AddressBlocked { wait });
    }
    let hash = account.as_ref().and_then(|account| account.password_hash.clone());
    let right = app.hasher.verify(typed, hash).await?;

    let mut tx = app.db.begin().await?;
    let subject = match uin {
        Some(_) if known => Subject::device(&device_hash),
        Some(_) => Subject::account(&name),
        None => Subject::nobody(&name),
    };
    let settled = throttle::settle(&mut tx, &subject, right, now).await?;
    if let Some(account) = account
        && settled == Settled::Accepted
    {
        app.audit.append(&mut tx, origin, Event::done(Action::PasswordAccepted, account.uin)).await?;
        tx.commit().await?;
        return Ok(PasswordAccepted { uin: account.uin, epoch: account.credential_epoch });
    }
    let mut why = Detail::Password;
    if !known {
        throttle::settle(&mut tx, &from_address, false, now).await?;
        if throttle::is_blocked_in(&mut tx, &from_address, now).await? {
            why = Detail::AddressWaits;
        }
    }
    refuse(app, tx, origin, uin, settled, why).await?;
    Err(Error::SignInRefused)
}

/// Commits a refused attempt to sign in to the account `uin`, or to none. Every attempt is counted. It is recorded only
/// if it concerns an account and was not made during a wait. So anonymous clients can add no more records than the
/// throttle lets through, and none at all with names that do not exist.
async fn refuse(
    app: &App,
    mut tx: Tx,
    origin: &Origin,
    uin: Option<Uin>,
    settled: Settled,
    why: Detail,
) -> Result<(), Error> {
    refused_sign_ins::count(&mut tx, uin).await?;
    if uin.is_some() && settled != Settled::Waiting {
        app.audit.append(&mut tx, origin, Event::refused(Action::SignIn, uin, why)).await?;
    }
    tx.commit().await?;
    app.metrics.count_refused_sign_in(uin.is_some());
    if why == Detail::AddressWaits {
        tracing::warn!("too many failed sign-in attempts: the address has to wait");
    }
    Ok(())
}

/// The second step: checks the code. Fails with [`Error::CodeRefused`] for a wrong, spent or throttled code, and with
/// [`Error::SignInRefused`] if the account has changed since the first step.
pub async fn check_code(
    app: &App,
    origin: &Origin,
    pending: &PasswordAccepted,
    factor: SecondFactor<'_>,
) -> Result<SignedIn, Error> {
    let account = accounts::by_uin(&app.db, pending.uin).await?.ok_or(Error::SignInRefused)?;
    if account.credential_epoch != pending.epoch {
        return Err(Error::SignInRefused);
    }
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if !accounts::hold_epoch(&mut tx, account.uin, pending.epoch).await? {
        return Err(Error::SignInRefused);
    }
    let settled = second_factor::spend(app, &mut tx, &account, &factor).await?;
    if settled != Settled::Accepted {
        refuse(app, tx, origin, Some(account.uin), settled, Detail::Code).await?;
        return Err(Error::CodeRefused);
    }
    let recovery_codes_left = match factor {
        SecondFactor::Totp(_) => None,
        SecondFactor::Recovery(_) => Some(accounts::recovery_codes_left_in(&mut tx, account.uin).await?),
    };
    let detail = if recovery_codes_left.is_some() { Detail::PasswordAndRecoveryCode } else { Detail::PasswordAndTotp };
    let signed_in = complete(app, &mut tx, origin, &account, detail).await?;
    tx.commit().await?;
    tracing::info!(uin = %account.uin, at = now.0, "signed in");
    Ok(SignedIn { recovery_codes_left, ..signed_in })
}

/// Both steps at once, with a passkey whose authenticator names the account. Fails with [`Error::PasskeyRefused`] in
/// any other case. That counts as a failed attempt from the address and, if the passkey is known, on its account.
pub async fn with_passkey(
    app: &App,
    origin: &Origin,
    address: IpAddr,
    device: Option<&Token>,
    answer: Answer<'_>,
) -> Result<SignedIn, Error> {
    let now = app.clock.now();
    let claim = Claim::read(app, answer).await?;
    let account = match &claim {
        Some(claim) => accounts::by_uin(&app.db, claim.uin()).await?.filter(AccountRow::is_complete),
        None => None,
    };
    let known = match (device, &account) {
        (Some(device), Some(account)) => accounts::is_known_device(&app.db, &device.digest(), account.uin, now).await?,
        _ => false,
    };
    let from_address = Subject::address(address);
    if !known && let Some(wait) = throttle::wait(&app.db, &from_address, now).await? {
        return Err(Error::AddressBlocked { wait });
    }
    let mut tx = app.db.begin().await?;
    let mut settled = Settled::Counted;
    if let (Some(claim), Some(account)) = (claim, &account) {
        if !accounts::hold_epoch(&mut tx, account.uin, account.credential_epoch).await? {
            return Err(Error::PasskeyRefused);
        }
        let subject = Subject::passkey(account.uin);
        let right = claim.names_its_owner() == Some(true)
            && !throttle::is_blocked_in(&mut tx, &subject, now).await?
            && claim.holds(app, &mut tx).await?;
        settled = throttle::settle(&mut tx, &subject, right, now).await?;
        if settled == Settled::Accepted {
            let signed_in = complete(app, &mut tx, origin, account, Detail::Passkey).await?;
            tx.commit().await?;
            tracing::info!(uin = %account.uin, at = now.0, "signed in");
            return Ok(signed_in);
        }
    }
    if !known {
        throttle::settle(&mut tx, &from_address, false, now).await?;
    }
    let uin = account.map(|account| account.uin);
    refuse(app, tx, origin, uin, settled, Detail::Passkey).await?;
    Err(Error::PasskeyRefused)
}

/// The complete account with this name. A text that cannot be a name is not looked up in the database.
async fn account_called(app: &App, name: &str) -> Result<Option<AccountRow>, Error> {
    if check_name(name).is_err() {
        return Ok(None);
    }
    Ok(accounts::by_name(&app.db, &canonical_name(name)).await?.filter(AccountRow::is_complete))
}

/// Records a completed sign-in to `account`, and remembers the browser.
async fn complete(
    app: &App,
    tx: &mut Tx,
    origin: &Origin,
    account: &AccountRow,
    detail: Detail,
) -> Result<SignedIn, Error> {
    let now = app.clock.now();
    accounts::set_last_sign_in(tx, account.uin, now, origin.address.map(|address| address.to_string())).await?;
    let failures = refused_sign_ins::take(tx, account.uin).await?;
    let device = Token::generate();
    accounts::insert_device(tx, &device.digest(), account.uin, now.plus(DEVICE_LIFETIME)).await?;
    let event = Event::done(Action::SignIn, account.uin).with_detail(detail);
    app.audit.append(tx, &origin.as_actor(Actor::Account), event).await?;
    let previous = Previous {
        at: account.last_sign_in_at,
        address: account.last_sign_in_address.clone(),
        failures,
        recovery_link_at: account
            .recovery_link_at
            .filter(|made| account.last_sign_in_at.is_none_or(|last| *made >= last)),
    };
    Ok(SignedIn { uin: account.uin, epoch: account.credential_epoch, previous, recovery_codes_left: None, device })
}

/// The sign-in at the end of a setup, in which password and code have just been verified.
pub async fn after_setup(app: &App, origin: &Origin, uin: Uin) -> Result<SignedIn, Error> {
    let account = accounts::by_uin(&app.db, uin).await?.ok_or(Error::SignInRefused)?;
    let mut tx = app.db.begin().await?;
    let signed_in = complete(app, &mut tx, origin, &account, Detail::AtSetUp).await?;
    tx.commit().await?;
    Ok(signed_in)
}
