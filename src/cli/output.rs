//! What commands print. No command uses `println!`, which panics where nothing can be written: what was asked for is an
//! error then, and a remark is lost.

use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::AsFd as _;

use crate::start_error::StartError;

/// Writes a line on stdout.
pub(super) fn line(text: impl std::fmt::Display) -> Result<(), StartError> {
    write(format!("{text}\n").as_bytes())
}

/// Writes to stdout what a command was asked for. When this returns, it is written: whoever makes something that is shown
/// only once, makes it last after that.
pub(super) fn write(bytes: &[u8]) -> Result<(), StartError> {
    // Not by way of `io::stdout()`, which keeps what has no line end yet and takes a stdout that is no such for one.
    let written = io::stdout().as_fd().try_clone_to_owned().map(File::from).and_then(|mut out| out.write_all(bytes));
    written.map_err(|cause| match cause.kind() {
        ErrorKind::BrokenPipe => StartError::ReaderGone,
        _ => StartError::Io { what: "cannot write to standard output", cause },
    })
}

/// Says something on stderr. That nobody hears it changes nothing.
pub(super) fn remark(text: impl std::fmt::Display) {
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}
