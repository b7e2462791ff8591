//! The master key over time: which versions a database knows, sealing under the one that holds, changing to a new one.
//!
//! Invariant: what a transaction stores is sealed under the highest version that the database knows, and no version is
//! added while such a transaction is under way ([`installation::hold_master_key`]). So once a version is added, nothing
//! more comes under an older one, whichever processes run, and what is there can be sealed anew in any number of steps.
//! A process that meets a version it has not got reads the master key again ([`Vault::reading_again`]).

use secrecy::SecretString;

use crate::app::App;
use crate::audit::{Action, Detail, Event, Origin};
use crate::config::{Settings, StartError};
use crate::db::sealed::{self, Column};
use crate::db::{Db, Tx, installation};
use crate::secret::vault::{Place, Sealed, Vault};
use crate::types::clock::Clock;
use crate::types::error::Error;

const CHECK_TEXT: &[u8] = b"latchkey master key";

fn check_place(row: &str) -> Place<'_> {
    sealed::MASTER_KEY_CHECK.place(row, None)
}

fn opens(vault: &Vault, check: &Sealed) -> bool {
    vault.try_open(check_place(&check.key_version.to_string()), check).is_ok()
}

/// The vault for a database: of the master key that the settings give, which is made if the database has none.
pub async fn open(settings: &Settings, database: &Db, clock: &Clock) -> Result<Vault, StartError> {
    let known = installation::master_key_versions(database).await.map_err(Error::from)?;
    let vault = with_text(settings, &settings.master_key(known.is_empty())?)?;
    check(database, &vault, &known).await?;
    let newest = vault.newest_version();
    if known.iter().all(|check| check.key_version < newest) {
        let mut tx = database.begin().await.map_err(Error::from)?;
        add_version(&vault, &mut tx, newest, clock).await?;
        tx.commit().await.map_err(Error::from)?;
        // Another process may have been first with another key under the same version.
        check(database, &vault, &installation::master_key_versions(database).await.map_err(Error::from)?).await?;
    }
    Ok(vault)
}

/// The same for a database that is only looked at.
pub async fn open_existing(settings: &Settings, database: &Db) -> Result<Vault, StartError> {
    let known = installation::master_key_versions(database).await.map_err(Error::from)?;
    let vault = with_text(settings, &settings.master_key(false)?)?;
    check(database, &vault, &known).await?;
    Ok(vault)
}

fn with_text(settings: &Settings, text: &SecretString) -> Result<Vault, StartError> {
    Ok(Vault::parse(text)?.reading_again(settings.master_key_reader()))
}

/// Every version that something is sealed under must be there, and be the same key.
async fn check(database: &Db, vault: &Vault, known: &[Sealed]) -> Result<(), StartError> {
    for check in known {
        let version = check.key_version;
        if opens(vault, check) {
            continue;
        }
        // A version that is over may be missing; another key under its number may not be there.
        let missing = !vault.versions().contains(&version);
        if missing && sealed::count(database, version, version).await.map_err(Error::from)? == 0 {
            continue;
        }
        return Err(StartError::WrongMasterKey { version });
    }
    Ok(())
}

async fn add_version(vault: &Vault, tx: &mut Tx, version: i64, clock: &Clock) -> Result<(), Error> {
    installation::hold_master_key(tx).await?;
    let check = vault.seal_under(version, check_place(&version.to_string()), CHECK_TEXT)?;
    Ok(installation::insert_master_key(tx, &check, clock.now()).await?)
}

/// Seals `plain` for a row that `tx` writes.
pub async fn seal(vault: &Vault, tx: &mut Tx, place: Place<'_>, plain: &[u8]) -> Result<Sealed, Error> {
    let newest = installation::hold_master_key(tx).await?;
    let newest = newest.ok_or_else(|| Error::internal("the database knows no master key"))?;
    // What would be sealed under another key of the same number could not be opened by anybody else.
    vault.open(check_place(&newest.key_version.to_string()), &newest)?;
    Ok(vault.seal_under(newest.key_version, place, plain)?)
}

/// The version that a change of the master key goes on with: the highest, if older ones are still in use.
pub async fn unfinished(app: &App) -> Result<Option<i64>, Error> {
    let newest = newest(app).await?;
    Ok((sealed::count(&app.db, 0, newest - 1).await? > 0).then_some(newest))
}

/// The highest version that the database knows or this process has.
pub async fn newest(app: &App) -> Result<i64, Error> {
    let known = installation::master_key_versions(&app.db).await?;
    let known = known.iter().map(|check| check.key_version).max().unwrap_or_default();
    Ok(known.max(app.vault.newest_version()))
}

/// Makes `version`, which the master key must have by now, the one to seal under. False if another process has made
/// another key of this number, which stays.
pub async fn begin(app: &App, version: i64) -> Result<bool, Error> {
    let mut tx = app.db.begin().await?;
    add_version(&app.vault, &mut tx, version, &app.clock).await?;
    let held = installation::hold_master_key(&mut tx).await?;
    if !held.is_some_and(|held| held.key_version == version && opens(&app.vault, &held)) {
        return Ok(false);
    }
    let event = Event::on_installation(Action::MasterKeyRotated).on_master_key(version);
    app.audit.append(&mut tx, &Origin::operator(), event).await?;
    tx.commit().await?;
    Ok(true)
}

/// How far sealing anew has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Values sealed anew.
    pub values: u64,
    /// Values that do not open, which stay as they are.
    pub unreadable: u64,
}

/// Values sealed anew in one transaction.
const PAGE: i64 = 100;

/// Seals everything under versions below `version` anew under it, while everybody goes on working.
pub async fn reseal(app: &App, version: i64) -> Result<Resealed, Error> {
    let mut all = Resealed::default();
    for column in sealed::COLUMNS {
        let mut after = String::new();
        while let Some(last) = reseal_page(app, column, version, &after, &mut all).await? {
            after = last;
        }
    }
    Ok(all)
}

/// One step of [`reseal`]: the values of the rows after `after`. Returns the last row it looked at.
pub async fn reseal_page(
    app: &App,
    column: &Column,
    version: i64,
    after: &str,
    so_far: &mut Resealed,
) -> Result<Option<String>, Error> {
    let page = column.page(&app.db, version, after, PAGE).await?;
    let Some(last) = page.last().map(|value| value.row.clone()) else { return Ok(None) };
    let mut tx = app.db.begin().await?;
    for value in &page {
        let place = column.place_of(value);
        let Ok(plain) = app.vault.open(place, &value.sealed) else {
            so_far.unreadable += 1;
            continue;
        };
        let anew = app.vault.seal_under(version, place, &plain)?;
        // Whoever changes the row meanwhile wins: what they store is under the new version already.
        if column.replace(&mut tx, value, &anew).await? {
            so_far.values += 1;
        }
    }
    tx.commit().await?;
    Ok(Some(last))
}

/// Forgets the versions below `version`. False, and nothing is done, if something is still sealed under one.
pub async fn retire_older(app: &App, version: i64) -> Result<bool, Error> {
    let mut tx = app.db.begin().await?;
    installation::hold_master_key(&mut tx).await?;
    if sealed::count_in(&mut tx, 0, version - 1).await? > 0 {
        return Ok(false);
    }
    installation::delete_master_keys_below(&mut tx, version).await?;
    let event = Event::on_installation(Action::MasterKeyRetired).on_master_key(version);
    app.audit.append(&mut tx, &Origin::operator(), event.with_detail(Detail::OlderVersions)).await?;
    tx.commit().await?;
    Ok(true)
}
