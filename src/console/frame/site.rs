//! The console's public address: its URL, host names and cookies.

use std::net::SocketAddr;

use tower_cookies::Cookie;
use tower_cookies::cookie::SameSite;
use url::{Host, Position, Url};

use super::urls::LocalPath;

use crate::account::webauthn::RelyingParty;

/// The console as browsers see it.
#[derive(Debug)]
pub struct Site {
    /// The URL that links start with.
    pub public_url: Url,
    /// `true` if that URL is https.
    pub https: bool,
    /// The origins that the console's own forms are sent from.
    pub origins: Vec<String>,
    hosts: Vec<String>,
    /// `true` if cookies can have the `Secure` attribute: over https, and on the local machine.
    pub secure_cookies: bool,
    /// The names of the cookies.
    pub cookies: CookieNames,
    api: Option<ApiAddress>,
    /// The console as a relying party for passkeys. `None` if browsers support no passkeys there.
    pub passkeys: Option<RelyingParty>,
}

/// The address at which programs reach the signed API.
#[derive(Clone, Debug)]
pub enum ApiAddress {
    /// The configured address.
    Set(Url),
    /// The host name by which the console is reached.
    OnConsolesHost {
        /// `http` or `https`.
        scheme: &'static str,
        /// The port of the API's listener.
        port: u16,
    },
}

/// The names of the console's cookies.
#[derive(Debug)]
pub struct CookieNames {
    /// The session ID.
    pub session: String,
    /// A random value that the forms of anonymous readers are bound to.
    pub visitor: String,
    /// The token of a browser that has signed in before.
    pub device: String,
    /// The passkey challenge of a browser without a session.
    pub challenge: String,
    /// The chosen language.
    pub language: String,
    /// The chosen theme.
    pub theme: String,
    /// The page that was requested before sign-in.
    pub wanted: String,
}

impl Site {
    /// The site at `public_url`, served from `listener`. A console on a loopback address accepts every loopback name.
    /// `api` is the address of the API, if there is one.
    pub fn new(public_url: Url, listener: SocketAddr, api: Option<ApiAddress>) -> Self {
        let https = public_url.scheme() == "https";
        let mut bases = vec![public_url.clone()];
        let own_port = listener.ip().is_loopback().then_some(listener.port());
        let public_port = public_url.port_or_known_default().filter(|_| is_loopback(&public_url));
        for port in own_port.into_iter().chain(public_port) {
            let names = ["localhost", "127.0.0.1", "[::1]"];
            let local = names.map(|name| format!("{}://{name}:{port}", public_url.scheme()));
            bases.extend(local.iter().filter_map(|base| base.parse::<Url>().ok()));
        }
        let secure_cookies = https || is_loopback(&public_url);
        if !secure_cookies {
            tracing::warn!(
                %public_url,
                "passwords and sessions cross the network without encryption; serve the console over https"
            );
        }
        let prefix = if secure_cookies { "__Host-" } else { "" };
        let name = |name: &str| format!("{prefix}latchkey-{name}");
        Self {
            https,
            origins: bases.iter().flat_map(own_origins).collect(),
            hosts: bases.iter().map(|base| base.authority().to_owned()).collect(),
            passkeys: RelyingParty::new(&public_url, secure_cookies, &bases),
            secure_cookies,
            cookies: CookieNames {
                session: name("session"),
                visitor: name("visitor"),
                device: name("device"),
                challenge: name("challenge"),
                language: name("language"),
                theme: name("theme"),
                wanted: name("wanted"),
            },
            api,
            public_url,
        }
    }

    /// The API's URL for a reader who reaches the console as `host`. Returns `None` if no API is known.
    pub fn api_url(&self, host: &str) -> Option<Url> {
        match self.api.as_ref()? {
            ApiAddress::Set(url) => Some(url.clone()),
            ApiAddress::OnConsolesHost { scheme, port } => {
                let mut url: Url = format!("{scheme}://{host}").parse().ok()?;
                url.set_port(Some(*port)).ok()?;
                Some(url)
            }
        }
    }

    /// Returns `true` if this `Host` header is one of the console's names. It may include the scheme's default port, or
    /// the final dot of an absolute name, which change nothing.
    pub fn is_own_host(&self, host: &str) -> bool {
        let (name, port) = name_and_port(host);
        let name = name.strip_suffix('.').unwrap_or(name);
        let own_port = if self.https { ":443" } else { ":80" };
        let port = if port == own_port { "" } else { port };
        self.hosts.iter().map(|own| name_and_port(own)).any(|own| own.0.eq_ignore_ascii_case(name) && own.1 == port)
    }

    /// The console's own URL, if `host` is another name of this machine. Sessions and passkeys belong to a name, so
    /// there should be only one. Returns `None` for the right name, and if a proxy may be in between.
    pub fn moved_from(&self, host: &str) -> Option<&Url> {
        let (name, port) = name_and_port(host);
        let (own, own_port) = name_and_port(self.public_url.authority());
        (is_loopback(&self.public_url) && port == own_port && !name.eq_ignore_ascii_case(own))
            .then_some(&self.public_url)
    }

    /// Returns `true` if this `Origin` header is one of the console's own.
    pub fn is_own_origin(&self, origin: &str) -> bool {
        self.origins.iter().any(|own| own == origin)
    }

    /// The path of a URL of the console. Returns `None` for any other URL.
    pub fn own_path(&self, address: &str) -> Option<LocalPath> {
        let url: Url = address.parse().ok()?;
        let own = self.is_own_origin(&url.origin().ascii_serialization());
        own.then(|| LocalPath::new(&url[Position::BeforePath..Position::AfterQuery])).flatten()
    }

    /// A cookie that scripts cannot read and that is sent only to this site.
    pub fn cookie(&self, name: String, value: String) -> Cookie<'static> {
        Cookie::build((name, value))
            .path("/")
            .http_only(true)
            .secure(self.secure_cookies)
            .same_site(SameSite::Strict)
            .build()
    }
}

/// The origin of a page at `base`, and that of a page whose host name was typed with a final dot, which browsers keep.
fn own_origins(base: &Url) -> impl Iterator<Item = String> {
    let dotted = base.domain().and_then(|name| {
        let mut dotted = base.clone();
        dotted.set_host(Some(&format!("{name}."))).ok()?;
        Some(dotted)
    });
    [Some(base.clone()), dotted].into_iter().flatten().map(|base| base.origin().ascii_serialization())
}

/// Splits a `Host` header into the name and the port. The port includes its colon, or is empty.
fn name_and_port(host: &str) -> (&str, &str) {
    // Colons within brackets belong to an IPv6 address.
    let name_ends = host.rfind(']').map_or(0, |bracket| bracket + 1);
    let port = host[name_ends..].rfind(':').map_or(host.len(), |colon| name_ends + colon);
    host.split_at(port)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
