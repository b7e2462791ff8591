//! `latchkey audit …`

use clap::Subcommand;

use crate::audit::Verdict;
use crate::clock::Clock;
use crate::config::{Settings, StartError};
use crate::state::App;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check the whole chain; name the first record that is not as it was written
    Verify,
}

pub(super) async fn run(command: Command, settings: Settings) -> Result<(), StartError> {
    let Command::Verify = command;
    let app = App::open(settings, Clock::system()).await?;
    let verdict = app.audit.verify(&app.db).await;
    app.db.close().await;
    match verdict? {
        Verdict::Intact { records, head } => {
            println!("{records} records, intact; head {head}");
            Ok(())
        }
        Verdict::Broken { number, how } => {
            Err(StartError::Setting(format!("the audit chain is broken at record {number}: {how}")))
        }
    }
}
