//! `latchkey account …`

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Read as _};

use clap::Subcommand;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use zeroize::Zeroizing;

use super::output;
use crate::account::setup;
use crate::app::App;
use crate::config::Settings;
use crate::operate::accounts::{self, Uncommitted};
use crate::secret::token::Token;
use crate::start_error::StartError;
use crate::types::clock::{Clock, Timestamp};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a root account and print its one-time setup link
    ///
    /// Whoever opens the link within 24 hours chooses the password and adds an authenticator. The link is built from
    /// --public-url, so use the same settings as the server. With --password-stdin and --json there is no link: the
    /// account is complete, and the output is as secret as a password.
    ///
    ///   latchkey account create alice
    ///   latchkey account create alice --password-stdin --json < password-file
    #[command(verbatim_doc_comment)]
    Create {
        /// The name to sign in with
        name: String,
        /// Create a complete account, with the password read from standard input
        #[arg(long, requires = "json")]
        password_stdin: bool,
        /// Print `{"uin","app_id","totp_uri","recovery_codes"}`
        #[arg(long, requires = "password_stdin")]
        json: bool,
    },
    /// List all accounts
    ///
    ///   latchkey account list --json | jq -r '.[].name'
    #[command(verbatim_doc_comment)]
    List {
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Clear the failed attempts of an account, so that it can sign in at once
    ///
    /// This covers wrong passwords and wrong codes. An address with too many failed attempts still has to wait.
    ///
    ///   latchkey account unlock alice
    #[command(verbatim_doc_comment)]
    Unlock {
        /// The account
        name: String,
    },
    /// Remove the second factor of an account and print a link to enrol a new one with its password
    ///
    /// This also invalidates the account's recovery codes and ends its sessions. First make sure that the request comes
    /// from the owner: whoever has the link and knows the password can take over the account.
    ///
    ///   latchkey account reset-mfa alice
    #[command(verbatim_doc_comment)]
    ResetMfa {
        /// The account
        name: String,
    },
    /// Print a link to recover an account whose owner has lost the password or everything
    ///
    /// Whoever opens the link within 15 minutes chooses a new password and adds a new authenticator. This ends the
    /// account's sessions and invalidates its passkeys, recovery codes and known browsers; its keys do not change.
    /// Until the link is used, nothing changes. First make sure that the request comes from the owner: whoever has the
    /// link can take over the account. The next sign-in shows that the link was created.
    ///
    ///   latchkey account recover alice
    #[command(verbatim_doc_comment)]
    Recover {
        /// The account
        name: String,
    },
    /// End all sessions of an account
    ///
    /// Their next requests lead to the sign-in page. The account's keys are not affected; see `latchkey key disable`.
    ///
    ///   latchkey account end-sessions alice
    #[command(verbatim_doc_comment)]
    EndSessions {
        /// The account
        name: String,
    },
}

impl Command {
    /// The first account may be created before there is a database.
    pub(super) fn may_make_database(&self) -> bool {
        matches!(self, Self::Create { .. })
    }
}

pub(super) async fn run(command: Command, settings: Settings) -> Result<(), StartError> {
    let app = App::open(settings, Clock::system()).await?;
    let done = dispatch(command, &app).await;
    app.close().await;
    done
}

async fn dispatch(command: Command, app: &App) -> Result<(), StartError> {
    match command {
        Command::Create { name, password_stdin: true, .. } => create_complete(app, &name).await,
        Command::Create { name, .. } => show_link(app, accounts::begin_with_link(app, &name).await?).await,
        Command::List { json } => list(app, json).await,
        Command::Unlock { name } => {
            accounts::unlock(app, &name).await?;
            output::line("failed attempts cleared")
        }
        Command::ResetMfa { name } => show_link(app, accounts::begin_mfa_reset(app, &name).await?).await,
        Command::Recover { name } => show_link(app, accounts::begin_recovery(app, &name).await?).await,
        Command::EndSessions { name } => {
            let ended = accounts::end_sessions(app, &name).await?;
            output::line(format_args!("{ended} sessions ended"))
        }
    }
}

/// Prints a link before the change is committed, so that a link that could not be printed does not exist.
async fn show_link(app: &App, made: Uncommitted<Token>) -> Result<(), StartError> {
    let console = setup::console_for_links(app).await?;
    output::line(format_args!("setup {}", setup::link_address(&console, made.shown())))?;
    made.commit().await?;
    Ok(())
}

async fn create_complete(app: &App, name: &str) -> Result<(), StartError> {
    let made = accounts::begin_complete(app, name, password_from_stdin()?).await?;
    let account = made.shown();
    let codes: Vec<&str> = account.recovery_codes.iter().map(ExposeSecret::expose_secret).collect();
    let printed = json!({
        "uin": account.uin.to_string(),
        "app_id": account.app_id.to_string(),
        "totp_uri": account.seed.otpauth_url(name.trim()),
        "recovery_codes": codes,
    });
    // These are never shown again, so commit the account only after they have been written.
    output::line(printed)?;
    made.commit().await?;
    Ok(())
}

/// Reads all of standard input, without the trailing line break.
fn password_from_stdin() -> Result<SecretString, StartError> {
    let mut stdin = std::io::stdin();
    if stdin.is_terminal() {
        output::remark("Type the password, which will be visible, and end with Enter and Ctrl-D:");
    }
    let mut text = Zeroizing::new(String::new());
    stdin
        .read_to_string(&mut text)
        .map_err(|cause| StartError::Io { what: "cannot read the password from standard input", cause })?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned().into())
}

async fn list(app: &App, as_json: bool) -> Result<(), StartError> {
    let accounts = accounts::list(app).await?;
    if as_json {
        let rows: Vec<_> = accounts
            .iter()
            .map(|account| {
                json!({
                    "uin": account.uin.to_string(),
                    "app_id": account.app_id.to_string(),
                    "name": account.name,
                    "created": account.created_at.rfc3339(),
                    "complete": account.is_complete(),
                    "last_sign_in": account.last_sign_in_at.map(Timestamp::rfc3339),
                })
            })
            .collect();
        return output::line(json!(rows));
    }
    let mut table = format!("{:<12}  {:<10}  {:<20}  {:<20}  NAME\n", "UIN", "APPID", "CREATED", "LAST SIGN-IN");
    for account in accounts {
        let last = match account.last_sign_in_at {
            _ if account.password_hash.is_none() => "not set up".to_owned(),
            _ if !account.is_complete() => "second factor to be set up".to_owned(),
            Some(at) => at.rfc3339(),
            None => "never".to_owned(),
        };
        let _ = writeln!(
            table,
            "{:<12}  {:<10}  {:<20}  {:<20}  {}",
            account.uin,
            account.app_id,
            account.created_at.rfc3339(),
            last,
            account.name
        );
    }
    output::write(table.as_bytes())
}
