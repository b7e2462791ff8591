//! Temporary files and directories. A process that is killed leaves its own behind, and the next process that creates
//! some in the same place removes them. They are recognised by their names. One is abandoned if nobody holds its lock,
//! because a lock ends with the process that holds it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile, TempDir};

const PREFIX: &str = ".latchkey-";
const SUFFIX: &str = ".tmp";

/// The suffixes of the files that SQLite keeps beside a database.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The number of attempts. Before a new file is locked, another process may take it for an abandoned one and remove it,
/// but not this often.
const TRIES: usize = 100;

/// Creates an empty file in `directory`, accessible only to its owner. It is removed when dropped, unless it is
/// persisted under a name.
pub(crate) fn file_in(directory: &Path) -> io::Result<NamedTempFile> {
    remove_left_files(directory);
    for _ in 0..TRIES {
        let file = Builder::new().prefix(PREFIX).suffix(SUFFIX).tempfile_in(directory)?;
        file.as_file().lock()?;
        if is_still(file.as_file(), file.path()) {
            return Ok(file);
        }
    }
    Err(io::Error::other("another process keeps removing the temporary file"))
}

/// Removes the files that killed processes have left in `directory`. Ignores those that cannot be removed.
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

/// A directory inside the system's directory for temporary files. It is removed when dropped.
#[derive(Debug)]
pub(crate) struct Directory {
    directory: TempDir,
    /// Holds the lock.
    _open: File,
}

impl Directory {
    /// The path of the directory.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Removes the directory. Unlike dropping it, this reports an error.
    pub(crate) fn close(self) -> io::Result<()> {
        self.directory.close()
    }
}

/// Creates an empty directory, accessible only to its owner, whose name begins with `prefix`. First removes those that
/// killed processes have left behind.
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
    Err(io::Error::other("another process keeps removing the temporary directory"))
}

fn entries(directory: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let named = entries.filter_map(Result::ok).filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    named.map(|entry| entry.path()).collect()
}

/// Returns `true` if the entry belongs to this user and is of the kind that is created here. Other users may be able to
/// create entries in the same place; those are neither followed nor touched.
fn is_ours(path: &Path, is_kind: impl Fn(&fs::Metadata) -> bool) -> bool {
    let user = rustix::process::geteuid().as_raw();
    fs::symlink_metadata(path).is_ok_and(|found| is_kind(&found) && found.uid() == user)
}

fn nobody_holds(path: &Path) -> bool {
    File::open(path).is_ok_and(|left| left.try_lock().is_ok())
}

/// Returns `true` if `path` still refers to the open file.
fn is_still(open: &File, path: &Path) -> bool {
    let (Ok(open), Ok(there)) = (open.metadata(), fs::symlink_metadata(path)) else { return false };
    (open.dev(), open.ino()) == (there.dev(), there.ino())
}
