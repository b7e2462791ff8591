//! `latchkey audit …`

use clap::Subcommand;
use serde_json::json;

use crate::audit::Verdict;
use crate::config::{Settings, StartError};
use crate::state;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check the whole chain; name the first record that is not as it was written
    ///
    /// Changes nothing, not even an older schema. Note what it prints in a place that whoever runs the server cannot
    /// change, and give it next time: it shows that nothing was cut off since. Exit status 3 if the chain is broken.
    ///
    ///   latchkey audit verify --noted 5:1f3c…
    #[command(verbatim_doc_comment)]
    Verify {
        /// What an earlier check printed, as NUMBER:HEAD: shows a chain that has been cut back since
        #[arg(long, value_name = "NUMBER:HEAD", value_parser = noted)]
        noted: Option<Noted>,
        /// Print `{"intact","records","note"}`, or `{"intact","broken_at","how"}`
        #[arg(long)]
        json: bool,
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
    let Command::Verify { noted, json } = command;
    // Looking at it must not change it.
    let (database, audit) = state::open_audit(&settings).await?;
    let verdict = audit.verify(&database, noted.as_ref().map(|noted| (noted.number, noted.head.as_str()))).await;
    database.close().await;
    match verdict? {
        Verdict::Intact { records, head } if json => {
            println!("{}", json!({ "intact": true, "records": records, "note": format!("{records}:{head}") }));
        }
        Verdict::Intact { records, head } => println!("{records} records, intact; note {records}:{head}"),
        Verdict::Broken { number, how } => {
            if json {
                println!("{}", json!({ "intact": false, "broken_at": number, "how": how }));
            }
            return Err(StartError::AuditBroken { number, how });
        }
    }
    Ok(())
}
