//! What the connections to the embedded database have in common: the file they are to be on, and whose turn it is to write.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Mutex, OwnedMutexGuard};

/// The database file as it was when it was opened. A file that is put in its place later is another database, and one
/// that was removed is nobody's: what was written to it would be gone with the process.
#[derive(Debug)]
pub struct Embedded {
    path: PathBuf,
    /// Device and inode. The inode is not given to another file as long as a connection is open.
    id: (u64, u64),
    missing: AtomicBool,
    writer: Arc<Mutex<()>>,
}

impl Embedded {
    /// The file at `path`, which connections have been opened on.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let id = id_of(&path)?;
        Ok(Self { path, id, missing: AtomicBool::new(false), writer: Arc::default() })
    }

    /// An error if the file at the path is not the one that was opened. Said once in the log, and once when it is back.
    pub(super) fn check(&self) -> sqlx::Result<()> {
        let found = id_of(&self.path);
        let is_there = found.as_ref().is_ok_and(|id| *id == self.id);
        if self.missing.load(Ordering::Relaxed) == is_there && self.missing.swap(!is_there, Ordering::Relaxed) == is_there {
            let path = self.path.display();
            if is_there {
                tracing::warn!(%path, "the database file is back at its place");
            } else {
                tracing::error!(
                    %path,
                    "ALARM: the database file was removed or replaced; nothing is answered until it is put back, or the \
                     server is restarted on the one that is there"
                );
            }
        }
        if is_there { Ok(()) } else { Err(sqlx::Error::Io(io::Error::from(io::ErrorKind::NotFound))) }
    }

    /// Waits for this process's turn to write. `SQLite` lets one write at a time and has those who wait try again and again;
    /// here they stand in line.
    pub(super) async fn turn(&self) -> OwnedMutexGuard<()> {
        self.writer.clone().lock_owned().await
    }
}

fn id_of(path: &Path) -> io::Result<(u64, u64)> {
    let file = fs::metadata(path)?;
    Ok((file.dev(), file.ino()))
}
