//! Account setup with a one-time link: name and password, enrolment of the second factor, recovery codes.
//!
//! Until an enrolment is confirmed, it lives in the session that began it. Nobody else can see, change or cancel it.
//! The confirmation spends the link: if two people use the same link at the same time, the first to confirm wins.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::pending_seed::PendingSeed;
use super::{canonical_name, check_name, store_totp_seed, verification};
use crate::app::App;
use crate::audit::Event;
use crate::db::installation::SetupLink;
use crate::db::{Tx, accounts, installation, passkeys, sessions};
use crate::secret::token::{Token, TokenDigest};
use crate::secret::totp::{Code, Seed};
use crate::secret::{password, recovery};
use crate::throttle::{self, Subject};
use crate::types::error::Error;
use crate::types::event::{Action, Detail, Origin};
use crate::types::id::{AppId, Uin};

/// The time in which a link can be used.
pub const LINK_LIFETIME: Duration = Duration::from_hours(24);

/// The time in which a recovery link can be used.
pub const RECOVERY_LIFETIME: Duration = Duration::from_mins(15);

/// The time that an enrolment has for its first code.
pub const ENROLMENT_LIFETIME: Duration = Duration::from_mins(30);

/// The purpose of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// Creates the first account.
    First,
    /// Completes an account that was created on the command line.
    Account(Uin),
    /// Enrols a new second factor for an account that has a password.
    Mfa(Uin),
    /// Replaces the password and the second factor of an owner who has lost both.
    Recovery(Uin),
}

impl Purpose {
    fn stored(self) -> (&'static str, Option<Uin>) {
        match self {
            Self::First => ("first", None),
            Self::Account(uin) => ("account", Some(uin)),
            Self::Mfa(uin) => ("mfa", Some(uin)),
            Self::Recovery(uin) => ("recovery", Some(uin)),
        }
    }

    fn of(link: &SetupLink) -> Result<Self, Error> {
        match (link.purpose.as_str(), link.uin) {
            ("first", None) => Ok(Self::First),
            ("account", Some(uin)) => Ok(Self::Account(uin)),
            ("mfa", Some(uin)) => Ok(Self::Mfa(uin)),
            ("recovery", Some(uin)) => Ok(Self::Recovery(uin)),
            _ => Err(Error::internal("a setup link has an unknown purpose")),
        }
    }

    /// Returns `true` if the link's user chooses the account's name.
    pub fn asks_name(self) -> bool {
        self == Self::First
    }

    /// Returns `true` if the link's user chooses a password, and `false` if they prove the existing one.
    pub fn asks_new_password(self) -> bool {
        !matches!(self, Self::Mfa(_))
    }

    fn lifetime(self) -> Duration {
        if matches!(self, Self::Recovery(_)) { RECOVERY_LIFETIME } else { LINK_LIFETIME }
    }
}

/// Creates a link for `purpose` and returns its token. Earlier links of the same account become invalid.
pub async fn create_link(app: &App, tx: &mut Tx, purpose: Purpose) -> Result<Token, Error> {
    let now = app.clock.now();
    let token = Token::generate();
    let (name, uin) = purpose.stored();
    if let Some(uin) = uin {
        installation::revoke_setup_links(tx, uin, now).await?;
    }
    installation::insert_setup_link(tx, &token.digest(), name, uin, now.plus(purpose.lifetime())).await?;
    Ok(token)
}

/// The purpose of the link with this token, and the name of its account. Fails with [`Error::SetupLinkInvalid`] if the
/// link cannot be used.
pub async fn look_up(app: &App, link_token: &Token) -> Result<(Purpose, Option<String>), Error> {
    let link = installation::usable_setup_link(&app.db, &link_token.digest(), app.clock.now())
        .await?
        .ok_or(Error::SetupLinkInvalid)?;
    let purpose = Purpose::of(&link)?;
    if purpose == Purpose::First && installation::is_set_up(&app.db).await? {
        return Err(Error::SetupLinkInvalid);
    }
    let name = match link.uin {
        Some(uin) => accounts::by_uin(&app.db, uin).await?.map(|account| account.name),
        None => None,
    };
    Ok((purpose, name))
}

