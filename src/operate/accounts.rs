//! What whoever runs the server does to accounts, from the command line.

use secrecy::SecretString;

use crate::account::setup::{self, Purpose};
use crate::account::{canonical_name, check_name};
use crate::app::App;
use crate::audit::Event;
use crate::db::accounts::{self, AccountRow};
use crate::db::{Tx, installation, sessions};
use crate::secret::password;
use crate::secret::token::Token;
use crate::secret::totp::Seed;
use crate::throttle::{self, Subject};
use crate::types::error::Error;
use crate::types::event::{Action, Origin};
use crate::types::id::{AppId, Uin};

/// Something that has been made and is not there yet: it is shown to whoever asked, and lasts from [`Self::commit`] on. If it
/// could not be shown and this is dropped, it has never been.
#[derive(Debug)]
pub struct Uncommitted<T> {
    shown: T,
    tx: Tx,
}

impl<T> Uncommitted<T> {
    /// What whoever asked is to see.
    pub fn shown(&self) -> &T {
        &self.shown
    }

    /// Makes it last.
    pub async fn commit(self) -> Result<T, Error> {
        self.tx.commit().await?;
        Ok(self.shown)
    }
}

/// Every account, the oldest first.
pub async fn list(app: &App) -> Result<Vec<AccountRow>, Error> {
    Ok(accounts::all(&app.db).await?)
}

/// A complete account made without a browser.
#[derive(Debug)]
pub struct CompleteAccount {
    /// Its number.
    pub uin: Uin,
    /// Its APPID.
    pub app_id: AppId,
    /// For the authenticator.
    pub seed: Seed,
    /// To be kept safe.
    pub recovery_codes: Vec<SecretString>,
}

/// The account called `name`, however it is spelled. [`Error::NoSuchAccount`] if there is none.
pub async fn find(app: &App, name: &str) -> Result<AccountRow, Error> {
    accounts::by_name(&app.db, &canonical_name(name)).await?.ok_or(Error::NoSuchAccount)
}

/// Makes an account and a link to set it up by; closes the first set-up.
pub async fn create_with_link(app: &App, name: &str) -> Result<Token, Error> {
    begin_with_link(app, name).await?.commit().await
}

/// [`create_with_link`], for whoever shows the link first.
pub async fn begin_with_link(app: &App, name: &str) -> Result<Uncommitted<Token>, Error> {
    let origin = Origin::operator();
    let name = check_name(name)?;
    let mut tx = app.db.begin().await?;
    installation::close_first_setup(&mut tx).await?;
    let (uin, _) = setup::insert_account(app, &mut tx, &origin, name).await?;
    let link = setup::create_link(app, &mut tx, Purpose::Account(uin)).await?;
    app.audit.append(&mut tx, &origin, Event::done(Action::SetupLinkCreated, uin)).await?;
    Ok(Uncommitted { shown: link, tx })
}

/// Makes a complete account; closes the first set-up.
pub async fn create_complete(app: &App, name: &str, password: SecretString) -> Result<CompleteAccount, Error> {
    begin_complete(app, name, password).await?.commit().await
}

/// [`create_complete`], for whoever shows its factors first.
pub async fn begin_complete(
    app: &App,
    name: &str,
    password: SecretString,
) -> Result<Uncommitted<CompleteAccount>, Error> {
    let origin = Origin::operator();
    let name = check_name(name)?;
    password::validate(&password, name).map_err(Error::PasswordUnfit)?;
    let hash = app.hasher.hash(password).await?;
    let seed = Seed::generate();

    let mut tx = app.db.begin().await?;
    installation::close_first_setup(&mut tx).await?;
    let (uin, app_id) = setup::insert_account(app, &mut tx, &origin, name).await?;
    accounts::set_password(&mut tx, uin, &hash).await?;
    // No code has been used yet, so no step is spent.
    let recovery_codes = setup::enrol(app, &mut tx, uin, &seed, -1).await?;
    app.audit.append(&mut tx, &origin, Event::done(Action::SetUp, uin)).await?;
    Ok(Uncommitted { shown: CompleteAccount { uin, app_id, seed, recovery_codes }, tx })
}

/// Forgets every failed try counted against the account.
pub async fn unlock(app: &App, name: &str) -> Result<(), Error> {
    let account = find(app, name).await?;
    let mut tx = app.db.begin().await?;
    for subject in [
        Subject::account(account.canonical_name()),
        Subject::verification(account.uin),
        Subject::code(account.uin),
        Subject::passkey(account.uin),
    ] {
        throttle::clear(&mut tx, &subject).await?;
    }
    app.audit.append(&mut tx, &Origin::operator(), Event::done(Action::ThrottleCleared, account.uin)).await?;
    Ok(tx.commit().await?)
}

/// Forgets the second factor and all passkeys, ends all sessions, and returns a link to enrol a new one with the password.
pub async fn reset_mfa(app: &App, name: &str) -> Result<Token, Error> {
    begin_mfa_reset(app, name).await?.commit().await
}

/// [`reset_mfa`], for whoever shows the link first.
pub async fn begin_mfa_reset(app: &App, name: &str) -> Result<Uncommitted<Token>, Error> {
    let account = find(app, name).await?;
    let purpose =
        if account.password_hash.is_some() { Purpose::Mfa(account.uin) } else { Purpose::Account(account.uin) };
    let mut tx = app.db.begin().await?;
    setup::forget_proofs(&mut tx, account.uin).await?;
    let link = setup::create_link(app, &mut tx, purpose).await?;
    app.audit.append(&mut tx, &Origin::operator(), Event::done(Action::MfaReset, account.uin)).await?;
    Ok(Uncommitted { shown: link, tx })
}

/// A link by which the owner chooses a new password and adds a new authenticator, within 15 minutes. Until it is used, the
/// account stays as it is. The next sign-in tells that the link was made.
pub async fn begin_recovery(app: &App, name: &str) -> Result<Uncommitted<Token>, Error> {
    let uin = find(app, name).await?.uin;
    let mut tx = app.db.begin().await?;
    accounts::set_recovery_link_at(&mut tx, uin, app.clock.now()).await?;
    let link = setup::create_link(app, &mut tx, Purpose::Recovery(uin)).await?;
    app.audit.append(&mut tx, &Origin::operator(), Event::done(Action::RecoveryLinkCreated, uin)).await?;
    Ok(Uncommitted { shown: link, tx })
}

/// Ends all sessions of the account and says how many there were.
pub async fn end_sessions(app: &App, name: &str) -> Result<u64, Error> {
    let account = find(app, name).await?;
    let mut tx = app.db.begin().await?;
    let ended = sessions::delete_all_of(&mut tx, account.uin).await?;
    app.audit.append(&mut tx, &Origin::operator(), Event::done(Action::SessionsEnded, account.uin)).await?;
    tx.commit().await?;
    Ok(ended)
}

/// Where no account exists: a new link for the first set-up. None where it is closed.
pub async fn first_setup_link(app: &App) -> Result<Option<Token>, Error> {
    if installation::is_set_up(&app.db).await? {
        return Ok(None);
    }
    let mut tx = app.db.begin().await?;
    let link = setup::create_link(app, &mut tx, Purpose::First).await?;
    app.audit.append(&mut tx, &Origin::operator(), Event::done(Action::SetupLinkCreated, None)).await?;
    tx.commit().await?;
    Ok(Some(link))
}
