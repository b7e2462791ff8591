//! Settings: from flags, then variables, then `latchkey.toml`. The only reader of the environment.

use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::db::OpenError;
use crate::error::Error;
use crate::secret::vault::{MasterKeyFormat, Vault};

const DEFAULT_CONFIG: &str = "latchkey.toml";
const DATABASE_FILE: &str = "latchkey.db";
const MASTER_KEY_FILE: &str = "master.key";
const MASTER_KEY_VARIABLE: &str = "LATCHKEY_MASTER_KEY";
const MASTER_KEY_CREDENTIAL: &str = "latchkey.master.key";
const LONGEST_SESSION: Duration = Duration::from_hours(7 * 24);
const LONGEST_VERIFICATION_WINDOW: Duration = Duration::from_mins(30);

/// Why the program does not start: one line that says what is wrong and what to do.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum StartError {
    #[error("cannot read the settings file {path}: {cause}")]
    ConfigFile { path: String, cause: String },
    #[error("{0}")]
    Setting(String),
    #[error("cannot use the data directory {path}: {cause}; create it, or choose another with --data-dir")]
    DataDir { path: String, cause: std::io::Error },
    #[error("cannot open the database {database}: {cause}")]
    Database { database: String, cause: OpenError },
    #[error("cannot read the master key {path}: {cause}")]
    MasterKeyFile { path: String, cause: std::io::Error },
    #[error(
        "the database was sealed under a master key, and {path} does not exist; put the key back, or say where it is \
         with --master-key-file or {MASTER_KEY_VARIABLE}"
    )]
    MasterKeyMissing { path: String },
    #[error("the master key is malformed: {0}")]
    MasterKeyFormat(#[from] MasterKeyFormat),
    #[error(
        "the master key is not the one this database was sealed under (version {version}); give the right one with \
         --master-key-file or {MASTER_KEY_VARIABLE}"
    )]
    WrongMasterKey { version: i64 },
    #[error("cannot listen on {address} ({what}): {cause}; free the port, or choose another with --{what}")]
    Bind { what: &'static str, address: SocketAddr, cause: std::io::Error },
    #[error("cannot use the TLS certificate: {0}; check --tls-cert and --tls-key")]
    Tls(std::io::Error),
    #[error("{0}")]
    Domain(#[from] Error),
    #[error("{what}: {cause}")]
    Io { what: &'static str, cause: std::io::Error },
}

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
pub struct Span(Duration);

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
    /// The console's address as its users see it [default: localhost and the console's port]
    #[arg(long, global = true, env = "LATCHKEY_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<Url>,
    /// Serve https with this certificate chain (PEM)
    #[arg(long, global = true, env = "LATCHKEY_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, global = true, env = "LATCHKEY_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// The master key [default: master.key in the data directory; made on first start]
    #[arg(long, global = true, env = "LATCHKEY_MASTER_KEY_FILE", value_name = "FILE")]
    pub master_key_file: Option<PathBuf>,
    /// A network of proxies whose X-Forwarded-For is believed (repeatable)
    #[arg(long, global = true, env = "LATCHKEY_TRUSTED_PROXY", value_name = "CIDR", value_delimiter = ',')]
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
    fn over(self, lower: Self) -> Self {
        Self {
            data_dir: self.data_dir.or(lower.data_dir),
            database: self.database.or(lower.database),
            console: self.console.or(lower.console),
            api: self.api.or(lower.api),
            public_url: self.public_url.or(lower.public_url),
            tls_cert: self.tls_cert.or(lower.tls_cert),
            tls_key: self.tls_key.or(lower.tls_key),
            master_key_file: self.master_key_file.or(lower.master_key_file),
            trusted_proxy: self.trusted_proxy.or(lower.trusted_proxy),
            verification_window: self.verification_window.or(lower.verification_window),
            session_idle: self.session_idle.or(lower.session_idle),
            session_max: self.session_max.or(lower.session_max),
            api_manages_keys: self.api_manages_keys.or(lower.api_manages_keys),
            api_rate_limits: self.api_rate_limits.or(lower.api_rate_limits),
            config: self.config,
        }
    }

    fn from_file(path: Option<&Path>) -> Result<Self, StartError> {
        let file = path.unwrap_or(Path::new(DEFAULT_CONFIG));
        let failed = |cause: String| StartError::ConfigFile { path: file.display().to_string(), cause };
        match std::fs::read_to_string(file) {
            Ok(text) => toml::from_str(&text).map_err(|error| failed(one_line(&error))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && path.is_none() => Ok(Self::default()),
            Err(error) => Err(failed(error.to_string())),
        }
    }
}

fn one_line(error: &toml::de::Error) -> String {
    error.message().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The settings, complete and checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where database and master key are.
    pub data_dir: PathBuf,
    database: Option<SecretString>,
    /// The console's listener.
    pub console: Listen,
    /// The signed API's listener.
    pub api: Listen,
    /// The console's address as its users see it; none means localhost and the console's port.
    pub public_url: Option<Url>,
    /// Certificate chain and private key.
    pub tls: Option<(PathBuf, PathBuf)>,
    master_key_file: Option<PathBuf>,
    /// Whose forwarded addresses are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How long an identity verification holds.
    pub verification_window: Duration,
    /// The longest a session lasts without use.
    pub session_idle: Duration,
    /// The longest a session lasts.
    pub session_max: Duration,
    /// May a key create, disable and delete keys?
    pub api_manages_keys: bool,
    /// Are calls of the API limited to the documented rates?
    pub api_rate_limits: bool,
}

impl Settings {
    /// Completes what was given by flag and variable from the settings file and the defaults, and checks it.
    pub fn resolve(given: GivenSettings) -> Result<Self, StartError> {
        let file = GivenSettings::from_file(given.config.as_deref())?;
        let given = given.over(file);
        let tls = match (given.tls_cert, given.tls_key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => return Err(setting("--tls-cert and --tls-key go together: give both or neither")),
        };
        let span = |given: Option<Span>, minutes| given.map_or(Duration::from_mins(minutes), |span| span.0);
        let settings = Self {
            data_dir: given.data_dir.unwrap_or_else(|| PathBuf::from("data")),
            database: given.database,
            console: given.console.unwrap_or(Listen::At(([127, 0, 0, 1], 8080).into())),
            api: given.api.unwrap_or(Listen::At(([127, 0, 0, 1], 8081).into())),
            public_url: given.public_url,
            tls,
            master_key_file: given.master_key_file,
            trusted_proxies: given.trusted_proxy.unwrap_or_default(),
            verification_window: span(given.verification_window, 5),
            session_idle: span(given.session_idle, 15),
            session_max: span(given.session_max, 12 * 60),
            api_manages_keys: given.api_manages_keys.unwrap_or(true),
            api_rate_limits: given.api_rate_limits.unwrap_or(true),
        };
        settings.check()?;
        Ok(settings)
    }

    /// For the demo: its own directory and database, loopback only.
    pub(crate) fn for_demo(self, data_dir: PathBuf) -> Self {
        let loopback = |listen| match listen {
            Listen::At(address) => Listen::At((std::net::Ipv4Addr::LOCALHOST, address.port()).into()),
            Listen::Off => Listen::Off,
        };
        Self {
            data_dir,
            database: None,
            master_key_file: None,
            console: loopback(self.console),
            api: loopback(self.api),
            public_url: None,
            tls: None,
            trusted_proxies: Vec::new(),
            ..self
        }
    }

    /// The console's address for links printed without a running console.
    pub(crate) fn public_url_for_links(&self) -> Url {
        let port = match self.console {
            Listen::At(address) if address.port() != 0 => address.port(),
            _ => 8080,
        };
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let local = || format!("{scheme}://localhost:{port}").parse().expect("a port makes an address");
        self.public_url.clone().unwrap_or_else(local)
    }

    fn check(&self) -> Result<(), StartError> {
        if self.verification_window > LONGEST_VERIFICATION_WINDOW {
            return Err(setting("--verification-window is at most 30m"));
        }
        if self.session_idle.is_zero() || self.session_idle > self.session_max {
            return Err(setting("--session-idle is longer than 0 and no longer than --session-max"));
        }
        if self.session_max > LONGEST_SESSION {
            return Err(setting("--session-max is at most 7d"));
        }
        if let Some(url) = &self.public_url
            && (!matches!(url.scheme(), "http" | "https") || url.path() != "/" || url.query().is_some())
        {
            return Err(setting(
                "--public-url is an http or https address without a path, such as https://keys.example",
            ));
        }
        Ok(())
    }

    /// The database's address. For the embedded one, makes the data directory (only its owner may enter) and the file.
    pub(crate) fn database_url(&self) -> Result<String, StartError> {
        if let Some(url) = &self.database {
            return Ok(url.expose_secret().to_owned());
        }
        self.make_data_dir()?;
        let file = self.data_dir.join(DATABASE_FILE);
        private_file().create(true).append(true).open(&file).map_err(|cause| self.data_dir_error(cause))?;
        Ok(format!("sqlite:{}", file.display()))
    }

    /// The database as it may be named in messages: never with a password.
    pub(crate) fn database_for_people(&self) -> String {
        match &self.database {
            None => self.data_dir.join(DATABASE_FILE).display().to_string(),
            Some(url) => match Url::parse(url.expose_secret()) {
                Ok(mut url) => {
                    let _ = url.set_password(None);
                    url.set_query(None);
                    url.to_string()
                }
                Err(_) => "given with --database".to_owned(),
            },
        }
    }

    fn make_data_dir(&self) -> Result<(), StartError> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.data_dir)
            .map_err(|cause| self.data_dir_error(cause))
    }

    fn data_dir_error(&self, cause: std::io::Error) -> StartError {
        StartError::DataDir { path: self.data_dir.display().to_string(), cause }
    }

    /// The master key's text: from the variable, the file, systemd's credentials, or the data directory, where it is
    /// made if `may_create`.
    pub(crate) fn master_key(&self, may_create: bool) -> Result<SecretString, StartError> {
        if let Some(text) = variable(MASTER_KEY_VARIABLE) {
            return Ok(text.into());
        }
        if let Some(file) = &self.master_key_file {
            return read_master_key(file);
        }
        if let Some(directory) = variable("CREDENTIALS_DIRECTORY") {
            let file = Path::new(&directory).join(MASTER_KEY_CREDENTIAL);
            if file.exists() {
                return read_master_key(&file);
            }
        }
        let file = self.data_dir.join(MASTER_KEY_FILE);
        match file.try_exists() {
            Ok(true) => read_master_key(&file),
            _ if may_create => self.create_master_key(&file),
            _ => Err(StartError::MasterKeyMissing { path: file.display().to_string() }),
        }
    }

    fn create_master_key(&self, file: &Path) -> Result<SecretString, StartError> {
        self.make_data_dir()?;
        let text = Vault::generate_master_key();
        // Whole or not at all: half a key after a crash would lock the database for ever. Temporary files are 0600.
        let written = tempfile::NamedTempFile::new_in(&self.data_dir).and_then(|mut whole| {
            whole.write_all(text.expose_secret().as_bytes())?;
            whole.as_file().sync_all()?;
            whole.persist_noclobber(file).map_err(|failed| failed.error)?;
            std::fs::File::open(&self.data_dir)?.sync_all()
        });
        match written {
            Ok(()) => Ok(text),
            Err(cause) => Err(StartError::MasterKeyFile { path: file.display().to_string(), cause }),
        }
    }
}

