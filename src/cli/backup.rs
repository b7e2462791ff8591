//! `latchkey backup` and `latchkey restore`.

use std::path::PathBuf;

use crate::backup;
use crate::config::{Settings, StartError};

#[derive(Debug, clap::Args)]
pub(super) struct Backup {
    /// The file to write; it must not exist
    file: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct Restore {
    /// What `latchkey backup` wrote
    file: PathBuf,
}

pub(super) async fn backup(asked: &Backup, settings: &Settings) -> Result<(), StartError> {
    backup::backup(settings, &asked.file).await?;
    println!("{}", asked.file.display());
    eprintln!("The master key is not in it, and it cannot be read without: save that as well, in another place.");
    Ok(())
}

pub(super) async fn restore(asked: &Restore, settings: &Settings) -> Result<(), StartError> {
    let database = backup::restore(settings, &asked.file).await?;
    println!("{}", database.display());
    eprintln!("Keys that were disabled or deleted since the backup was made are as they were then: look through them.");
    Ok(())
}
