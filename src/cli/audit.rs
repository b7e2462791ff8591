//! `latchkey audit …`

use clap::Subcommand;

use crate::audit::Verdict;
use crate::clock::Clock;
use crate::config::{Settings, StartError};
use crate::state::App;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check the whole chain; name the first record that is not as it was written
    Verify {
        /// What an earlier check printed, as NUMBER:HEAD: shows a chain that has been cut back since
        #[arg(long, value_name = "NUMBER:HEAD", value_parser = noted)]
        noted: Option<Noted>,
    },
}

/// An earlier end of the chain.
#[derive(Clone, Debug)]
pub(super) struct Noted {
    number: i64,
    head: String,
}

fn noted(text: &str) -> Result<Noted, String> {
    let parsed = text.split_once(':').and_then(|(number, head)| Some((number.parse().ok()?, head.to_owned())));
    let (number, head) = parsed.ok_or("expected NUMBER:HEAD as an earlier check printed it")?;
    Ok(Noted { number, head })
}

pub(super) async fn run(command: Command, settings: Settings) -> Result<(), StartError> {
    let Command::Verify { noted } = command;
    let app = App::open(settings, Clock::system()).await?;
    let verdict = app.audit.verify(&app.db, noted.as_ref().map(|noted| (noted.number, noted.head.as_str()))).await;
    app.db.close().await;
    match verdict? {
        Verdict::Intact { records, head } => {
            println!("{records} records, intact; note {records}:{head}");
            Ok(())
        }
        Verdict::Broken { number, how } => {
            Err(StartError::Setting(format!("the audit chain is broken at record {number}: {how}")))
        }
    }
}
