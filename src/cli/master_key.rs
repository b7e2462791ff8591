//! `latchkey master-key …`

use clap::Subcommand;

use super::output;
use crate::app::App;
use crate::config::{MasterKeyFile, Settings};
use crate::operate::master_key;
use crate::start_error::StartError;
use crate::types::clock::Clock;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a new master key, and reseal every secret under it, while the server runs
    ///
    /// Adds a new version to the master key file, reseals everything under it, and removes the old version from the
    /// file. Servers need not be stopped: they read the file again. If the command is interrupted, run it again, and it
    /// continues.
    ///
    /// If the key comes from LATCHKEY_MASTER_KEY or a systemd credential, add a version by hand, restart every server,
    /// and then run this command, which does the rest. Do the same if servers on several machines have copies of the
    /// file.
    ///
    ///   latchkey master-key rotate
    #[command(verbatim_doc_comment)]
    Rotate {
        /// Keep the old version in the file, to read older backups with
        #[arg(long)]
        keep_old: bool,
    },
}

pub(super) async fn run(command: Command, settings: Settings) -> Result<(), StartError> {
    let Command::Rotate { keep_old } = command;
    let file = settings.master_key_to_change()?;
    let app = App::open(settings, Clock::system()).await?;
    let done = rotate(&app, file.as_ref(), keep_old).await;
    app.close().await;
    done
}

/// `file` is the master key file, or, if the key cannot be written, the name of its source.
async fn rotate(app: &App, file: Result<&MasterKeyFile, &String>, keep_old: bool) -> Result<(), StartError> {
    let version = match (master_key::unfinished(app).await?, file) {
        (Some(version), _) => {
            output::remark(format_args!(
                "older versions are still in use: resealing everything under version {version}"
            ));
            version
        }
        (None, Ok(file)) => begin(app, file).await?,
        (None, Err(place)) => {
            let next = master_key::newest(app).await? + 1;
            return Err(StartError::Setting(format!(
                "the master key comes from {place}, which this command cannot write: add a line for version {next} to \
                 it, restart every server, and run this again"
            )));
        }
    };
    let resealed = master_key::reseal(app, version).await?;
    // Print everything at the end: a reader that has gone away is no reason to stop halfway.
    let mut said = format!("{} secrets were resealed under version {version}\n", resealed.values);
    if resealed.unreadable > 0 {
        output::write(said.as_bytes())?;
        return Err(StartError::Setting(format!(
            "{} secrets do not open and were left as they are, as were the older versions of the master key; see the log",
            resealed.unreadable
        )));
    }
    if keep_old {
        said += "the older versions were kept in the master key\n";
    } else {
        said += &finish(app, file, version).await?;
    }
    output::write(said.as_bytes())
}

async fn begin(app: &App, file: &MasterKeyFile) -> Result<i64, StartError> {
    let version = master_key::newest(app).await? + 1;
    file.add(version)?;
    if master_key::begin(app, version).await? {
        output::remark(format_args!(
            "{} has a new version {version}: back it up like the first",
            file.path().display()
        ));
        return Ok(version);
    }
    // The key that was just added under this number is not in use.
    file.take_out(|other| other == version)?;
    Err(StartError::Setting(format!("another process has just created version {version} in another file")))
}

async fn finish(app: &App, file: Result<&MasterKeyFile, &String>, version: i64) -> Result<String, StartError> {
    if !master_key::retire_older(app, version).await? {
        return Err(StartError::Setting("something is still sealed under an older version; run this again".to_owned()));
    }
    let place = match file {
        Ok(file) => file.path().display().to_string(),
        Err(place) => place.clone(),
    };
    let done = if file.is_ok_and(|file| file.take_out(|older| older < version).is_ok()) {
        format!("older versions were removed from {place}")
    } else {
        format!("nothing is sealed under older versions any more: remove them from {place}")
    };
    output::remark(
        "a server that has a copy of the key, as a credential or variable, must be restarted if it has not been yet",
    );
    Ok(format!("{done}\nexisting backups still need them: keep the saved copies for as long as those backups\n"))
}
