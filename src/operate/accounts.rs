//! The operator's changes to accounts, on the command line.

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

/// A change that has been made but not yet committed, and what it has to show. It takes effect with [`Self::commit`].
/// If the output cannot be shown, and this is dropped, nothing has happened.
#[derive(Debug)]
pub struct Uncommitted<T> {
    shown: T,
    tx: Tx,
}

impl<T> Uncommitted<T> {
    /// The result, to be shown before the commit.
    pub fn shown(&self) -> &T {
        &self.shown
    }

    /// Commits the change.
    pub async fn commit(self) -> Result<T, Error> {
        self.tx.commit().await?;
        Ok(self.shown)
    }
}

/// All accounts, oldest first.
pub async fn list(app: &App) -> Result<Vec<AccountRow>, Error> {
    Ok(accounts::all(&app.db).await?)
}

/// A complete account that was created without a browser.
#[derive(Debug)]
pub struct CompleteAccount {
    /// The account's number.
    pub uin: Uin,
    /// The account's APPID.
    pub app_id: AppId,
    /// The TOTP seed, for the authenticator.
    pub seed: Seed,
    /// The recovery codes.
    pub recovery_codes: Vec<SecretString>,
}

/// Finds the account with this name, in any spelling. Fails with [`Error::NoSuchAccount`] if there is none.
pub async fn find(app: &App, name: &str) -> Result<AccountRow, Error> {
    accounts::by_name(&app.db, &canonical_name(name)).await?.ok_or(Error::NoSuchAccount)
}

/// Creates an account and a link to set it up with. Closes the first setup.
pub async fn create_with_link(app: &App, name: &str) -> Result<Token, Error> {
    begin_with_link(app, name).await?.commit().await
}

/// Like [`create_with_link`], but leaves the commit to the caller, who shows the link first.
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

/// Creates a complete account. Closes the first setup.
pub async fn create_complete(app: &App, name: &str, password: SecretString) -> Result<CompleteAccount, Error> {
    begin_complete(app, name, password).await?.commit().await
}

/// Like [`create_complete`], but leaves the commit to the caller, who shows the factors first.
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
    // No code has been used yet, so no TOTP step is spent.
    let recovery_codes = setup::enrol(app, &mut tx, uin, &seed, -1).await?;
    app.audit.append(&mut tx, &origin, Event::done(Action::SetUp, uin)).await?;
    Ok(Uncommitted { shown: CompleteAccount { uin, app_id, seed, recovery_codes }, tx })
}

/// Clears all failed attempts that are counted for the account.
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

/// Removes the second factor and all passkeys, and ends all sessions. Returns a link to enrol a new second factor with
/// the password.
pub async fn reset_mfa(app: &App, name: &str) -> Result<Token, Error> {
    begin_mfa_reset(app, name).await?.commit().await
}

/// Like [`reset_mfa`], but leaves the commit to the caller, who shows the link first.
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

/// Creates a link with which the owner chooses a new password and adds a new authenticator, within 15 minutes. Until it
/// is used, the account does not change. The next sign-in shows that the link was created.
pub async fn begin_recovery(app: &App, name: &str) -> Result<Uncommitted<Token>, Error> {
    let uin = find(app, name).await?.uin;
    let mut tx = app.db.begin().await?;
    accounts::set_recovery_link_at(&mut tx, uin, app.clock.now()).await?;
    let link = setup::create_link(app, &mut tx, Purpose::Recovery(uin)).await?;
    app.audit.append(&mut tx, &Origin::operator(), Event::done(Action::RecoveryLinkCreated, uin)).await?;
    Ok(Uncommitted { shown: link, tx })
}

/// Ends all sessions of the account and returns their number.
pub async fn end_sessions(app: &App, name: &str) -> Result<u64, Error> {
    let account = find(app, name).await?;
    let mut tx = app.db.begin().await?;
    let ended = sessions::delete_all_of(&mut tx, account.uin).await?;
    app.audit.append(&mut tx, &Origin::operator(), Event::done(Action::SessionsEnded, account.uin)).await?;
    tx.commit().await?;
    Ok(ended)
}

/// Creates a link for the first setup. Returns `None` if the first setup is closed.
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
