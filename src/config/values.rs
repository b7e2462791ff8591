//! The types of the settings' values, and how they are written.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;

/// The address on which a listener listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// The listener is off.
    Off,
    /// The listener listens on this address. Port 0 takes a free one.
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

/// A length of time as people write it: `15m`, `12h`, `0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        span.0
    }
}

/// A signature scheme for requests to a back end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum GuardScheme {
    /// Signature version 3.
    Tc3,
    /// Signature Version 4 of AWS.
    Aws4,
}

/// The scope that signatures must be for: `REGION/SERVICE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aws4Scope {
    /// The region.
    pub region: String,
    /// The service.
    pub service: String,
}

impl FromStr for Aws4Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((region, service)) if !region.is_empty() && !service.is_empty() && !service.contains('/') => {
                Ok(Self { region: region.to_owned(), service: service.to_owned() })
            }
            _ => Err("expected REGION/SERVICE such as eu-west-1/shop".to_owned()),
        }
    }
}

/// Parses a network or a single address.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let one = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| one()).map_err(|_| "expected an address or a network such as 10.0.0.0/8".to_owned())
}
