//! The `latchkey` program: parses the command line and runs the command.

use std::process::ExitCode;

use latchkey::cli;

fn main() -> ExitCode {
    let cli = match cli::parse() {
        Ok(cli) => cli,
        Err(status) => return status,
    };
    // Only the owner can access the files that this process creates.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    cli::run(cli)
}
