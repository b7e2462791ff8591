//! `latchkey key …`: managing keys without the console.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Subcommand;
use serde_json::json;

use super::output;
use crate::account::owner::Owner;
use crate::account::verification::Verified;
use crate::app::App;
use crate::check::registry::Pending;
use crate::config::Settings;
use crate::keys::lifecycle::{self, KeyOfAccount};
use crate::operate::accounts;
use crate::start_error::StartError;
use crate::types::clock::{Clock, Timestamp};
use crate::types::error::Error;
use crate::types::id::SecretId;
use crate::types::key_state::KeyState;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the keys of all accounts, or of one
    ///
    /// Deleted keys are not listed, and no SecretKey is ever printed.
    ///
    ///   latchkey key list alice --json | jq -r '.[] | select(.state == "enabled") | .secret_id'
    #[command(verbatim_doc_comment)]
    List {
        /// List only the keys of this account
        account: Option<String>,
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Disable keys: every process refuses the next request signed with one
    ///
    /// This is the emergency stop. The server need not be restarted, and nobody has to sign in. A key that is already
    /// disabled is not an error. A key that does not exist is, but all others are disabled first.
    ///
    ///   latchkey key disable AKIDz8krbsJ5yKBZQpn74WFkmLPx3gnPhESA
    ///   latchkey key disable --all-of alice
    #[command(verbatim_doc_comment, arg_required_else_help = true)]
    Disable {
        /// The keys to disable
        #[arg(value_name = "SECRET_ID", required_unless_present = "all_of", conflicts_with = "all_of")]
        secret_ids: Vec<SecretId>,
        /// Disable all keys of this account
        #[arg(long, value_name = "ACCOUNT")]
        all_of: Option<String>,
    },
    /// Enable keys again
    ///
    ///   latchkey key enable AKIDz8krbsJ5yKBZQpn74WFkmLPx3gnPhESA
    #[command(verbatim_doc_comment, arg_required_else_help = true)]
    Enable {
        /// The keys to enable
        #[arg(value_name = "SECRET_ID", required = true)]
        secret_ids: Vec<SecretId>,
    },
}

/// The time for which a change may wait without a word.
const SILENT_FOR: Duration = Duration::from_millis(300);

pub(super) async fn run(command: Command, settings: Settings) -> Result<(), StartError> {
    let app = App::open(settings, Clock::system()).await?;
    let done = dispatch(command, &app).await;
    app.close().await;
    done
}

async fn dispatch(command: Command, app: &App) -> Result<(), StartError> {
    match command {
        Command::List { account, json } => list(app, account.as_deref(), json).await,
        Command::Disable { all_of: Some(account), .. } => disable_all(app, &account).await,
        Command::Disable { secret_ids, .. } => move_all(app, &secret_ids, KeyState::Disabled).await,
        Command::Enable { secret_ids } => move_all(app, &secret_ids, KeyState::Enabled).await,
    }
}

async fn disable_all(app: &App, account: &str) -> Result<(), StartError> {
    let account = accounts::find(app, account).await?;
    let owner = Owner::by_operator(account.uin);
    let disabled = told_of_waits(app, lifecycle::disable_all(app, &owner)).await?.keys;
    if disabled.is_empty() {
        return output::line("the account has no enabled key");
    }
    disabled.iter().try_for_each(|secret_id| output::line(format_args!("{secret_id} disabled")))
}

/// Changes the state of each key separately, so that one failure does not stop the others.
async fn move_all(app: &App, secret_ids: &[SecretId], to: KeyState) -> Result<(), StartError> {
    let (mut failed, mut said) = (0, Ok(()));
    for secret_id in secret_ids {
        let moved = match lifecycle::for_operator(app, secret_id).await {
            Ok(owner) => move_one(app, &owner, secret_id, to).await,
            Err(error) => Err(error),
        };
        match moved {
            Ok(done) => said = said.and(output::line(format_args!("{secret_id} {done}"))),
            Err(error) => {
                failed += 1;
                let why =
                    if matches!(error, Error::KeyNotFound) { "no such key".to_owned() } else { error.to_string() };
                output::remark(format_args!("{secret_id} is not {to}: {why}"));
            }
        }
    }
    if failed > 0 {
        return Err(StartError::Setting(format!("{failed} of {} keys could not be {to}", secret_ids.len())));
    }
    said
}

/// Returns the result in a few words. A key that is in that state already is a success.
async fn move_one(app: &App, owner: &Owner, secret_id: &SecretId, to: KeyState) -> Result<String, Error> {
    let done = match to {
        KeyState::Enabled => {
            let verified = Verified::by_operator(owner.uin());
            told_of_waits(app, lifecycle::enable_verified(app, &verified, secret_id)).await
        }
        KeyState::Disabled | KeyState::Deleted => told_of_waits(app, lifecycle::disable(app, owner, secret_id)).await,
    };
    match done {
        Ok(_) => Ok(to.to_string()),
        Err(Error::KeyAlready(state)) => Ok(format!("{state} already")),
        Err(error) => Err(error),
    }
}

/// Runs a change. If it has to wait for servers, says for how many, and how long at most.
async fn told_of_waits<T>(app: &App, change: impl Future<Output = T>) -> T {
    let mut change = Box::pin(change);
    loop {
        if let Ok(done) = tokio::time::timeout(SILENT_FOR, change.as_mut()).await {
            return done;
        }
        if let Some(Pending { behind, nodes, at_most }) = app.registry.acknowledgements().pending() {
            let seconds = at_most.as_secs() + 1;
            output::remark(if behind == 0 {
                format!(
                    "the database has been restarted; waiting for servers that it may have lost, at most {seconds} s"
                )
            } else {
                format!("waiting for {behind} of {nodes} servers, at most {seconds} s")
            });
            return change.await;
        }
    }
}

async fn list(app: &App, account: Option<&str>, as_json: bool) -> Result<(), StartError> {
    let uin = match account {
        Some(name) => Some(accounts::find(app, name).await?.uin),
        None => None,
    };
    let keys = lifecycle::of_all_accounts(app).await?;
    let keys: Vec<KeyOfAccount> = keys.into_iter().filter(|key| uin.is_none_or(|uin| uin == key.uin)).collect();
    if as_json {
        return output::line(json!(keys.iter().map(as_object).collect::<Vec<_>>()));
    }
    let mut table = format!("{:<36}  {:<8}  {:<20}  {:<20}  ACCOUNT\n", "SECRETID", "STATE", "CREATED", "LAST USED");
    for key in keys {
        let last = key.last_used_at.map_or_else(|| "never".to_owned(), Timestamp::rfc3339);
        let (id, state) = (key.secret_id.as_str(), key.state.to_string());
        let _ = writeln!(table, "{id:<36}  {state:<8}  {:<20}  {last:<20}  {}", key.created_at.rfc3339(), key.account);
    }
    output::write(table.as_bytes())
}

fn as_object(key: &KeyOfAccount) -> serde_json::Value {
    json!({
        "secret_id": key.secret_id,
        "account": key.account,
        "uin": key.uin.to_string(),
        "state": key.state,
        "remark": key.remark,
        "created": key.created_at.rfc3339(),
        "state_changed": key.state_changed_at.rfc3339(),
        "last_used": key.last_used_at.map(Timestamp::rfc3339),
    })
}
