//! The `latchkey` program: parses, starts logging, hands over.

use std::process::ExitCode;

use clap::Parser;
use latchkey::cli::{self, Cli};

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli::run(cli)
}
