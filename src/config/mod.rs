//! The settings: from flags, then environment variables, then `latchkey.toml`, then the defaults. `settings` declares
//! each setting once, `check` completes and checks them, and `files` opens the files that they refer to. No other
//! module reads the environment. May import `db`, `secret`, `scratch`, `telemetry`, `start_error` and `types`.

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
pub use self::values::{Aws4Scope, GuardScheme, Listen, Span};

const MASTER_KEY_VARIABLE: &str = "LATCHKEY_MASTER_KEY";

/// The log filter from `RUST_LOG`.
pub fn log_filter() -> Option<String> {
    variable("RUST_LOG")
}

/// The key that `latchkey sign` signs with, from the variables in which the official clients look for theirs.
pub fn signing_key() -> Option<(String, SecretString)> {
    Some((variable("TENCENTCLOUD_SECRET_ID")?, variable("TENCENTCLOUD_SECRET_KEY")?.into()))
}

/// Returns `true` if the variable is set, but empty. Compose files and unit files do that to mean that it is not set.
pub(crate) fn is_empty_variable(name: &OsStr) -> bool {
    #[expect(clippy::disallowed_methods, reason = "this file reads the environment for everybody")]
    std::env::var_os(name).is_some_and(|value| value.is_empty())
}

fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "this file reads the environment for everybody")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
