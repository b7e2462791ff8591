//! The state that connections to the embedded database share: the identity of its file, and the queue of writers.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, retry_on_intr};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// The database file, as it was when it was opened. A file that later takes its place is another database. A file that
/// was removed must not be used either: whatever is written to it is lost when the process ends.
#[derive(Debug)]
pub struct Embedded {
    path: PathBuf,
    /// Device and inode. The inode is not given to another file as long as a connection is open.
    id: (u64, u64),
    missing: AtomicBool,
    /// The lock file that the first writer of each process waits for.
    turns: PathBuf,
    writer: Arc<Mutex<()>>,
}

impl Embedded {
    /// Takes the identity of the file at `path`, on which connections have been opened.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let id = id_of(&path)?;
        let mut turns = path.clone().into_os_string();
        turns.push("-turn");
        Ok(Self { path, id, missing: AtomicBool::new(false), turns: turns.into(), writer: Arc::default() })
    }

    /// Fails if the file at the path is not the one that was opened. Logs this once, and once when the file is back.
    pub(super) fn check(&self) -> sqlx::Result<()> {
        let found = id_of(&self.path);
        let is_there = found.as_ref().is_ok_and(|id| *id == self.id);
        if self.missing.load(Ordering::Relaxed) == is_there
            && self.missing.swap(!is_there, Ordering::Relaxed) == is_there
        {
            let path = self.path.display();
            if is_there {
                tracing::warn!(%path, "the database file is back in its place");
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

    /// Waits for the turn to write. SQLite allows one write at a time, and makes the others try again every tenth of a
    /// second, in which time newcomers may overtake them. Here, all writers of a process queue, and so do the first
    /// writers of all processes.
    pub(super) async fn turn(&self) -> io::Result<Turn> {
        let line = self.writer.clone().lock_owned().await;
        let file = OpenOptions::new().append(true).create(true).open(&self.turns)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Turn { _file: file, _line: line }),
            Err(Errno::WOULDBLOCK) => {}
            Err(error) => return Err(error.into()),
        }
        // A caller that gives up leaves a waiting thread behind, and the queue with it, so there is never more than
        // one.
        let waiting = tokio::task::spawn_blocking(move || {
            retry_on_intr(|| flock(&file, FlockOperation::LockExclusive))?;
            Ok(Turn { _file: file, _line: line })
        });
        waiting.await.map_err(io::Error::other)?
    }

    /// Removes the lock file, so that nothing but the database is left. A process that still waits for the removed file
    /// writes out of turn once, which only costs it a wait.
    pub(super) fn clear_away(&self) {
        let _ = fs::remove_file(&self.turns);
    }
}

/// The turn to write, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    /// The lock file, which is locked against other processes until it is closed. SQLite's own files cannot take its
    /// part, because closing one releases all locks that the process has on it.
    _file: File,
    /// The lock within this process.
    _line: OwnedMutexGuard<()>,
}

fn id_of(path: &Path) -> io::Result<(u64, u64)> {
    let file = fs::metadata(path)?;
    Ok((file.dev(), file.ino()))
}
