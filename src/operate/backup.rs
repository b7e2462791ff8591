//! Backup and restore of the embedded database. A backup never contains the master key.
//!
//! A backup ends with a checksum of everything before it. SQLite reads only as many pages as the database header says,
//! so the file can also be used without removing the checksum.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::audit::Verdict;
use crate::config::Settings;
use crate::db::sealed::{self, Column};
use crate::db::{Db, OpenError, backup as db};
use crate::secret::vault::Vault;
use crate::start_error::StartError;
use crate::types::error::Error;
use crate::{app, master_key, scratch};

/// The text between the database and its checksum.
const MARK: &[u8] = b"\nLatchkey backup, its SHA-256 is:\n";
const CHECKSUM_BYTES: usize = 32;

fn refused(message: String) -> StartError {
    StartError::Setting(message)
}

fn for_file(file: &Path) -> impl Fn(std::io::Error) -> StartError {
    move |cause| refused(format!("cannot write {}: {cause}", file.display()))
}

/// Writes a consistent copy of the database to `file`, which must not exist, while servers keep running. The file
/// appears only once it is complete, and only its owner can read it.
pub async fn backup(settings: &Settings, file: &Path) -> Result<(), StartError> {
    embedded(settings, "pg_dump")?;
    if file.exists() {
        return Err(refused(format!("{} already exists and is not overwritten", file.display())));
    }
    let (directory, failed) = (directory_of(file), for_file(file));
    let mut copy = scratch::file_in(directory).map_err(&failed)?;
    let database = settings.existing_database().await?;
    let copied = copy_into(settings, &database, copy.path()).await;
    database.close().await;
    copied?;
    add_checksum(copy.as_file_mut()).map_err(&failed)?;
    copy.as_file().sync_all().map_err(&failed)?;
    copy.persist_noclobber(file).map_err(|error| failed(error.error))?;
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)
}

async fn copy_into(settings: &Settings, database: &Db, file: &Path) -> Result<(), StartError> {
    let Db::Sqlite(pool, _) = database else { return Ok(()) };
    database.check_schema().await.or_else(older_will_do).map_err(|cause| settings.could_not_open(cause))?;
    let name = file.to_str().ok_or_else(|| refused("the name of the backup is not valid UTF-8".to_owned()))?;
    db::copy_into(pool, name).await.map_err(|cause| refused(format!("the backup failed: {cause}")))
}

fn add_checksum(file: &mut File) -> std::io::Result<()> {
    let length = file.seek(SeekFrom::End(0))?;
    let checksum = checksum(file, length)?;
    file.seek(SeekFrom::End(0))?;
    file.write_all(MARK)?;
    file.write_all(&checksum)
}

/// Removes the checksum from the file and returns whether it is correct, or `None` if there is no checksum.
fn take_checksum(file: &mut File) -> std::io::Result<Option<bool>> {
    let tail_bytes = MARK.len() + CHECKSUM_BYTES;
    let Some(length) = file.seek(SeekFrom::End(0))?.checked_sub(tail_bytes as u64) else { return Ok(None) };
    let mut tail = Vec::with_capacity(tail_bytes);
    file.seek(SeekFrom::Start(length))?;
    file.read_to_end(&mut tail)?;
    let Some(noted) = tail.strip_prefix(MARK) else { return Ok(None) };
    let is_right = checksum(file, length)? == noted;
    file.set_len(length)?;
    Ok(Some(is_right))
}

/// The SHA-256 of the first `length` bytes.
fn checksum(file: &mut File, length: u64) -> std::io::Result<Vec<u8>> {
    let mut hash = Sha256::new();
    file.seek(SeekFrom::Start(0))?;
    let mut content = BufReader::with_capacity(1 << 16, file.take(length));
    loop {
        let read = content.fill_buf()?;
        if read.is_empty() {
            break;
        }
        hash.update(read);
        let read = read.len();
        content.consume(read);
    }
    Ok(hash.finalize().to_vec())
}

/// A restored database.
#[derive(Debug)]
pub struct Restored {
    /// The path of the database.
    pub database: PathBuf,
    /// `true` if the backup had a checksum.
    pub had_checksum: bool,
    /// The damage that was found and accepted.
    pub accepted: Vec<String>,
}

