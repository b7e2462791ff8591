//! The master key: which versions a database knows, and sealing under the newest of them. `operate::master_key` rotates
//! it.
//!
//! Invariant: what a transaction stores is sealed under the highest version that the database knows, and no version is
//! added while such a transaction is in progress ([`installation::hold_master_key`]). Once a version has been added,
//! nothing new is sealed under an older one, whichever processes run. The existing values can then be resealed in any
//! number of steps. A process that meets a version it does not have reads the master key again
//! ([`Vault::reading_again`]).

use secrecy::SecretString;

use crate::config::Settings;
use crate::db::sealed;
use crate::db::{Db, Tx, installation};
use crate::secret::vault::{Place, Sealed, Vault};
use crate::start_error::StartError;
use crate::types::clock::Clock;
use crate::types::error::Error;

const CHECK_TEXT: &[u8] = b"latchkey master key";

fn check_place(row: &str) -> Place<'_> {
    sealed::MASTER_KEY_CHECK.place(row, None)
}

/// Returns `true` if the vault's key of this version is the one that the database knows.
pub(crate) fn opens(vault: &Vault, check: &Sealed) -> bool {
    vault.try_open(check_place(&check.key_version.to_string()), check).is_ok()
}

/// Opens the vault for a database, with the master key from the settings. The key is created if the database knows
/// none.
pub(crate) async fn open(settings: &Settings, database: &Db, clock: &Clock) -> Result<Vault, StartError> {
    let known = installation::master_key_versions(database).await.map_err(Error::from)?;
    let vault = with_text(settings, &settings.master_key(known.is_empty())?)?;
    check(database, &vault, &known).await?;
    let newest = vault.newest_version();
    if known.iter().all(|check| check.key_version < newest) {
        let mut tx = database.begin().await.map_err(Error::from)?;
        add_version(&vault, &mut tx, newest, clock).await?;
        tx.commit().await.map_err(Error::from)?;
        // Another process may have been first, with another key of the same version.
        check(database, &vault, &installation::master_key_versions(database).await.map_err(Error::from)?).await?;
    }
    Ok(vault)
}

/// Like [`open`], but for a database that is only read.
pub(crate) async fn open_existing(settings: &Settings, database: &Db) -> Result<Vault, StartError> {
    let known = installation::master_key_versions(database).await.map_err(Error::from)?;
    let vault = with_text(settings, &settings.master_key(false)?)?;
    check(database, &vault, &known).await?;
    Ok(vault)
}

fn with_text(settings: &Settings, text: &SecretString) -> Result<Vault, StartError> {
    Ok(Vault::parse(text)?.reading_again(settings.master_key_reader()))
}

/// Checks that the vault has every version under which something is sealed, and that each is the same key.
async fn check(database: &Db, vault: &Vault, known: &[Sealed]) -> Result<(), StartError> {
    for check in known {
        let version = check.key_version;
        if opens(vault, check) {
            continue;
        }
        // A retired version may be missing, but there may not be another key of the same version.
        let missing = !vault.versions().contains(&version);
        if missing && sealed::count(database, version, version).await.map_err(Error::from)? == 0 {
            continue;
        }
        return Err(StartError::WrongMasterKey { version });
    }
    Ok(())
}

/// Adds `version`, which the vault must have, to those that the database knows.
pub(crate) async fn add_version(vault: &Vault, tx: &mut Tx, version: i64, clock: &Clock) -> Result<(), Error> {
    installation::hold_master_key(tx).await?;
    let check = vault.seal_under(version, check_place(&version.to_string()), CHECK_TEXT)?;
    Ok(installation::insert_master_key(tx, &check, clock.now()).await?)
}

/// Seals `plain` for a row that `tx` writes.
pub(crate) async fn seal(vault: &Vault, tx: &mut Tx, place: Place<'_>, plain: &[u8]) -> Result<Sealed, Error> {
    let newest = installation::hold_master_key(tx).await?;
    let newest = newest.ok_or_else(|| Error::internal("the database knows no master key"))?;
    // Nobody else could open what is sealed under another key of the same version.
    vault.open(check_place(&newest.key_version.to_string()), &newest)?;
    Ok(vault.seal_under(newest.key_version, place, plain)?)
}
