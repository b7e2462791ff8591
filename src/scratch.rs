//! Temporary files and directories. A process that is killed leaves its own behind; the next one that makes some in the same
//! place removes them. They are known by their names, and that nobody works with them any more by a lock, which ends with
//! the process that holds it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile, TempDir};

const PREFIX: &str = ".latchkey-";
const SUFFIX: &str = ".tmp";

/// What SQLite keeps beside a database.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Another process may take what is new for left, in the moment before it is locked. Not that often.
const TRIES: usize = 100;

/// A new empty file in `directory`, for its owner only, that is gone when dropped unless it is given a name.
pub(crate) fn file_in(directory: &Path) -> io::Result<NamedTempFile> {
    remove_left_files(directory);
    for _ in 0..TRIES {
        let file = Builder::new().prefix(PREFIX).suffix(SUFFIX).tempfile_in(directory)?;
        file.as_file().lock()?;
        if is_still(file.as_file(), file.path()) {
            return Ok(file);
        }
    }
    Err(io::Error::other("somebody removes every temporary file"))
}

/// Removes the files that killed processes have left in `directory`. What cannot be removed stays.
pub(crate) fn remove_left_files(directory: &Path) {
    for path in entries(directory, PREFIX) {
        let name = path.to_string_lossy();
        let whole = BESIDE.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
        if !whole.ends_with(SUFFIX) {
            continue;
        }
        let whole = Path::new(whole);
        let is_left = !whole.exists() || is_ours(whole, fs::Metadata::is_file) && nobody_holds(whole);
        if is_left && is_ours(&path, fs::Metadata::is_file) {
            let _ = fs::remove_file(&path);
        }
    }
}

/// A directory in the system's place for temporary ones, removed when dropped.
#[derive(Debug)]
pub(crate) struct Directory {
    directory: TempDir,
    /// Holds the lock.
    _open: File,
}

impl Directory {
    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Removes it and says whether that went well.
    pub(crate) fn close(self) -> io::Result<()> {
        self.directory.close()
    }
}

/// A new empty directory, for its owner only, whose name begins with `prefix`. Removes those that killed processes have
/// left.
pub(crate) fn directory(prefix: &str) -> io::Result<Directory> {
    for path in entries(&std::env::temp_dir(), prefix) {
        if is_ours(&path, fs::Metadata::is_dir) && nobody_holds(&path) {
            let _ = fs::remove_dir_all(&path);
        }
    }
    for _ in 0..TRIES {
        let directory = Builder::new().prefix(prefix).tempdir()?;
        let open = File::open(directory.path())?;
        open.lock()?;
        if is_still(&open, directory.path()) {
            return Ok(Directory { directory, _open: open });
        }
    }
    Err(io::Error::other("somebody removes every temporary directory"))
}

fn entries(directory: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let named = entries.filter_map(Result::ok).filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    named.map(|entry| entry.path()).collect()
}

/// Is it of this user, and of the kind that is made here? Others can make names in some places, too; what is theirs is neither
/// followed nor touched.
fn is_ours(path: &Path, is_kind: impl Fn(&fs::Metadata) -> bool) -> bool {
    let user = rustix::process::geteuid().as_raw();
    fs::symlink_metadata(path).is_ok_and(|found| is_kind(&found) && found.uid() == user)
}

fn nobody_holds(path: &Path) -> bool {
    File::open(path).is_ok_and(|left| left.try_lock().is_ok())
}

/// Is what is open still what is there under this name?
fn is_still(open: &File, path: &Path) -> bool {
    let (Ok(open), Ok(there)) = (open.metadata(), fs::symlink_metadata(path)) else { return false };
    (open.dev(), open.ino()) == (there.dev(), there.ino())
}
