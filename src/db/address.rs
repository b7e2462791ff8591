//! PostgreSQL's address: one URL, of one server or of several of which one takes writes.
//!
//! The hosts are split as libpq splits them; everything else of the URL is `sqlx`'s to read, host by host. An address that
//! cannot be split is not repeated in any message: each piece of it may be of the password.

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::form_urlencoded;

use super::OpenError;

/// Why an address cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Something in the name or the password ends them too early.
    #[error(
        "its address cannot be read: in its name and password percent-encode @ as %40, / as %2F, ? as %3F, # as %23, \
         : as %3A and % as %25"
    )]
    NotEncoded,
    /// A host, or its port.
    #[error(
        "its address cannot be read: a host is NAME, NAME:PORT or [IPV6]:PORT, several have commas between them; and in a \
         password percent-encode @ as %40, / as %2F, ? as %3F, # as %23"
    )]
    Host,
    /// `port=` in the query.
    #[error(
        "its address cannot be read: port= has one number for all hosts, or one for each, with commas between them"
    )]
    Ports,
    /// `target_session_attrs` is another one.
    #[error("target_session_attrs in its address is read-write, primary or any, for Latchkey writes")]
    Target,
}

/// Where to connect, and how.
#[derive(Clone, Debug)]
pub struct Address {
    /// At least one; asked in this order.
    pub(super) hosts: Vec<PgConnectOptions>,
    /// Must a server that takes no writes be passed over?
    pub(super) writable: bool,
}

/// A URL in its parts.
#[derive(Debug, PartialEq, Eq)]
struct Parts<'a> {
    scheme: &'a str,
    /// Name and password, not decoded.
    user: Option<&'a str>,
    hosts: &'a str,
    /// With its slash.
    path: &'a str,
    query: &'a str,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Result<Self, AddressError> {
        let (scheme, rest) = url.split_once("://").ok_or(AddressError::Host)?;
        let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
        // A user is over at the last @. One that is further on was to be it, and so was whatever is after a #.
        let lost = |key: &str| key.contains(['@', '/', ':']);
        let ends_in_query = !authority.is_empty() && !authority.contains('@') && path.is_empty() && query.contains('@');
        if tail.contains('#') || path.contains('@') || keys(query).any(lost) || ends_in_query {
            return Err(AddressError::NotEncoded);
        }
        let (user, hosts) = authority.rsplit_once('@').map_or((None, authority), |(user, hosts)| (Some(user), hosts));
        Ok(Self { scheme, user, hosts, path, query })
    }
}

/// The names of the parameters, as they stand there.
fn keys(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(key, _)| key))
}

impl Address {
    /// Of `postgres://…`.
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

/// The address of either engine for messages, without password and parameters; none if it is not clear what of it is the
/// password.
pub fn for_people(url: &str) -> Option<String> {
    if url.starts_with("sqlite:") {
        return url.split('?').next().map(str::to_owned);
    }
    let Parts { scheme, user, hosts, path, .. } = Parts::of(url).ok()?;
    hosts.split(',').map(place).collect::<Result<Vec<_>, _>>().ok()?;
    let name = user.map(|user| user.split(':').next().unwrap_or_default());
    Some(format!("{scheme}://{}{hosts}{path}", name.map(|name| format!("{name}@")).unwrap_or_default()))
}

/// A host, and its port where it has one of its own.
type Place = (String, Option<u16>);

fn place(host: &str) -> Result<Place, AddressError> {
    // The colons within brackets belong to an address.
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

/// As it stands in a URL: an address of IPv6 in brackets, the folder of a socket encoded.
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
    // Over a network the server must prove who it is, unless the address says otherwise.
    let proves = encrypts || is_local(options.get_host());
    Ok(if proves { options } else { options.ssl_mode(PgSslMode::VerifyFull) })
}

/// A socket's folder, or a name of loopback.
fn is_local(host: &str) -> bool {
    host.starts_with('/')
        || host == "localhost"
        || host.trim_matches(['[', ']']).parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests;
