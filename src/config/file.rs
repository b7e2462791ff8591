//! The settings file.

use std::io::ErrorKind;
use std::path::Path;

use clap::error::{ContextKind, ContextValue};
use toml::{Table, Value};

use super::declaration::Setting;
use super::settings::{GivenSettings, SETTINGS};
use crate::start_error::StartError;

const DEFAULT_FILE: &str = "latchkey.toml";

/// Reads the settings file. Without a `path`, the default one is read if it exists.
pub(super) fn read(path: Option<&Path>) -> Result<GivenSettings, StartError> {
    let file = path.unwrap_or(Path::new(DEFAULT_FILE));
    let failed = |cause: String| StartError::ConfigFile { path: file.display().to_string(), cause };
    match std::fs::read_to_string(file) {
        Ok(text) => parse(&text).map_err(failed),
        Err(error) if error.kind() == ErrorKind::NotFound && path.is_none() => Ok(GivenSettings::default()),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// Parses the text of a settings file. An error names the setting or the line that is wrong, never a value.
pub(super) fn parse(text: &str) -> Result<GivenSettings, String> {
    let table: Table = toml::from_str(text).map_err(|error| syntax_error(text, &error))?;
    table.iter().try_fold(GivenSettings::default(), |settings, (name, value)| {
        let known = |setting: &&Setting| setting.name == name && setting.name != "config";
        let setting = SETTINGS.iter().find(known).ok_or_else(|| unknown(name))?;
        let values =
            values(value).ok_or_else(|| format!("{name}: expected a string, a boolean or a list of strings"))?;
        let flags = values.iter().map(|value| format!("{}={value}", setting.flag()));
        let given = GivenSettings::from_flags(flags).map_err(|error| format!("{name}: {}", cause(&error)))?;
        Ok(settings.over(given))
    })
}

/// A value from the file, as the texts that a flag takes.
fn values(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Boolean(value) => Some(vec![value.to_string()]),
        Value::Array(list) => list.iter().map(|value| value.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

fn unknown(name: &str) -> String {
    let names: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).filter(|name| *name != "config").collect();
    format!("there is no setting {name}; the settings are {}", names.join(", "))
}

/// The cause of an error, without the value and the flag.
fn cause(error: &clap::Error) -> String {
    if let Some(ContextValue::Strings(possible)) = error.get(ContextKind::ValidValue)
        && !possible.is_empty()
    {
        return format!("expected {}", possible.join(" or "));
    }
    match std::error::Error::source(error) {
        Some(cause) => cause.to_string(),
        None => error.kind().to_string(),
    }
}

fn syntax_error(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
    match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => format!("line {}: {message}", before.matches('\n').count() + 1),
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_named() {
        for text in ["data_dri = \"x\"", "data-dri = \"x\"", "help = true", "config = \"other.toml\""] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(text.split(' ').next().unwrap()) && error.contains("data_dir"), "{error}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_of_the_setting_that_has_it() {
        let wrong = [
            ("console = \"nowhere\"", "console: expected ADDRESS:PORT"),
            ("session_idle = \"soon\"", "session_idle: expected a length of time"),
            ("session_idle = 5", "session_idle: expected a string"),
            ("api_rate_limits = \"perhaps\"", "api_rate_limits: expected true or false"),
            ("trusted_proxy = [\"10.0.0.0/8\", \"nonsense\"]", "trusted_proxy: expected an address or a network"),
            ("public_url = \"nonsense\"", "public_url: relative URL without a base"),
            ("data_dir = \"\"", "data_dir: "),
            ("data_dir = [\"a\", \"b\"]", "data_dir: "),
            ("data_dir = \"x\"\nconsole = off", "line 2: "),
        ];
        for (text, says) in wrong {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(says), "{error}");
            assert!(!error.contains("--") && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn a_secret_is_in_no_error() {
        for text in ["database = \"hunter2\" x", "database = [\"hunter2\", \"b\"]", "database = \"hunter2"] {
            let error = parse(text).unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert!(!format!("{:?}", parse("database = \"hunter2\"").unwrap()).contains("hunter2"));
    }

    #[test]
    fn flags_come_before_the_file() {
        let flags = GivenSettings { data_dir: Some("flag".into()), ..GivenSettings::default() };
        let both = flags.over(parse("data_dir = \"file\"\nsession_idle = \"3m\"").unwrap());
        assert_eq!(both.data_dir, Some("flag".into()));
        assert_eq!(both.session_idle, Some("3m".parse().unwrap()));
    }

    #[test]
    fn addresses_and_networks_are_listed() {
        let file = parse("trusted_proxy = [\"10.0.0.0/8\", \"127.0.0.1\", \"::1\"]").unwrap();
        let networks: Vec<String> = file.trusted_proxy.unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(networks, ["10.0.0.0/8", "127.0.0.1/32", "::1/128"]);
    }
}
