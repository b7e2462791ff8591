//! The command-line parser. Each command accepts all settings, but its help shows only the relevant ones.

use std::io::IsTerminal as _;

use clap::builder::Resettable;
use clap::{Arg, Command, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, output};
use crate::config;
use crate::start_error::StartError;

const EXIT_STATUS: &str = "\
Exit status:
  0  success
  1  refused or failed; one line on stderr gives the reason and what to do
  2  the command line was not understood
  3  `audit verify` found that the audit log has been altered
  141  the reader of the output has gone away, as after `| head`";

const OTHER_SETTINGS: &str = "Other settings, listed by `latchkey serve --help`, are accepted, too.";

/// The settings that a command's help shows. `None` means all.
fn shown(command: &str) -> Option<&'static [&'static str]> {
    match command {
        "serve" => None,
        "account" => Some(&["config", "data_dir", "database", "master_key_file", "public_url"]),
        "demo" => Some(&["console", "api"]),
        "healthcheck" => Some(&["config", "console", "api", "guard", "metrics", "tls_cert"]),
        "sign" | "completions" => Some(&[]),
        "backup" => Some(&["config", "data_dir", "database"]),
        _ => Some(&["config", "data_dir", "database", "master_key_file"]),
    }
}

/// The complete parser. An environment variable with an empty value counts as unset.
pub(super) fn command() -> Command {
    let unset_if_empty = |arg: Arg| {
        let empty = arg.get_env().is_some_and(config::is_empty_variable);
        if empty { arg.env(Resettable::Reset) } else { arg }
    };
    let command = Cli::command().mut_args(unset_if_empty).after_long_help(EXIT_STATUS);
    let settings: Vec<Arg> = command.get_arguments().filter(|arg| arg.is_global_set()).cloned().collect();
    command.mut_args(|arg| if arg.is_global_set() { arg.hide_short_help(true) } else { arg }).mut_subcommands(
        |family| {
            // The help of `serve` lists them with `-h`, too.
            let Some(shown) = shown(family.get_name()) else { return family.args(&settings) };
            let is_hidden = |arg: &&Arg| !shown.contains(&arg.get_id().as_str());
            let hidden: Vec<Arg> = settings.iter().filter(is_hidden).map(|arg| arg.clone().hide(true)).collect();
            hide(family, &hidden, if shown.is_empty() { "" } else { OTHER_SETTINGS })
        },
    )
}

/// Hides settings in the help of a command. Its own copies override the global arguments.
fn hide(command: Command, hidden: &[Arg], note: &'static str) -> Command {
    command.args(hidden).after_help(note).mut_subcommands(|below| hide(below, hidden, note))
}

/// Prints the requested help or version, in colour on a terminal.
pub(super) fn print(asked: &clap::Error) -> Result<(), StartError> {
    let text = asked.render();
    if std::io::stdout().is_terminal() {
        output::write(text.ansi().to_string().as_bytes())
    } else {
        output::write(text.to_string().as_bytes())
    }
}

/// Prints the completion script for a shell.
pub(super) fn completions(shell: Shell) -> Result<(), StartError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "latchkey", &mut script);
    output::write(&script)
}
