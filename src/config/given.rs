//! The settings as they are given: by flag, variable or file, each of which may be missing.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use crate::start_error::StartError;

const DEFAULT_CONFIG: &str = "latchkey.toml";

/// Where a listener listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Listen {
    /// Not at all.
    Off,
    /// Here; port 0 takes a free one.
    At(SocketAddr),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        text.parse().map(Self::At).map_err(|_| "expected ADDRESS:PORT such as 127.0.0.1:8080, or off".to_owned())
    }
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// A length of time as people write it: `15m`, `12h`, `0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(pub(super) Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "0" {
            return Ok(Self(Duration::ZERO));
        }
        humantime::parse_duration(text).map(Self).map_err(|_| "expected a length of time such as 5m or 12h".to_owned())
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// A network, or one address.
fn network(text: &str) -> Result<IpNet, String> {
    let one = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| one()).map_err(|_| "expected an address or a network such as 10.0.0.0/8".to_owned())
}

fn networks<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Vec<IpNet>>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    let networks: Result<_, String> = texts.iter().map(|text| network(text)).collect();
    networks.map(Some).map_err(serde::de::Error::custom)
}

/// The settings as they are given, by flag, variable or file. Each may be missing.
#[derive(Clone, Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
#[command(next_help_heading = "Settings")]
pub struct GivenSettings {
    /// Where the database and the master key are [default: ./data]
    #[arg(long, global = true, env = "LATCHKEY_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// sqlite:… or postgres:… [default: SQLite in the data directory]
    #[arg(long, global = true, env = "LATCHKEY_DATABASE", value_name = "URL", hide_env_values = true)]
    pub database: Option<SecretString>,
    /// The console, for people [default: 127.0.0.1:8080]
    #[arg(long, global = true, env = "LATCHKEY_CONSOLE", value_name = "ADDR")]
    pub console: Option<Listen>,
    /// The signed API, for programs [default: 127.0.0.1:8081]
    #[arg(long, global = true, env = "LATCHKEY_API", value_name = "ADDR")]
    pub api: Option<Listen>,
    /// A reverse proxy that lets only validly signed requests through to --guard-upstream [default: off]
    #[arg(long, global = true, env = "LATCHKEY_GUARD", value_name = "ADDR")]
    pub guard: Option<Listen>,
    /// Counters for Prometheus at /metrics, without TLS [default: off]
    #[arg(long, global = true, env = "LATCHKEY_METRICS", value_name = "ADDR")]
    pub metrics: Option<Listen>,
    /// Where the guard forwards to, such as <http://127.0.0.1:9000>
    #[arg(long, global = true, env = "LATCHKEY_GUARD_UPSTREAM", value_name = "URL")]
    pub guard_upstream: Option<Url>,
    /// Do the guard and /forward-auth accept requests whose payload is not signed? [default: false]
    #[arg(long, global = true, env = "LATCHKEY_GUARD_UNSIGNED_PAYLOAD", value_name = "BOOL")]
    pub guard_unsigned_payload: Option<bool>,
    /// Tokens, one a line, that callers of /v1/verify present as `Authorization: Bearer`; without it there is no /v1/verify
    #[arg(long, global = true, env = "LATCHKEY_VERIFY_TOKEN_FILE", value_name = "FILE")]
    pub verify_token_file: Option<PathBuf>,
    /// The console's address as its users see it [default: localhost and the console's port]
    #[arg(long, global = true, env = "LATCHKEY_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<Url>,
    /// The API's address as programs reach it, shown on the pages of the keys [default: the console's host, the API's port]
    #[arg(long, global = true, env = "LATCHKEY_API_PUBLIC_URL", value_name = "URL")]
    pub api_public_url: Option<Url>,
    /// Serve https with this certificate chain (PEM)
    #[arg(long, global = true, env = "LATCHKEY_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, global = true, env = "LATCHKEY_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// The master key [default: master.key in the data directory; made on first start]
    #[arg(long, global = true, env = "LATCHKEY_MASTER_KEY_FILE", value_name = "FILE")]
    pub master_key_file: Option<PathBuf>,
    /// An address or network of proxies whose X-Forwarded-For is believed (repeatable)
    #[arg(long, global = true, env = "LATCHKEY_TRUSTED_PROXY", value_name = "CIDR", value_delimiter = ',')]
    #[arg(value_parser = network)]
    #[serde(deserialize_with = "networks")]
    #[serde(default)]
    pub trusted_proxy: Option<Vec<IpNet>>,
    /// How long an identity verification holds, 0 to 30m [default: 5m]
    #[arg(long, global = true, env = "LATCHKEY_VERIFICATION_WINDOW", value_name = "TIME")]
    pub verification_window: Option<Span>,
    /// A session ends after this long without use [default: 15m]
    #[arg(long, global = true, env = "LATCHKEY_SESSION_IDLE", value_name = "TIME")]
    pub session_idle: Option<Span>,
    /// A session ends after this long in any case [default: 12h]
    #[arg(long, global = true, env = "LATCHKEY_SESSION_MAX", value_name = "TIME")]
    pub session_max: Option<Span>,
    /// May a key create, disable and delete keys through the API? [default: true]
    #[arg(long, global = true, env = "LATCHKEY_API_MANAGES_KEYS", value_name = "BOOL")]
    pub api_manages_keys: Option<bool>,
    /// Are calls of the API limited to the documented rates for each account and action? [default: true]
    #[arg(long, global = true, env = "LATCHKEY_API_RATE_LIMITS", value_name = "BOOL")]
    pub api_rate_limits: Option<bool>,
    /// The settings file [default: latchkey.toml if it is there]
    #[arg(long, global = true, env = "LATCHKEY_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
}

