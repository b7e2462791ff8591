//! The output of commands. No command uses `println!`, which panics if it cannot write. If a command cannot write its
//! result, that is an error; a remark that cannot be written is lost.

use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::AsFd as _;

use crate::start_error::StartError;

/// Writes a line of the command's result to stdout.
pub(super) fn line(text: impl std::fmt::Display) -> Result<(), StartError> {
    write(format!("{text}\n").as_bytes())
}

/// Writes a command's result to stdout. Once this returns, the result has been written. Something that is shown only
/// once must not be committed before that.
pub(super) fn write(bytes: &[u8]) -> Result<(), StartError> {
    // Do not use `io::stdout()`, which buffers an incomplete line and ignores a stdout that is closed.
    let written = io::stdout().as_fd().try_clone_to_owned().map(File::from).and_then(|mut out| out.write_all(bytes));
    written.map_err(|cause| match cause.kind() {
        ErrorKind::BrokenPipe => StartError::ReaderGone,
        _ => StartError::Io { what: "cannot write to standard output", cause },
    })
}

/// Writes a remark to stderr. If that fails, nothing else changes.
pub(super) fn remark(text: impl std::fmt::Display) {
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}