/// A setup that waits for the first code. Kept in the session. The password in it is hashed, and the seed is sealed in
/// the database.
#[derive(Clone, Serialize, Deserialize)]
pub struct Enrolment {
    link_hash: TokenDigest,
    purpose: Purpose,
    name: String,
    password_hash: Option<String>,
    seed: PendingSeed,
}

impl std::fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Enrolment").field("purpose", &self.purpose).finish_non_exhaustive()
    }
}

impl Enrolment {
    /// The account's name, which the authenticator shows.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Opens the seed, to show it or to check a code. Fails with [`Error::SetupLinkInvalid`] if the link has been used
    /// or the enrolment has taken too long.
    pub async fn seed(&self, app: &App) -> Result<Seed, Error> {
        self.seed.open(app).await?.ok_or(Error::SetupLinkInvalid)
    }
}

/// Begins a setup: checks the link, the name if one is chosen, and the password.
pub async fn begin(
    app: &App,
    origin: &Origin,
    link_token: &Token,
    name: &str,
    new_password: SecretString,
) -> Result<Enrolment, Error> {
    let (purpose, account_name) = look_up(app, link_token).await?;
    let name = match account_name {
        Some(name) => name,
        None => free_name(app, name).await?,
    };
    let password_hash = match purpose {
        Purpose::Mfa(uin) => {
            let account = accounts::by_uin(&app.db, uin).await?.ok_or(Error::SetupLinkInvalid)?;
            verification::prove_password(app, origin, &account, new_password, Action::SetUp).await?;
            None
        }
        Purpose::First | Purpose::Account(_) | Purpose::Recovery(_) => {
            password::validate(&new_password, &name).map_err(Error::PasswordUnfit)?;
            Some(app.hasher.hash(new_password).await?)
        }
    };
    let seed = PendingSeed::generate(app, purpose.stored().1, ENROLMENT_LIFETIME).await?;
    Ok(Enrolment { link_hash: link_token.digest(), purpose, name, password_hash, seed })
}

/// Checks that a chosen name is valid and free. The confirmation checks again whether it is still free.
async fn free_name(app: &App, name: &str) -> Result<String, Error> {
    let name = check_name(name)?;
    match accounts::by_name(&app.db, &canonical_name(name)).await? {
        Some(_) => Err(Error::NameTaken),
        None => Ok(name.to_owned()),
    }
}

/// A completed setup.
#[derive(Debug)]
pub struct Completed {
    /// The account's number.
    pub uin: Uin,
    /// The account's recovery codes, which are shown only this once.
    pub recovery_codes: Vec<SecretString>,
}

/// Confirms the enrolment with its first code. Once this returns, the account exists, or has its new second factor.
///
/// On [`Error::CodeRefused`], nothing has changed, and another code can be tried. [`Error::SetupLinkInvalid`] means
/// that somebody else has finished first. On [`Error::NameTaken`], the link can still be used.
pub async fn confirm(app: &App, origin: &Origin, enrolment: &Enrolment, code: &str) -> Result<Completed, Error> {
    let now = app.clock.now();
    let seed = enrolment.seed(app).await?;
    let step = Code::parse(code).and_then(|code| seed.matching_step(&code, now));

    let mut tx = app.db.begin().await?;
    let Some(step) = step else {
        let uin = enrolment.purpose.stored().1;
        app.audit.append(&mut tx, origin, Event::refused(Action::SetUp, uin, Detail::Code)).await?;
        tx.commit().await?;
        return Err(Error::CodeRefused);
    };
    if !installation::spend_setup_link(&mut tx, &enrolment.link_hash, now).await? {
        return Err(Error::SetupLinkInvalid);
    }
    let uin = match enrolment.purpose {
        Purpose::First => {
            if !installation::close_first_setup(&mut tx).await? {
                return Err(Error::SetupLinkInvalid);
            }
            insert_account(app, &mut tx, origin, &enrolment.name).await?.0
        }
        Purpose::Account(uin) | Purpose::Mfa(uin) => uin,
        Purpose::Recovery(uin) => {
            forget_proofs(&mut tx, uin).await?;
            uin
        }
    };
    if let Some(hash) = &enrolment.password_hash {
        accounts::set_password(&mut tx, uin, hash).await?;
    }
    let recovery_codes = enrol(app, &mut tx, uin, &seed, step).await?;
    enrolment.seed.forget(&mut tx).await?;
    let action = if matches!(enrolment.purpose, Purpose::Recovery(_)) { Action::Recovered } else { Action::SetUp };
    app.audit.append(&mut tx, origin, Event::done(action, uin)).await?;
    tx.commit().await?;
    Ok(Completed { uin, recovery_codes })
}

