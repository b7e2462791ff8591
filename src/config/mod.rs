//! The settings: from flags, then variables, then `latchkey.toml`, then the defaults. `settings` declares each setting once,
//! `check` completes and checks them, `files` opens what they lead to; nothing else reads the environment. May import `db`,
//! `secret`, `scratch`, `telemetry`, `start_error` and `types`.

mod check;
mod declaration;
mod file;
mod files;
mod master_key;
mod settings;
mod values;

use std::ffi::OsStr;

use secrecy::SecretString;

pub use self::declaration::Setting;
pub(crate) use self::master_key::MasterKeyFile;
pub use self::settings::{GivenSettings, SETTINGS, Settings};
pub use self::values::{Listen, Span};

const MASTER_KEY_VARIABLE: &str = "LATCHKEY_MASTER_KEY";

/// What to log, from `RUST_LOG`.
pub fn log_filter() -> Option<String> {
    variable("RUST_LOG")
}

/// The key that `latchkey sign` signs with, from where the official clients take theirs.
pub fn signing_key() -> Option<(String, SecretString)> {
    Some((variable("TENCENTCLOUD_SECRET_ID")?, variable("TENCENTCLOUD_SECRET_KEY")?.into()))
}

/// Whether the variable is set, but to nothing. Compose files and unit files do that where they mean unset.
pub(crate) fn is_empty_variable(name: &OsStr) -> bool {
    #[expect(clippy::disallowed_methods, reason = "this file reads the environment for everybody")]
    std::env::var_os(name).is_some_and(|value| value.is_empty())
}

fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "this file reads the environment for everybody")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