/// Checks a backup and installs it as the database, which must not exist. `accept_damage` accepts damage that a server
/// can run with.
pub async fn restore(settings: &Settings, file: &Path, accept_damage: bool) -> Result<Restored, StartError> {
    let target = embedded(settings, "pg_restore")?;
    for taken in [target.clone(), beside(&target, "-wal"), beside(&target, "-shm")] {
        if taken.exists() {
            let taken = taken.display();
            return Err(refused(format!("{taken} already exists and is not overwritten: move it away first")));
        }
    }
    let cannot_read = |cause| refused(format!("cannot read {}: {cause}", file.display()));
    if std::fs::metadata(beside(file, "-wal")).is_ok_and(|log| log.len() > 0) {
        let file = file.display();
        return Err(refused(format!(
            "{file} is a database in use, not a backup: its latest changes are in another file"
        )));
    }
    let mut source = File::open(file).map_err(cannot_read)?;
    settings.make_data_dir()?;
    let (directory, failed) = (directory_of(&target), for_file(&target));
    let mut copy = scratch::file_in(directory).map_err(&failed)?;
    std::io::copy(&mut source, copy.as_file_mut()).map_err(&failed)?;
    // The copy is checked rather than the original, because nobody else can change the copy.
    let checksum = take_checksum(copy.as_file_mut()).map_err(&failed)?;
    let mut damage = look_through(settings, copy.path(), file).await?;
    if checksum == Some(false) {
        damage.insert(0, "its checksum does not match its contents".to_owned());
    }
    if !(damage.is_empty() || accept_damage) {
        let (file, damage) = (file.display(), damage.join("; "));
        return Err(refused(format!(
            "{file} is not a usable backup: {damage}. If you have no better one, use --accept-damage"
        )));
    }
    like_its_directory(copy.as_file(), directory).map_err(&failed)?;
    copy.as_file().sync_all().map_err(&failed)?;
    copy.persist_noclobber(&target).map_err(|error| failed(error.error))?;
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)?;
    Ok(Restored { database: target, had_checksum: checksum.is_some(), accepted: damage })
}

/// Checks that a server can run with the copy once it has been migrated. Returns all other damage.
async fn look_through(settings: &Settings, copy: &Path, file: &Path) -> Result<Vec<String>, StartError> {
    let not_good = |cause: String| refused(format!("{} is not a usable backup: {cause}", file.display()));
    let database = Db::open_file(copy).await.map_err(|cause| not_good(cause.to_string()))?;
    let looked_through = async {
        let Db::Sqlite(pool, _) = &database else { return Ok(Vec::new()) };
        database.check_schema().await.or_else(older_will_do).map_err(|cause| not_good(cause.to_string()))?;
        if let Some(damage) = db::damage(pool).await.map_err(|cause| not_good(cause.to_string()))? {
            return Err(not_good(damage));
        }
        database.migrate().await.map_err(|cause| not_good(cause.to_string()))?;
        let vault = master_key::open_existing(settings, &database).await?;
        let mut found = Vec::new();
        if let Some(name) = db::foreign_object(pool).await.map_err(|cause| not_good(cause.to_string()))? {
            found.push(format!("{name} of the schema differs from what this version creates"));
        }
        // No server starts without the data keys.
        if let Some(unopened) = unopened(&database, &vault, &sealed::DATA_KEY).await? {
            return Err(not_good(unopened));
        }
        for column in sealed::COLUMNS {
            found.extend(unopened(&database, &vault, column).await?);
        }
        let audit = app::audit_of(&database, &vault).await?;
        if let Verdict::Broken { number, how } = audit.verify(&database, None).await? {
            found.push(format!("its audit log is broken at record {number}: {how}"));
        }
        Ok(found)
    };
    let looked_through = looked_through.await;
    database.close().await;
    // A backup that cannot be read is not an internal error.
    looked_through.map_err(|error| match error {
        StartError::Domain(cause) => not_good(cause.to_string()),
        other => other,
    })
}

/// Describes the first value of a column that does not open, and counts the others.
async fn unopened(database: &Db, vault: &Vault, column: &Column) -> Result<Option<String>, Error> {
    const PAGE: i64 = 100;
    let (mut after, mut first, mut count) = (String::new(), None, 0);
    loop {
        let page = column.page(database, i64::MAX, &after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.row);
        for value in &page {
            if let Err(cause) = vault.try_open(column.place_of(value), &value.sealed) {
                count += 1;
                first.get_or_insert(cause);
            }
        }
    }
    Ok(first.map(|first| if count > 1 { format!("{first} (and {} more)", count - 1) } else { first.to_string() }))
}

/// Accepts an older schema, which will be migrated.
fn older_will_do(cause: OpenError) -> Result<(), OpenError> {
    if matches!(cause, OpenError::Older) { Ok(()) } else { Err(cause) }
}

/// The file of the embedded database. For PostgreSQL, the error says which tool to use.
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

/// Gives a file that root restores to the owner of its directory, which is the server's user.
fn like_its_directory(file: &File, directory: &Path) -> std::io::Result<()> {
    let (wanted, present) = (std::fs::metadata(directory)?, file.metadata()?);
    if (wanted.uid(), wanted.gid()) == (present.uid(), present.gid()) || present.uid() != 0 {
        return Ok(());
    }
    std::os::unix::fs::fchown(file, Some(wanted.uid()), Some(wanted.gid()))
}
