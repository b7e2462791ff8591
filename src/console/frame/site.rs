//! How the console is reached: its address, the names it answers to, its cookies.

use std::net::SocketAddr;

use tower_cookies::Cookie;
use tower_cookies::cookie::SameSite;
use url::{Host, Position, Url};

use super::urls::LocalPath;

use crate::account::webauthn::RelyingParty;

/// The console as browsers see it.
#[derive(Debug)]
pub struct Site {
    /// The address in links.
    pub public_url: Url,
    /// Is that address https?
    pub https: bool,
    /// Origins its own forms are sent from.
    pub origins: Vec<String>,
    hosts: Vec<String>,
    /// May cookies be bound to a secure channel? On https, and on this machine itself.
    pub secure_cookies: bool,
    /// The cookies' names.
    pub cookies: CookieNames,
    api: Option<ApiAddress>,
    /// The console as passkeys know it; none where browsers know no passkeys.
    pub passkeys: Option<RelyingParty>,
}

/// Where programs reach the signed API.
#[derive(Clone, Debug)]
pub enum ApiAddress {
    /// As it was set.
    Set(Url),
    /// Under the name the console is reached by.
    OnConsolesHost {
        /// `http` or `https`.
        scheme: &'static str,
        /// Of the API's listener.
        port: u16,
    },
}

/// The names of the console's cookies.
#[derive(Debug)]
pub struct CookieNames {
    /// The session's.
    pub session: String,
    /// A random value that forms of strangers are bound to.
    pub visitor: String,
    /// A browser that has signed in before.
    pub device: String,
    /// What a browser without a session has been asked about a passkey.
    pub challenge: String,
    /// The language chosen.
    pub language: String,
    /// The theme chosen.
    pub theme: String,
    /// The page somebody wanted who had to sign in first.
    pub wanted: String,
}

impl Site {
    /// The site at `public_url`, served from `listener`. A console on loopback answers to every name of loopback. `api` is
    /// where the API is, if there is one.
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
            tracing::warn!(%public_url, "passwords and sessions cross the network unprotected; serve the console over https");
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

    /// The API's address for somebody who reaches the console as `host`; none where no API is known.
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

    /// Is this `Host` header one of the console's names? The port may stand there though it is the scheme's own, and the
    /// name with the dot that ends it: both name the same place.
    pub fn is_own_host(&self, host: &str) -> bool {
        let (name, port) = name_and_port(host);
        let name = name.strip_suffix('.').unwrap_or(name);
        let own_port = if self.https { ":443" } else { ":80" };
        let port = if port == own_port { "" } else { port };
        self.hosts.iter().map(|own| name_and_port(own)).any(|own| own.0.eq_ignore_ascii_case(name) && own.1 == port)
    }

    /// The console's own address for somebody who reaches it under another name of this machine, by `host`. Sessions and
    /// passkeys belong to a name, so there should be one. `None` under the right name, and where a proxy may be in between.
    pub fn moved_from(&self, host: &str) -> Option<&Url> {
        let (name, port) = name_and_port(host);
        let (own, own_port) = name_and_port(self.public_url.authority());
        (is_loopback(&self.public_url) && port == own_port && !name.eq_ignore_ascii_case(own))
            .then_some(&self.public_url)
    }

    /// Is this `Origin` header one of the console's own?
    pub fn is_own_origin(&self, origin: &str) -> bool {
        self.origins.iter().any(|own| own == origin)
    }

    /// The path of an address of the console's own.
    pub fn own_path(&self, address: &str) -> Option<LocalPath> {
        let url: Url = address.parse().ok()?;
        let own = self.is_own_origin(&url.origin().ascii_serialization());
        own.then(|| LocalPath::new(&url[Position::BeforePath..Position::AfterQuery])).flatten()
    }

    /// A cookie for this browser only, out of scripts' reach, sent to this site only.
    pub fn cookie(&self, name: String, value: String) -> Cookie<'static> {
        Cookie::build((name, value))
            .path("/")
            .http_only(true)
            .secure(self.secure_cookies)
            .same_site(SameSite::Strict)
            .build()
    }
}

/// The origin of a page at `base`; also that of one whose name was typed with the dot that ends it, which browsers keep.
fn own_origins(base: &Url) -> impl Iterator<Item = String> {
    let dotted = base.domain().and_then(|name| {
        let mut dotted = base.clone();
        dotted.set_host(Some(&format!("{name}."))).ok()?;
        Some(dotted)
    });
    [Some(base.clone()), dotted].into_iter().flatten().map(|base| base.origin().ascii_serialization())
}

/// A `Host` header's parts; the port with its colon, or nothing.
fn name_and_port(host: &str) -> (&str, &str) {
    // The colons within brackets belong to an address.
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
