//! The master key: which versions a database knows, and sealing under the one that holds. `operate::master_key` changes
//! to a new one.
//!
//! Invariant: what a transaction stores is sealed under the highest version that the database knows, and no version is
//! added while such a transaction is under way ([`installation::hold_master_key`]). So once a version is added, nothing
//! more comes under an older one, whichever processes run, and what is there can be resealed in any number of steps.
//! A process that meets a version it has not got reads the master key again ([`Vault::reading_again`]).

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

/// Is the key that the vault has under this number the one that the database knows?
pub(crate) fn opens(vault: &Vault, check: &Sealed) -> bool {
    vault.try_open(check_place(&check.key_version.to_string()), check).is_ok()
}

/// The vault for a database: of the master key that the settings give, which is made if the database has none.
pub(crate) async fn open(settings: &Settings, database: &Db, clock: &Clock) -> Result<Vault, StartError> {
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
pub(crate) async fn open_existing(settings: &Settings, database: &Db) -> Result<Vault, StartError> {
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

/// Makes `version`, which the vault has, one that the database knows.
pub(crate) async fn add_version(vault: &Vault, tx: &mut Tx, version: i64, clock: &Clock) -> Result<(), Error> {
    installation::hold_master_key(tx).await?;
    let check = vault.seal_under(version, check_place(&version.to_string()), CHECK_TEXT)?;
    Ok(installation::insert_master_key(tx, &check, clock.now()).await?)
}

/// Seals `plain` for a row that `tx` writes.
pub(crate) async fn seal(vault: &Vault, tx: &mut Tx, place: Place<'_>, plain: &[u8]) -> Result<Sealed, Error> {
    let newest = installation::hold_master_key(tx).await?;
    let newest = newest.ok_or_else(|| Error::internal("the database knows no master key"))?;
    // What would be sealed under another key of the same number could not be opened by anybody else.
    vault.open(check_place(&newest.key_version.to_string()), &newest)?;
    Ok(vault.seal_under(newest.key_version, place, plain)?)
}
