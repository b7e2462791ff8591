//! The command line, with one file for each group of commands.
//!
//! Errors are one line on stderr, with exit status 1, or 2 for a usage error and 3 for a broken audit chain. If the
//! reader of the output has gone away, nothing is printed, and the exit status is 141, as if SIGPIPE had ended the
//! command.

#![expect(rustdoc::bare_urls, reason = "the examples are shown verbatim by --help")]
#![expect(clippy::doc_markdown, reason = "these comments are the text that `--help` prints on a terminal")]

mod account;
mod audit;
mod backup;
mod demo;
mod healthcheck;
mod help;
mod key;
mod master_key;
mod nodes;
mod output;
mod serve;
mod sign;

use std::process::ExitCode;

use clap::{FromArgMatches as _, Parser, Subcommand};

use crate::app::App;
use crate::config::{self, GivenSettings, Settings};
use crate::start_error::StartError;
use crate::telemetry::{self, LogFormat};
use crate::types::clock::Clock;

/// A self-hosted console for API key pairs, and the server that checks the requests signed with them.
///
/// Without a command, it runs the server: the console on 127.0.0.1:8080 and the signed API on 127.0.0.1:8081, with an
/// embedded database in ./data that is created on the first start.
#[derive(Debug, Parser)]
#[command(version, about, long_about)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    settings: GivenSettings,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server (the default)
    ///
    /// Prints the addresses it listens on and, as long as there is no account, the link to create the first one. Stops
    /// on SIGTERM or Ctrl-C, after it has finished the requests in flight.
    ///
    ///   latchkey serve --data-dir /var/lib/latchkey --public-url https://keys.example --trusted-proxy 127.0.0.1
    #[command(verbatim_doc_comment)]
    Serve,
    /// Try the whole product without a phone: a temporary account on loopback that leaves nothing behind
    ///
    /// Prints name, password and the current code, and deletes everything on Ctrl-C.
    ///
    ///   latchkey demo --console 127.0.0.1:9090
    #[command(verbatim_doc_comment)]
    Demo,
    /// Create, list and recover root accounts
    #[command(subcommand)]
    Account(account::Command),
    /// List, disable and enable keys without the console
    #[command(subcommand)]
    Key(key::Command),
    /// List the servers that check requests by leases
    ///
    /// Only PostgreSQL has leases, see --lease. A server that was killed is listed until the next change to a key.
    ///
    ///   latchkey nodes --json | jq -r '.[].name'
    #[command(verbatim_doc_comment)]
    Nodes(nodes::Nodes),
    /// Verify or print the audit log
    #[command(subcommand)]
    Audit(audit::Command),
    /// Write a consistent copy of the embedded database while the server runs
    ///
    /// Only its owner can read the copy, and no file is overwritten. The copy does not contain the master key. For
    /// PostgreSQL, use pg_dump.
    ///
    ///   latchkey backup /backups/latchkey-2026-11-24.db
    #[command(verbatim_doc_comment)]
    Backup(backup::Backup),
    /// Restore a backup where there is no database yet
    ///
    /// Checks the backup first: it must be an intact database of Latchkey, sealed under the given master key; every
    /// secret must open, and the audit log must be unaltered. An existing database is never overwritten. Stop every
    /// server before, and start them afterwards. For PostgreSQL, use pg_restore.
    ///
    ///   latchkey restore /backups/latchkey-2026-11-24.db
    #[command(verbatim_doc_comment)]
    Restore(backup::Restore),
    /// Change the master key that secrets are sealed under
    #[command(subcommand)]
    MasterKey(master_key::Command),
    /// Migrate the database schema without serving
    ///
    /// Every start of the server does the same. A migration cannot be undone: make a backup first.
    ///
    ///   latchkey migrate
    #[command(verbatim_doc_comment)]
    Migrate,
    /// Print a signed curl command, with the key in `TENCENTCLOUD_SECRET_ID` and `TENCENTCLOUD_SECRET_KEY`
    ///
    /// The output does not contain the SecretKey. The signature is valid for five minutes.
    ///
    ///   latchkey sign --url https://api.keys.example/ | sh
    #[command(verbatim_doc_comment)]
    Sign(Box<sign::Sign>),
    /// Check that every configured listener responds; exit status 0 if all do
    ///
    /// For the health check of a container, which has no curl. Use the same settings as the server.
    ///
    ///   latchkey healthcheck --console 127.0.0.1:8080 --api 127.0.0.1:8081
    #[command(verbatim_doc_comment)]
    Healthcheck,
    /// Print a script that completes commands and settings in a shell
    ///
    ///   latchkey completions bash > /usr/share/bash-completion/completions/latchkey
    ///   latchkey completions zsh > /usr/local/share/zsh/site-functions/_latchkey
    ///   latchkey completions fish > ~/.config/fish/completions/latchkey.fish
    #[command(verbatim_doc_comment)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// Returns `true` if the command may create a database. Where one should exist, a new, empty one would only hide
    /// the mistake.
    fn may_make_database(&self) -> bool {
        match self {
            Self::Account(command) => command.may_make_database(),
            Self::Key(_) | Self::Nodes(_) | Self::MasterKey(_) | Self::Audit(_) | Self::Backup(_) => false,
            Self::Serve
            | Self::Demo
            | Self::Restore(_)
            | Self::Migrate
            | Self::Sign(_)
            | Self::Healthcheck
            | Self::Completions { .. } => true,
        }
    }
}