/// Removes all credentials of the account except its password: second factor, recovery codes, passkeys and known
/// browsers. Also ends its sessions.
pub(crate) async fn forget_proofs(tx: &mut Tx, uin: Uin) -> Result<(), Error> {
    accounts::clear_mfa(tx, uin).await?;
    passkeys::delete_all_of(tx, uin).await?;
    sessions::delete_all_of(tx, uin).await?;
    throttle::clear(tx, &Subject::code(uin)).await
}

/// Creates an account without credentials. Fails with [`Error::NameTaken`] if the name is taken.
pub(crate) async fn insert_account(app: &App, tx: &mut Tx, origin: &Origin, name: &str) -> Result<(Uin, AppId), Error> {
    let (uin, app_id) = (Uin::generate(), AppId::generate());
    let inserted = accounts::insert(tx, uin, app_id, name, &canonical_name(name), app.clock.now()).await;
    if let Err(sqlx::Error::Database(cause)) = &inserted
        && cause.is_unique_violation()
    {
        return Err(Error::NameTaken);
    }
    inserted?;
    app.audit.append(tx, origin, Event::done(Action::AccountCreated, uin)).await?;
    Ok((uin, app_id))
}

/// Stores the second factor, whose step `spent_step` has just been spent, and ten new recovery codes, which it returns.
pub(crate) async fn enrol(
    app: &App,
    tx: &mut Tx,
    uin: Uin,
    seed: &Seed,
    spent_step: i64,
) -> Result<Vec<SecretString>, Error> {
    store_totp_seed(app, tx, uin, seed, spent_step).await?;
    new_recovery_codes(tx, uin).await
}

/// Replaces the account's recovery codes with ten new ones, and returns those.
pub(super) async fn new_recovery_codes(tx: &mut Tx, uin: Uin) -> Result<Vec<SecretString>, Error> {
    let codes = recovery::generate();
    accounts::set_recovery_codes(tx, uin, &recovery::digests(&codes)).await?;
    Ok(codes)
}

/// Returns `true` as long as the first setup is open.
pub async fn is_open(app: &App) -> Result<bool, Error> {
    Ok(!installation::is_set_up(&app.db).await?)
}

/// Stores the console's URL, for links that commands print.
pub async fn note_console(app: &App, console: &url::Url) -> Result<(), Error> {
    if installation::console_url(&app.db).await?.as_deref() != Some(console.as_str()) {
        installation::set_console_url(&app.db, console.as_str()).await?;
    }
    Ok(())
}

/// The console's URL for links: the configured one, or the one that a server stored last, or the default of the
/// settings.
pub async fn console_for_links(app: &App) -> Result<url::Url, Error> {
    if app.settings.public_url.is_none()
        && let Some(noted) = installation::console_url(&app.db).await?
        && let Ok(noted) = noted.parse()
    {
        return Ok(noted);
    }
    Ok(app.settings.public_url_for_links())
}

/// The URL of a setup link.
pub fn link_address(public_url: &url::Url, link_token: &Token) -> String {
    let mut address = public_url.join("/setup").expect("a path joins any http address");
    address.query_pairs_mut().append_pair("token", link_token.expose_secret());
    address.into()
}
