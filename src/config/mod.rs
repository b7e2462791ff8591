//! Settings: from flags, then variables, then `latchkey.toml`. The only reader of the environment.

mod given;
mod master_key;

use std::ffi::OsStr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

pub use self::given::{GivenSettings, Listen, Span};
pub(crate) use self::master_key::MasterKeyFile;
pub use crate::start_error::StartError;

use crate::db::{self, Db, OpenError};
use crate::scratch;
use crate::secret::token;

const DATABASE_FILE: &str = "latchkey.db";
const MASTER_KEY_VARIABLE: &str = "LATCHKEY_MASTER_KEY";
const SHORTEST_TOKEN: usize = 16;
const LONGEST_SESSION: Duration = Duration::from_hours(7 * 24);
const LONGEST_VERIFICATION_WINDOW: Duration = Duration::from_mins(30);

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
    /// The API's address as programs reach it; none means the console's host and the API's port.
    pub api_public_url: Option<Url>,
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
    /// How long a statement on the database may take.
    pub(crate) patience: Duration,
    /// The guard's listener, and where it forwards to.
    pub guard: Listen,
    /// The listener of the counters.
    pub metrics: Listen,
    /// Where the guard forwards to.
    pub guard_upstream: Option<Url>,
    /// Do guard and forward-auth accept requests whose payload is not signed?
    pub guard_unsigned_payload: bool,
    verify_token_file: Option<PathBuf>,
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
            api_public_url: given.api_public_url,
            tls,
            master_key_file: given.master_key_file,
            trusted_proxies: given.trusted_proxy.unwrap_or_default(),
            verification_window: span(given.verification_window, 5),
            session_idle: span(given.session_idle, 15),
            session_max: span(given.session_max, 12 * 60),
            api_manages_keys: given.api_manages_keys.unwrap_or(true),
            api_rate_limits: given.api_rate_limits.unwrap_or(true),
            guard: given.guard.unwrap_or(Listen::Off),
            metrics: given.metrics.unwrap_or(Listen::Off),
            guard_upstream: given.guard_upstream,
            guard_unsigned_payload: given.guard_unsigned_payload.unwrap_or(false),
            verify_token_file: given.verify_token_file,
            patience: db::OF_A_REQUEST,
        };
        settings.check()?;
        Ok(settings)
    }

    /// For a command, whose caller would rather wait for the database than be told to come back.
    pub(crate) fn for_command(self) -> Self {
        Self { patience: db::OF_A_COMMAND, ..self }
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
            api_public_url: None,
            tls: None,
            trusted_proxies: Vec::new(),
            guard: Listen::Off,
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

    /// Is there anything to serve?
    pub(crate) fn check_listeners(&self) -> Result<(), StartError> {
        if [self.console, self.api, self.guard, self.metrics].iter().all(|listen| *listen == Listen::Off) {
            return Err(setting(
                "all listeners are off, so there is nothing to serve: give --console, --api or --guard an address",
            ));
        }
        Ok(())
    }

    fn check(&self) -> Result<(), StartError> {
        if self.verification_window > LONGEST_VERIFICATION_WINDOW {
            return Err(setting("--verification-window is at most 30m"));
        }
        if self.session_idle.is_zero() || self.session_idle > self.session_max {
            return Err(setting("--session-idle is longer than 0 and no longer than --session-max"));
        }
        let is_http =
            |url: &Url| url.scheme() == "http" && url.has_host() && url.path() == "/" && url.query().is_none();
        match (self.guard, &self.guard_upstream) {
            (Listen::At(_), None) => return Err(setting("--guard needs --guard-upstream, the address it forwards to")),
            (_, Some(url)) if !is_http(url) => {
                return Err(setting(
                    "--guard-upstream is an http address without a path, such as http://127.0.0.1:9000",
                ));
            }
            _ => {}
        }
        if self.session_max > LONGEST_SESSION {
            return Err(setting("--session-max is at most 7d"));
        }
        let is_base = |url: &Url| {
            matches!(url.scheme(), "http" | "https") && url.has_host() && url.path() == "/" && url.query().is_none()
        };
        if self.public_url.as_ref().is_some_and(|url| !is_base(url)) {
            return Err(setting(
                "--public-url is an http or https address without a path, such as https://keys.example",
            ));
        }
        if self.api_public_url.as_ref().is_some_and(|url| !is_base(url)) {
            return Err(setting(
                "--api-public-url is an http or https address without a path, such as https://api.keys.example",
            ));
        }
        Ok(())
    }

    /// The embedded database's file, there or not; none for PostgreSQL.
    pub(crate) fn database_file(&self) -> Result<Option<PathBuf>, StartError> {
        match &self.database {
            None => Ok(Some(self.data_dir.join(DATABASE_FILE))),
            Some(url) => db::backup::file_of(url.expose_secret()).map_err(|cause| self.could_not_open(cause)),
        }
    }

    /// For what makes no sense without a database: an error where the embedded one is not there.
    pub(crate) fn need_database(&self) -> Result<(), StartError> {
        match self.database_file()? {
            Some(file) if !file.exists() => {
                Err(StartError::Setting(format!("there is no database at {}", file.display())))
            }
            _ => Ok(()),
        }
    }

    /// A master key that was made here, without the database that was made before it: making another one would hide that
    /// the first is lost.
    fn check_not_lost(&self) -> Result<(), StartError> {
        match (self.database_file()?, self.own_master_key()) {
            (Some(file), Some(key)) if !file.exists() => {
                Err(StartError::DatabaseLost { database: file.display().to_string(), key: key.display().to_string() })
            }
            _ => Ok(()),
        }
    }

    /// Opens the database if it is there, and leaves its schema as it is.
    pub(crate) async fn existing_database(&self) -> Result<Db, StartError> {
        self.need_database()?;
        let opened = match (self.database_file()?, &self.database) {
            (Some(file), _) => Db::open_file(&file).await,
            (None, url) => Db::open_existing(url.as_ref().map_or("", |url| url.expose_secret())).await,
        };
        opened.map_err(|cause| self.could_not_open(cause))
    }

    pub(crate) fn could_not_open(&self, cause: OpenError) -> StartError {
        StartError::Database { database: self.database_for_people(), cause: cause.into() }
    }

    /// The database's address. For the embedded one, makes the data directory (only its owner may enter) and the file.
    pub(crate) fn database_url(&self) -> Result<String, StartError> {
        self.check_not_lost()?;
        if let Some(url) = &self.database {
            return Ok(url.expose_secret().to_owned());
        }
        self.make_data_dir()?;
        scratch::remove_left_files(&self.data_dir);
        let file = self.data_dir.join(DATABASE_FILE);
        private_file()
            .create(true)
            .append(true)
            .open(&file)
            .map_err(|cause| StartError::DatabaseFile { path: file.display().to_string(), cause })?;
        Ok(format!("sqlite:{}", file.display()))
    }

    /// The database as it may be named in messages: never with a password.
    pub(crate) fn database_for_people(&self) -> String {
        match &self.database {
            None => self.data_dir.join(DATABASE_FILE).display().to_string(),
            Some(url) => {
                db::address::for_people(url.expose_secret()).unwrap_or_else(|| "given with --database".to_owned())
            }
        }
    }

    /// The digests of the tokens that callers of `/v1/verify` present; none where there is no such door.
    pub(crate) fn verify_tokens(&self) -> Result<Vec<Vec<u8>>, StartError> {
        let Some(file) = &self.verify_token_file else { return Ok(Vec::new()) };
        let path = file.display().to_string();
        let text = std::fs::read_to_string(file).map(zeroize::Zeroizing::new);
        let text = text.map_err(|cause| StartError::VerifyTokens { path: path.clone(), cause: cause.to_string() })?;
        let tokens: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        if tokens.is_empty() || tokens.iter().any(|token| token.len() < SHORTEST_TOKEN) {
            let cause = format!("it must have a token of at least {SHORTEST_TOKEN} characters on each line");
            return Err(StartError::VerifyTokens { path, cause });
        }
        Ok(tokens.into_iter().map(token::digest).collect())
    }

    pub(crate) fn make_data_dir(&self) -> Result<(), StartError> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.data_dir)
            .map_err(|cause| self.data_dir_error(cause))
    }

    fn data_dir_error(&self, cause: std::io::Error) -> StartError {
        StartError::DataDir { path: self.data_dir.display().to_string(), cause }
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

/// What to log, from `RUST_LOG`.
pub fn log_filter() -> Option<String> {
    variable("RUST_LOG")
}

/// The key that `latchkey sign` signs with, from where the official clients take theirs.
pub fn signing_key() -> Option<(String, SecretString)> {
    Some((variable("TENCENTCLOUD_SECRET_ID")?, variable("TENCENTCLOUD_SECRET_KEY")?.into()))
}

/// Is the variable set, but to nothing? Compose files and unit files do that where they mean unset.
pub(crate) fn is_empty_variable(name: &OsStr) -> bool {
    #[expect(clippy::disallowed_methods, reason = "this file reads the environment for everybody")]
    std::env::var_os(name).is_some_and(|value| value.is_empty())
}

fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "this file reads the environment for everybody")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::given::one_line;
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
        assert!(refused("api_public_url = \"https://keys.example/api\"").contains("--api-public-url"));
        assert!(given("console = \"nowhere\"").unwrap_err().contains("expected ADDRESS:PORT"));
        assert!(
            given("trusted_proxy = [\"10.0.0.0/8\", \"nonsense\"]").unwrap_err().contains("an address or a network")
        );
        let networks =
            given("trusted_proxy = [\"10.0.0.0/8\", \"127.0.0.1\", \"::1\"]").unwrap().trusted_proxy.unwrap();
        let networks: Vec<String> = networks.iter().map(ToString::to_string).collect();
        assert_eq!(networks, ["10.0.0.0/8", "127.0.0.1/32", "::1/128"]);
        assert!(given("session_idle = \"soon\"").unwrap_err().contains("length of time"));
    }
}