/// The exit status for a command line that was not understood.
const USAGE: u8 = 2;

/// The exit status of `audit verify` for an altered chain.
const BROKEN: u8 = 3;

/// The exit status of a command whose output nobody reads any more, as shells report SIGPIPE.
const READER_GONE: u8 = 128 + 13;

/// Parses the command line. If it asks for help, or is not understood, prints that and returns the exit status.
pub fn parse() -> Result<Cli, ExitCode> {
    let parsed = help::command().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    parsed.map_err(|error| {
        if error.use_stderr() {
            let _ = error.print();
            return ExitCode::from(USAGE);
        }
        end(help::print(&error), |line| output::remark(line))
    })
}

/// Runs the command and returns its exit status.
pub fn run(cli: Cli) -> ExitCode {
    let Cli { command, settings: given } = cli;
    let command = command.unwrap_or(Command::Serve);
    if let Command::Completions { shell } = command {
        return end(help::completions(shell), |line| output::remark(line));
    }
    let settings = Settings::resolve(given);
    let logs = if matches!(command, Command::Serve) { None } else { Some("warn,sqlx=error") };
    let format = settings.as_ref().map_or(LogFormat::Auto, |settings| settings.log_format);
    let log = telemetry::start(config::log_filter().as_deref().or(logs), format);
    let ended = settings.and_then(|settings| {
        // A command does one thing after the other. On a busy machine, every hand-over to another thread takes longer
        // than the work itself.
        let mut runtime = match command {
            Command::Serve | Command::Demo => tokio::runtime::Builder::new_multi_thread(),
            _ => tokio::runtime::Builder::new_current_thread(),
        };
        let runtime = runtime.enable_all().build();
        let runtime = runtime.map_err(|cause| StartError::Io { what: "cannot start", cause })?;
        runtime.block_on(dispatch(command, settings))
    });
    end(ended, |line| log.finish(line))
}

/// Reports the error, if there is one.
fn end(ended: Result<(), StartError>, say: impl FnOnce(&str)) -> ExitCode {
    let Err(error) = ended else { return ExitCode::SUCCESS };
    if matches!(error, StartError::ReaderGone) {
        return ExitCode::from(READER_GONE);
    }
    say(&format!("latchkey: {}", one_line(&error.to_string())));
    match error {
        StartError::AuditBroken { .. } => ExitCode::from(BROKEN),
        _ => ExitCode::FAILURE,
    }
}

async fn dispatch(command: Command, settings: Settings) -> Result<(), StartError> {
    match command {
        Command::Serve => return serve::serve(settings).await,
        Command::Demo => return demo::demo(settings).await,
        _ => {}
    }
    let settings = settings.for_command();
    if !command.may_make_database() {
        settings.need_database()?;
    }
    match command {
        Command::Account(command) => account::run(command, settings).await,
        Command::Key(command) => key::run(command, settings).await,
        Command::Nodes(asked) => nodes::run(&asked, settings).await,
        Command::Audit(command) => audit::run(command, settings).await,
        Command::Backup(asked) => backup::backup(&asked, &settings).await,
        Command::Restore(asked) => backup::restore(&asked, &settings).await,
        Command::MasterKey(command) => master_key::run(command, settings).await,
        Command::Migrate => migrate(settings).await,
        Command::Sign(asked) => sign::sign(&asked),
        Command::Healthcheck => healthcheck::healthcheck(&settings).await,
        Command::Serve | Command::Demo | Command::Completions { .. } => Ok(()),
    }
}

async fn migrate(settings: Settings) -> Result<(), StartError> {
    App::open(settings, Clock::system()).await?.db.close().await;
    output::line("the database is up to date")
}

/// Joins a message into one line, because the messages of libraries may span several.
fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
