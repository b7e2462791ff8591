//! Completing and checking the settings.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::file;
use super::settings::{GivenSettings, Settings};
use super::values::Listen;
use crate::db;
use crate::start_error::StartError;

const LONGEST_SESSION: Duration = Duration::from_hours(7 * 24);
const SHORTEST_LEASE: Duration = Duration::from_millis(500);
const LONGEST_LEASE: Duration = Duration::from_secs(10);
const LONGEST_PRESIGNED: Duration = Duration::from_hours(7 * 24);
const LONGEST_VERIFICATION_WINDOW: Duration = Duration::from_mins(30);

impl Settings {
    /// Completes the settings given by flag and variable from the settings file and the defaults, and checks them.
    pub fn resolve(given: GivenSettings) -> Result<Self, StartError> {
        let file = file::read(given.config.as_deref())?;
        let settings = given.over(file).complete();
        settings.check_reach()?;
        settings.check_guard()?;
        settings.check_times()?;
        settings.check_lease()?;
        Ok(settings)
    }

    fn check_reach(&self) -> Result<(), StartError> {
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            return Err(refused("--tls-cert and --tls-key go together: give both or neither"));
        }
        let is_http = |url: &Url| matches!(url.scheme(), "http" | "https") && is_base(url);
        if self.public_url.as_ref().is_some_and(|url| !is_http(url)) {
            return Err(refused(
                "--public-url is an http or https address without a path, such as https://keys.example",
            ));
        }
        if self.api_public_url.as_ref().is_some_and(|url| !is_http(url)) {
            return Err(refused(
                "--api-public-url is an http or https address without a path, such as https://api.keys.example",
            ));
        }
        Ok(())
    }

    fn check_guard(&self) -> Result<(), StartError> {
        match (self.guard, &self.guard_upstream) {
            (Listen::At(_), None) => Err(refused("--guard needs --guard-upstream, the address it forwards to")),
            (_, Some(url))
                if url.scheme() != "http" || !url.has_host() || url.query().is_some() || url.fragment().is_some() =>
            {
                Err(refused("--guard-upstream is an http address without a query, such as http://127.0.0.1:9000/shop"))
            }
            _ if self.guard_aws4_presigned > LONGEST_PRESIGNED => Err(refused("--guard-aws4-presigned is at most 7d")),
            _ => Ok(()),
        }
    }

    fn check_times(&self) -> Result<(), StartError> {
        if self.verification_window > LONGEST_VERIFICATION_WINDOW {
            return Err(refused("--verification-window is at most 30m"));
        }
        if self.session_idle.is_zero() || self.session_idle > self.session_max {
            return Err(refused("--session-idle is longer than 0 and no longer than --session-max"));
        }
        if self.session_max > LONGEST_SESSION {
            return Err(refused("--session-max is at most 7d"));
        }
        Ok(())
    }

    fn check_lease(&self) -> Result<(), StartError> {
        if self.lease.is_zero() {
            return Ok(());
        }
        if !(SHORTEST_LEASE..=LONGEST_LEASE).contains(&self.lease) {
            return Err(refused("--lease is 0, or from 500ms to 10s"));
        }
        if self.database_file()?.is_some() {
            return Err(refused(
                "--lease is for PostgreSQL; the embedded database is as near as memory, so leave it at 0",
            ));
        }
        Ok(())
    }

    /// Checks that there is something to serve.
    pub(crate) fn check_listeners(&self) -> Result<(), StartError> {
        if [self.console, self.api, self.guard, self.metrics].iter().all(|listen| *listen == Listen::Off) {
            return Err(refused(
                "all listeners are off, so there is nothing to serve: give --console, --api or --guard an address",
            ));
        }
        Ok(())
    }

    /// The settings for a command. Its caller would rather wait for the database than be told to retry.
    #[must_use]
    pub(crate) fn for_command(self) -> Self {
        Self { patience: db::OF_A_COMMAND, ..self }
    }

    /// The settings for the demo: its own directory and database, and loopback only.
    pub(crate) fn for_demo(self, data_dir: PathBuf) -> Self {
        let loopback = |listen| match listen {
            Listen::At(address) => Listen::At((Ipv4Addr::LOCALHOST, address.port()).into()),
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
            lease: Duration::ZERO,
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
}

/// Returns `true` if the URL has a host, and neither a path nor a query.
fn is_base(url: &Url) -> bool {
    url.has_host() && url.path() == "/" && url.query().is_none()
}

fn refused(message: &str) -> StartError {
    StartError::Setting(message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked() {
        let refused = |text: &str| Settings::resolve(file::parse(text).unwrap()).unwrap_err().to_string();
        assert!(refused("verification_window = \"31m\"").contains("at most 30m"));
        assert!(refused("session_idle = \"13h\"").contains("--session-idle"));
        assert!(refused("session_max = \"8d\"").contains("at most 7d"));
        assert!(refused("tls_cert = \"x.pem\"").contains("go together"));
        assert!(refused("public_url = \"https://keys.example/console\"").contains("without a path"));
        assert!(refused("api_public_url = \"https://keys.example/api\"").contains("--api-public-url"));
        assert!(refused("guard = \"127.0.0.1:0\"").contains("--guard-upstream"));
        assert!(refused("lease = \"2s\"").contains("for PostgreSQL"));
        assert!(refused("lease = \"11s\"\ndatabase = \"postgres://h/d\"").contains("from 500ms to 10s"));
        assert!(refused("guard_upstream = \"https://127.0.0.1\"").contains("an http address"));
    }

    #[test]
    fn nothing_given_means_the_defaults() {
        let settings = GivenSettings::default().complete();
        assert_eq!(settings.data_dir, PathBuf::from("./data"));
        assert_eq!(settings.console, "127.0.0.1:8080".parse().unwrap());
        assert_eq!((settings.guard, settings.metrics), (Listen::Off, Listen::Off));
        assert_eq!(settings.session_idle, Duration::from_mins(15));
        assert_eq!((settings.api_rate_limits, settings.guard_unsigned_payload), (true, false));
        assert!(settings.tls.is_none() && settings.trusted_proxies.is_empty());
    }
}
