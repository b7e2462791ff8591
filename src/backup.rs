//! Backup and restore of the embedded database. The master key is never part of it.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::config::{Settings, StartError};
use crate::db::{Db, OpenError, backup as db};
use crate::error::Error;
use crate::master_key;

fn refused(message: String) -> StartError {
    StartError::Setting(message)
}

fn for_file(file: &Path) -> impl Fn(std::io::Error) -> StartError {
    move |cause| refused(format!("cannot write {}: {cause}", file.display()))
}

/// Writes a consistent copy of the database into `file`, which must not be there, while servers go on. Whole or not at
/// all, and for its owner only.
pub async fn backup(settings: &Settings, file: &Path) -> Result<(), StartError> {
    embedded(settings, "pg_dump")?;
    if file.exists() {
        return Err(refused(format!("{} is there already, and nothing is overwritten", file.display())));
    }
    let (directory, failed) = (directory_of(file), for_file(file));
    // Temporary files are for their owner only.
    let copy = NamedTempFile::new_in(directory).map_err(&failed)?;
    let database = settings.existing_database().await?;
    let copied = copy_into(settings, &database, copy.path()).await;
    database.close().await;
    copied?;
    copy.as_file().sync_all().map_err(&failed)?;
    copy.persist_noclobber(file).map_err(|error| failed(error.error))?;
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)
}

async fn copy_into(settings: &Settings, database: &Db, file: &Path) -> Result<(), StartError> {
    let Db::Sqlite(pool, _) = database else { return Ok(()) };
    database.check_schema().await.or_else(older_will_do).map_err(|cause| settings.could_not_open(cause))?;
    let name = file.to_str().ok_or_else(|| refused("the name of the copy is not UTF-8".to_owned()))?;
    db::copy_into(pool, name).await.map_err(|cause| refused(format!("the copy failed: {cause}")))
}

/// Puts a copy in the place of a database that is not there, once it has been looked through. Returns the place.
pub async fn restore(settings: &Settings, file: &Path) -> Result<PathBuf, StartError> {
    let target = embedded(settings, "pg_restore")?;
    for taken in [target.clone(), beside(&target, "-wal"), beside(&target, "-shm")] {
        if taken.exists() {
            let taken = taken.display();
            return Err(refused(format!("{taken} is there already, and nothing is overwritten: move it away first")));
        }
    }
    let cannot_read = |cause| refused(format!("cannot read {}: {cause}", file.display()));
    if std::fs::metadata(beside(file, "-wal")).is_ok_and(|log| log.len() > 0) {
        let file = file.display();
        return Err(refused(format!("{file} is a database in use, not a backup: beside it is what was written last")));
    }
    let mut source = File::open(file).map_err(cannot_read)?;
    settings.make_data_dir()?;
    let (directory, failed) = (directory_of(&target), for_file(&target));
    let mut copy = NamedTempFile::new_in(directory).map_err(&failed)?;
    std::io::copy(&mut source, copy.as_file_mut()).map_err(&failed)?;
    // The copy is looked through, and not the file it is of: nobody else can change it.
    check(settings, copy.path(), file).await?;
    like_its_directory(copy.as_file(), directory).map_err(&failed)?;
    copy.as_file().sync_all().map_err(&failed)?;
    copy.persist_noclobber(&target).map_err(|error| failed(error.error))?;
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)?;
    Ok(target)
}

async fn check(settings: &Settings, copy: &Path, file: &Path) -> Result<(), StartError> {
    let not_good = |cause: String| refused(format!("{} is no good backup: {cause}", file.display()));
    let database = Db::open_file(copy).await.map_err(|cause| not_good(cause.to_string()))?;
    let checked = async {
        let Db::Sqlite(pool, _) = &database else { return Ok(()) };
        database.check_schema().await.or_else(older_will_do).map_err(|cause| not_good(cause.to_string()))?;
        if let Some(damage) = db::damage(pool).await.map_err(Error::from)? {
            return Err(not_good(damage));
        }
        master_key::open_existing(settings, &database).await.map(drop)
    };
    let checked = checked.await;
    database.close().await;
    checked
}

/// The next start brings it up to date.
fn older_will_do(cause: OpenError) -> Result<(), OpenError> {
    if matches!(cause, OpenError::Older) { Ok(()) } else { Err(cause) }
}

/// The embedded database's file; for PostgreSQL, which tool to use.
fn embedded(settings: &Settings, tool: &str) -> Result<PathBuf, StartError> {
    let instead = || refused(format!("the database is PostgreSQL: use its own {tool} (docs/operate/backup.md)"));
    settings.database_file()?.ok_or_else(instead)
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn directory_of(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What root restores belongs to the server's user, to whom the directory belongs.
fn like_its_directory(file: &File, directory: &Path) -> std::io::Result<()> {
    let (wanted, present) = (std::fs::metadata(directory)?, file.metadata()?);
    if (wanted.uid(), wanted.gid()) == (present.uid(), present.gid()) || present.uid() != 0 {
        return Ok(());
    }
    std::os::unix::fs::fchown(file, Some(wanted.uid()), Some(wanted.gid()))
}