fn setting(message: &str) -> StartError {
    StartError::Setting(message.to_owned())
}

/// Readable by its owner only.
fn private_file() -> std::fs::OpenOptions {
    let mut options = std::fs::OpenOptions::new();
    options.mode(0o600);
    options
}

fn read_master_key(file: &Path) -> Result<SecretString, StartError> {
    if std::fs::metadata(file).is_ok_and(|file| file.permissions().mode() & 0o077 != 0) {
        tracing::warn!(file = %file.display(), "others than its owner can read the master key; chmod it to 600");
    }
    std::fs::read_to_string(file)
        .map(Into::into)
        .map_err(|cause| StartError::MasterKeyFile { path: file.display().to_string(), cause })
}

/// What to log, from `RUST_LOG`.
pub fn log_filter() -> Option<String> {
    variable("RUST_LOG")
}

fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "this file reads the environment for everybody")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str) -> Result<GivenSettings, String> {
        toml::from_str(text).map_err(|error| one_line(&error))
    }

    #[test]
    fn an_unknown_key_in_the_file_is_named() {
        let error = given("data_dri = \"x\"").unwrap_err();
        assert!(error.contains("data_dri"), "{error}");
    }

    #[test]
    fn flags_come_before_the_file() {
        let flags = GivenSettings { data_dir: Some("flag".into()), ..GivenSettings::default() };
        let both = flags.over(given("data_dir = \"file\"\nsession_idle = \"3m\"").unwrap());
        assert_eq!(both.data_dir, Some("flag".into()));
        assert_eq!(both.session_idle, Some(Span(Duration::from_mins(3))));
    }

    #[test]
    fn values_are_checked() {
        let refused = |text: &str| Settings::resolve(given(text).unwrap()).unwrap_err().to_string();
        assert!(refused("verification_window = \"31m\"").contains("at most 30m"));
        assert!(refused("session_idle = \"13h\"").contains("--session-idle"));
        assert!(refused("tls_cert = \"x.pem\"").contains("go together"));
        assert!(refused("public_url = \"https://keys.example/console\"").contains("without a path"));
        assert!(given("console = \"nowhere\"").unwrap_err().contains("expected ADDRESS:PORT"));
        assert!(given("session_idle = \"soon\"").unwrap_err().contains("length of time"));
    }
}
