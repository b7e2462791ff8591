//! `latchkey backup` and `latchkey restore`.

use std::path::PathBuf;

use super::output;
use crate::config::Settings;
use crate::operate::backup;
use crate::start_error::StartError;

#[derive(Debug, clap::Args)]
pub(super) struct Backup {
    /// The file to write; it must not exist
    file: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct Restore {
    /// What `latchkey backup` wrote
    file: PathBuf,
    /// Take a damaged one, if the server can work with it; says what does not hold
    #[arg(long)]
    accept_damage: bool,
}

pub(super) async fn backup(asked: &Backup, settings: &Settings) -> Result<(), StartError> {
    backup::backup(settings, &asked.file).await?;
    output::line(asked.file.display())?;
    output::remark("The master key is not in it, and it cannot be read without: save that as well, in another place.");
    Ok(())
}

pub(super) async fn restore(asked: &Restore, settings: &Settings) -> Result<(), StartError> {
    let restored = backup::restore(settings, &asked.file, asked.accept_damage).await?;
    for damage in &restored.accepted {
        output::remark(format_args!("ACCEPTED, AND NOT AS IT WAS WRITTEN: {damage}"));
    }
    if !restored.had_checksum {
        output::remark("It has no checksum: what is neither sealed nor recorded may be other than it was.");
    }
    output::remark(
        "Keys that were disabled or deleted since the backup was made are as they were then: look through them.",
    );
    output::line(restored.database.display())
}