impl GivenSettings {
    /// These, and from `lower` what these leave open.
    pub(super) fn over(self, lower: Self) -> Self {
        Self {
            data_dir: self.data_dir.or(lower.data_dir),
            database: self.database.or(lower.database),
            console: self.console.or(lower.console),
            api: self.api.or(lower.api),
            public_url: self.public_url.or(lower.public_url),
            api_public_url: self.api_public_url.or(lower.api_public_url),
            tls_cert: self.tls_cert.or(lower.tls_cert),
            tls_key: self.tls_key.or(lower.tls_key),
            master_key_file: self.master_key_file.or(lower.master_key_file),
            trusted_proxy: self.trusted_proxy.or(lower.trusted_proxy),
            verification_window: self.verification_window.or(lower.verification_window),
            session_idle: self.session_idle.or(lower.session_idle),
            session_max: self.session_max.or(lower.session_max),
            api_manages_keys: self.api_manages_keys.or(lower.api_manages_keys),
            api_rate_limits: self.api_rate_limits.or(lower.api_rate_limits),
            guard: self.guard.or(lower.guard),
            metrics: self.metrics.or(lower.metrics),
            guard_upstream: self.guard_upstream.or(lower.guard_upstream),
            guard_unsigned_payload: self.guard_unsigned_payload.or(lower.guard_unsigned_payload),
            verify_token_file: self.verify_token_file.or(lower.verify_token_file),
            config: self.config,
        }
    }

    /// From the settings file; nothing where the default one is not there.
    pub(super) fn from_file(path: Option<&Path>) -> Result<Self, StartError> {
        let file = path.unwrap_or(Path::new(DEFAULT_CONFIG));
        let failed = |cause: String| StartError::ConfigFile { path: file.display().to_string(), cause };
        match std::fs::read_to_string(file) {
            Ok(text) => toml::from_str(&text).map_err(|error| failed(one_line(&error))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && path.is_none() => Ok(Self::default()),
            Err(error) => Err(failed(error.to_string())),
        }
    }
}

pub(super) fn one_line(error: &toml::de::Error) -> String {
    error.message().split_whitespace().collect::<Vec<_>>().join(" ")
}
