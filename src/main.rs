//! The `latchkey` program: parses, starts logging, hands over.

use std::process::ExitCode;

use latchkey::cli;

fn main() -> ExitCode {
    let cli = match cli::parse() {
        Ok(cli) => cli,
        Err(status) => return status,
    };
    // Whatever file is made is for its owner only.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    cli::run(cli)
}
