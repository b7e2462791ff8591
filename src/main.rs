//! The `latchkey` program: parses, starts logging, hands over.

use std::process::ExitCode;

use clap::Parser;
use latchkey::cli::{self, Cli};

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Whatever file is made is for its owner only.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    cli::run(cli)
}
