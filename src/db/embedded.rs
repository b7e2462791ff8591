//! What the connections to the embedded database have in common: the file they are to be on, and whose turn it is to write.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, retry_on_intr};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// The database file as it was when it was opened. A file that is put in its place later is another database, and one
/// that was removed is nobody's: what was written to it would be gone with the process.
#[derive(Debug)]
pub struct Embedded {
    path: PathBuf,
    /// Device and inode. The inode is not given to another file as long as a connection is open.
    id: (u64, u64),
    missing: AtomicBool,
    /// What the first of each process stand in line for.
    turns: PathBuf,
    writer: Arc<Mutex<()>>,
}

impl Embedded {
    /// The file at `path`, which connections have been opened on.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let id = id_of(&path)?;
        let mut turns = path.clone().into_os_string();
        turns.push("-turn");
        Ok(Self { path, id, missing: AtomicBool::new(false), turns: turns.into(), writer: Arc::default() })
    }

    /// An error if the file at the path is not the one that was opened. Said once in the log, and once when it is back.
    pub(super) fn check(&self) -> sqlx::Result<()> {
        let found = id_of(&self.path);
        let is_there = found.as_ref().is_ok_and(|id| *id == self.id);
        if self.missing.load(Ordering::Relaxed) == is_there
            && self.missing.swap(!is_there, Ordering::Relaxed) == is_there
        {
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

    /// Waits for the turn to write. `SQLite` lets one write at a time, and has those who wait try again every tenth of a
    /// second, where others are quicker; here all of a process stand in line, and the first of each process do.
    pub(super) async fn turn(&self) -> io::Result<Turn> {
        let line = self.writer.clone().lock_owned().await;
        let file = OpenOptions::new().append(true).create(true).open(&self.turns)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Turn { _file: file, _line: line }),
            Err(Errno::WOULDBLOCK) => {}
            Err(error) => return Err(error.into()),
        }
        // Whoever gives up waiting leaves a thread behind that waits, and the line with it: there is never more than one.
        let waiting = tokio::task::spawn_blocking(move || {
            retry_on_intr(|| flock(&file, FlockOperation::LockExclusive))?;
            Ok(Turn { _file: file, _line: line })
        });
        waiting.await.map_err(io::Error::other)?
    }

    /// So that nothing but the database is left. Whoever still stands in line by the removed file writes out of turn once,
    /// which costs them a wait and nothing else.
    pub(super) fn clear_away(&self) {
        let _ = fs::remove_file(&self.turns);
    }
}

/// The turn to write, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    /// Locked against other processes, until it is closed. It is empty, and nobody misses it: `SQLite`'s own files cannot
    /// stand for it, since closing one gives up whatever locks the process has on it.
    _file: File,
    /// Locked within this process.
    _line: OwnedMutexGuard<()>,
}

fn id_of(path: &Path) -> io::Result<(u64, u64)> {
    let file = fs::metadata(path)?;
    Ok((file.dev(), file.ino()))
}
