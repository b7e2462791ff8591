//! PostgreSQL's address: one URL, for one server or for several of which one accepts writes.
//!
//! The hosts are split in the same way as in libpq; `sqlx` reads the rest of the URL, once for each host. An address
//! that cannot be split never appears in a message, because any piece of it may belong to the password.

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::form_urlencoded;

use super::OpenError;

/// The reason why an address cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// A character in the name or the password ends it too early.
    #[error(
        "its address cannot be read: in its name and password percent-encode @ as %40, / as %2F, ? as %3F, # as %23, \
         : as %3A and % as %25"
    )]
    NotEncoded,
    /// A host or its port is malformed.
    #[error(
        "its address cannot be read: a host is NAME, NAME:PORT or [IPV6]:PORT, several have commas between them; and in a \
         password percent-encode @ as %40, / as %2F, ? as %3F, # as %23"
    )]
    Host,
    /// `port=` in the query is malformed.
    #[error(
        "its address cannot be read: port= has one number for all hosts, or one for each, with commas between them"
    )]
    Ports,
    /// `target_session_attrs` has an unsupported value.
    #[error("target_session_attrs in its address must be read-write, primary or any, because Latchkey writes")]
    Target,
}

/// The servers to connect to, and how.
#[derive(Clone, Debug)]
pub struct Address {
    /// The hosts, in the order in which they are tried. There is at least one.
    pub(super) hosts: Vec<PgConnectOptions>,
    /// `true` if a server that does not accept writes must be skipped.
    pub(super) writable: bool,
}

/// A URL, split into its parts.
#[derive(Debug, PartialEq, Eq)]
struct Parts<'a> {
    scheme: &'a str,
    /// The name and the password, not decoded.
    user: Option<&'a str>,
    hosts: &'a str,
    /// The path, with its slash.
    path: &'a str,
    query: &'a str,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Result<Self, AddressError> {
        let (scheme, rest) = url.split_once("://").ok_or(AddressError::Host)?;
        let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
        // The user part ends at the last @ of the authority. An @ after that was meant to belong to it, as was
        // everything after a #.
        let lost = |key: &str| key.contains(['@', '/', ':']);
        let ends_in_query = !authority.is_empty() && !authority.contains('@') && path.is_empty() && query.contains('@');
        if tail.contains('#') || path.contains('@') || keys(query).any(lost) || ends_in_query {
            return Err(AddressError::NotEncoded);
        }
        let (user, hosts) = authority.rsplit_once('@').map_or((None, authority), |(user, hosts)| (Some(user), hosts));
        Ok(Self { scheme, user, hosts, path, query })
    }
}

/// The names of the parameters, not decoded.
fn keys(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(key, _)| key))
}

impl Address {
    /// Parses `postgres://…`.
    pub fn parse(url: &str) -> Result<Self, OpenError> {
        let url = Parts::of(url)?;
        let (mut list, mut ports, mut target, mut encrypts) = (None, None, None, false);
        let mut others = form_urlencoded::Serializer::new(String::new());
        for (key, value) in form_urlencoded::parse(url.query.as_bytes()) {
            match &*key {
                "host" => list = Some(value.into_owned()),
                "port" => ports = Some(value.into_owned()),
                "target_session_attrs" => target = Some(value.into_owned()),
                _ => {
                    encrypts |= matches!(&*key, "sslmode" | "ssl-mode");
                    others.append_pair(&key, &value);
                }
            }
        }
        let others = others.finish();
        let mut places = match &list {
            Some(list) => list.split(',').map(|host| (host_in_query(host), None)).collect(),
            None => url.hosts.split(',').map(place).collect::<Result<Vec<_>, _>>()?,
        };
        set_ports(&mut places, ports.as_deref())?;
        let writable = match target.as_deref() {
            None => places.len() > 1,
            Some("any") => false,
            Some("read-write" | "primary") => true,
            Some(_) => return Err(AddressError::Target.into()),
        };
        let hosts = places.iter().map(|place| options(&url, place, &others, encrypts)).collect::<Result<_, _>>()?;
        Ok(Self { hosts, writable })
    }
}

/// The address of either engine for messages, without password and parameters. `None` if it is not clear which part of
/// it is the password.
pub fn for_people(url: &str) -> Option<String> {
    if url.starts_with("sqlite:") {
        return url.split('?').next().map(str::to_owned);
    }
    let Parts { scheme, user, hosts, path, .. } = Parts::of(url).ok()?;
    hosts.split(',').map(place).collect::<Result<Vec<_>, _>>().ok()?;
    let name = user.map(|user| user.split(':').next().unwrap_or_default());
    Some(format!("{scheme}://{}{hosts}{path}", name.map(|name| format!("{name}@")).unwrap_or_default()))
}

/// A host, and its port if it has one of its own.
type Place = (String, Option<u16>);

fn place(host: &str) -> Result<Place, AddressError> {
    // Colons within brackets belong to an IPv6 address.
    let name_ends = host.rfind(']').map_or(0, |bracket| bracket + 1);
    let (name, port) = match host[name_ends..].split_once(':') {
        Some((rest, port)) => (&host[..name_ends + rest.len()], Some(port)),
        None => (host, None),
    };
    let port = port.map(|port| port.parse().ok().filter(|port| *port != 0).ok_or(AddressError::Host)).transpose()?;
    if let Some(inside) = name.strip_prefix('[') {
        let address = inside.strip_suffix(']').ok_or(AddressError::Host)?;
        address.parse::<std::net::Ipv6Addr>().map_err(|_| AddressError::Host)?;
    } else if name.contains(['[', ']']) {
        return Err(AddressError::Host);
    }
    Ok((name.to_owned(), port))
}

/// A host from the query, as it is written in the authority of a URL: an IPv6 address in brackets, a socket's directory
/// percent-encoded.
fn host_in_query(host: &str) -> String {
    match host.parse::<std::net::Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => percent_encoded(host),
    }
}

fn percent_encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn set_ports(places: &mut [Place], ports: Option<&str>) -> Result<(), AddressError> {
    let Some(ports) = ports else { return Ok(()) };
    let ports: Vec<&str> = ports.split(',').collect();
    if ports.len() != 1 && ports.len() != places.len() {
        return Err(AddressError::Ports);
    }
    for (place, port) in places.iter_mut().zip(ports.iter().cycle()) {
        place.1 = Some(port.parse().ok().filter(|port| *port != 0).ok_or(AddressError::Ports)?);
    }
    Ok(())
}

fn options(parts: &Parts<'_>, place: &Place, query: &str, encrypts: bool) -> Result<PgConnectOptions, OpenError> {
    let (host, port) = place;
    let user = parts.user.map(|user| format!("{user}@")).unwrap_or_default();
    let port = port.map(|port| format!("&port={port}")).unwrap_or_default();
    let url = format!("{}://{user}{host}{}?{query}{port}", parts.scheme, parts.path);
    let options = url.parse::<PgConnectOptions>()?.application_name("latchkey");
    // Over a network, the server must prove its identity, unless the address says otherwise.
    let proves = encrypts || is_local(options.get_host());
    Ok(if proves { options } else { options.ssl_mode(PgSslMode::VerifyFull) })
}

/// Returns `true` for a socket's directory or a loopback host.
fn is_local(host: &str) -> bool {
    host.starts_with('/')
        || host == "localhost"
        || host.trim_matches(['[', ']']).parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests;
