//! Every setting, declared once: its name, type, default and help. Flag, variable and key of the file follow from the name.
//! `docs/operate/settings.md` describes the same settings, and a test compares the two.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::Resettable;
use clap::{Args as _, Command, FromArgMatches as _};
use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

use super::declaration::{Setting, settings};
use super::values::{Aws4Scope, GuardScheme, Listen, Span, network};
use crate::db;
use crate::telemetry::LogFormat;

settings! {
    /// Directory of the embedded database and the master key
    #[arg(value_name = "DIR")]
    pub data_dir: PathBuf = "./data";

    /// Address of the database, sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/NAME
    #[arg(value_name = "URL", hide_env_values = true)]
    pub(super) database: SecretString, otherwise "SQLite in the data directory";

    /// File of the master key
    #[arg(value_name = "FILE")]
    pub(super) master_key_file: PathBuf, otherwise "master.key in the data directory";

    /// Settings file
    #[arg(value_name = "FILE")]
    pub config: PathBuf, otherwise "latchkey.toml, if it exists";

    /// Listener of the console, for people
    #[arg(value_name = "ADDR")]
    pub console: Listen = "127.0.0.1:8080";

    /// Listener of the signed API, for programs
    #[arg(value_name = "ADDR")]
    pub api: Listen = "127.0.0.1:8081";

    /// Listener of the guard, a reverse proxy that forwards only validly signed requests to --guard-upstream
    #[arg(value_name = "ADDR")]
    pub guard: Listen = "off";

    /// Address that the guard forwards to, such as `http://127.0.0.1:9000`, with or without a path
    #[arg(value_name = "URL")]
    pub guard_upstream: Url;

    /// Listener of the Prometheus metrics at /metrics, without TLS
    #[arg(value_name = "ADDR")]
    pub metrics: Listen = "off";

    /// Address of the console as its users type it
    #[arg(value_name = "URL")]
    pub public_url: Url, otherwise "localhost and the console's port";

    /// Address of the API as programs reach it, shown on the key pages
    #[arg(value_name = "URL")]
    pub api_public_url: Url, otherwise "the console's host and the API's port";

    /// Certificate chain (PEM), for https
    #[arg(value_name = "FILE")]
    pub(super) tls_cert: PathBuf;

    /// Private key of the certificate (PEM)
    #[arg(value_name = "FILE")]
    pub(super) tls_key: PathBuf;

    /// Address or network of a proxy whose X-Forwarded-For is trusted; can be repeated
    #[arg(value_name = "CIDR", value_delimiter = ',', value_parser = network)]
    pub trusted_proxy: Vec<IpNet>, otherwise "none";

    /// How long an identity verification lasts, up to 30m
    #[arg(value_name = "TIME")]
    pub verification_window: Span as Duration = "5m";

    /// Whether a sign-in with both factors counts as an identity verification
    #[arg(value_name = "BOOL")]
    pub sign_in_verifies: bool = "false";

    /// Time without activity after which a session ends
    #[arg(value_name = "TIME")]
    pub session_idle: Span as Duration = "15m";

    /// Time after which a session ends in any case, up to 7d
    #[arg(value_name = "TIME")]
    pub session_max: Span as Duration = "12h";

    /// Whether a key can create, disable, enable and delete keys through the API
    #[arg(value_name = "BOOL")]
    pub api_manages_keys: bool = "true";

    /// Whether API calls are limited to the documented rates, per account and action
    #[arg(value_name = "BOOL")]
    pub api_rate_limits: bool = "true";

    /// Whether the guard, /forward-auth and /v1/verify accept requests whose body is not signed
    #[arg(value_name = "BOOL")]
    pub guard_unsigned_payload: bool = "false";

    /// Whether the guard passes on CORS preflights, which browsers cannot sign
    #[arg(value_name = "BOOL")]
    pub guard_cors_preflight: bool = "false";

    /// Signature schemes that the guard, /forward-auth and /v1/verify accept: tc3, aws4
    #[arg(value_name = "SCHEMES", value_delimiter = ',')]
    pub guard_schemes: Vec<GuardScheme>, otherwise "tc3,aws4";

    /// Region and service that aws4 signatures must be for, such as `eu-west-1/shop`
    #[arg(value_name = "REGION/SERVICE")]
    pub guard_aws4_scope: Aws4Scope, otherwise "any";

    /// Longest lifetime of presigned URLs (aws4) that are accepted for GET and HEAD, up to 7d; 0 to accept none
    #[arg(value_name = "TIME")]
    pub guard_aws4_presigned: Span as Duration = "0";

    /// File of the tokens that callers of /v1/verify present as `Authorization: Bearer`, one per line
    #[arg(value_name = "FILE")]
    pub(super) verify_token_file: PathBuf, otherwise "no /v1/verify";

    /// How long a server may check requests without asking PostgreSQL for changes, up to 10s; 0 to ask always
    #[arg(value_name = "TIME")]
    pub lease: Span as Duration = "0";

    /// Format of the log on stderr
    #[arg(value_name = "FORMAT")]
    pub log_format: LogFormat = "auto";

    derived {
        /// Certificate chain and private key.
        pub tls: Option<(PathBuf, PathBuf)> = tls_cert.clone().zip(tls_key.clone());

        /// The proxies whose forwarded addresses are trusted.
        pub trusted_proxies: Vec<IpNet> = trusted_proxy.clone().unwrap_or_default();

        /// The time limit for a statement on the database.
        pub patience: Duration = db::OF_A_REQUEST;
    }
}

impl GivenSettings {
    /// Parses settings that are written as flags (`--console=off`), wherever they come from.
    pub(super) fn from_flags(flags: impl IntoIterator<Item = String>) -> Result<Self, clap::Error> {
        let parser = Self::augment_args(Command::new("settings")).no_binary_name(true).disable_help_flag(true);
        let parser = parser.mut_args(|arg| arg.env(Resettable::Reset));
        Self::from_arg_matches(&parser.try_get_matches_from(flags)?)
    }

    fn defaults() -> Self {
        let flags = SETTINGS.iter().filter_map(|setting| Some(format!("{}={}", setting.flag(), setting.default?)));
        Self::from_flags(flags).expect("a default is written as a flag takes it")
    }
}

/// The declaration of a setting.
fn setting(name: &str) -> &'static Setting {
    SETTINGS.iter().find(|setting| setting.name == name).expect("a setting")
}
