//! Rotating the master key while servers and other commands keep running.

use crate::app::App;
use crate::audit::Event;
use crate::db::installation;
use crate::db::sealed::{self, Column};
use crate::master_key;
use crate::types::error::Error;
use crate::types::event::{Action, Detail, Origin};

/// The version that an interrupted rotation continues with: the newest, if older ones are still in use.
pub async fn unfinished(app: &App) -> Result<Option<i64>, Error> {
    let newest = newest(app).await?;
    Ok((sealed::count(&app.db, 0, newest - 1).await? > 0).then_some(newest))
}

/// The highest version that is known to the database or to this process.
pub async fn newest(app: &App) -> Result<i64, Error> {
    let known = installation::master_key_versions(&app.db).await?;
    let known = known.iter().map(|check| check.key_version).max().unwrap_or_default();
    Ok(known.max(app.vault.newest_version()))
}

/// Makes `version`, which the master key must contain by now, the version to seal under. Returns `false` if another
/// process has created a different key with this number; that key is kept.
pub async fn begin(app: &App, version: i64) -> Result<bool, Error> {
    let mut tx = app.db.begin().await?;
    master_key::add_version(&app.vault, &mut tx, version, &app.clock).await?;
    let held = installation::hold_master_key(&mut tx).await?;
    if !held.is_some_and(|held| held.key_version == version && master_key::opens(&app.vault, &held)) {
        return Ok(false);
    }
    let event = Event::on_installation(Action::MasterKeyRotated).on_master_key(version);
    app.audit.append(&mut tx, &Origin::operator(), event).await?;
    tx.commit().await?;
    Ok(true)
}

/// The progress of resealing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// The number of values that were resealed.
    pub values: u64,
    /// The number of values that do not open, and were left as they are.
    pub unreadable: u64,
}

/// The number of values to reseal in one transaction.
const PAGE: i64 = 100;

/// Reseals under `version` everything that is sealed under earlier versions, while servers keep running.
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

/// One step of [`reseal`]: the values of the rows after `after`. Returns the last row that it processed.
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
        // A concurrent change to the row wins: its value is already sealed under the new version.
        if column.replace(&mut tx, value, &anew).await? {
            so_far.values += 1;
        }
    }
    tx.commit().await?;
    Ok(Some(last))
}

/// Forgets the versions before `version`. Returns `false`, and does nothing, if something is still sealed under one of
/// them.
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
