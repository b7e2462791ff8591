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
    /// The backup to restore
    file: PathBuf,
    /// Accept a damaged backup if a server can run with it; report the damage
    #[arg(long)]
    accept_damage: bool,
}

pub(super) async fn backup(asked: &Backup, settings: &Settings) -> Result<(), StartError> {
    backup::backup(settings, &asked.file).await?;
    output::line(asked.file.display())?;
    output::remark("The master key is not in it, and is needed to read it: save the key as well, in another place.");
    Ok(())
}

pub(super) async fn restore(asked: &Restore, settings: &Settings) -> Result<(), StartError> {
    let restored = backup::restore(settings, &asked.file, asked.accept_damage).await?;
    for damage in &restored.accepted {
        output::remark(format_args!("DAMAGE ACCEPTED: {damage}"));
    }
    if !restored.had_checksum {
        output::remark("It has no checksum: data that is neither sealed nor in the audit log may have been altered.");
    }
    output::remark(
        "Keys that were disabled or deleted after the backup was made are in their earlier state again: review them.",
    );
    output::line(restored.database.display())
}
