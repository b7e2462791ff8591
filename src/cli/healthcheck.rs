//! `latchkey healthcheck`: for a container's health check, which has no curl.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;

use crate::config::{Listen, Settings, StartError};
use crate::requests::HEALTH_PATH;

const PATIENCE: Duration = Duration::from_secs(3);

/// Asks the API listener's `/healthz`.
pub(super) async fn healthcheck(settings: &Settings) -> Result<(), StartError> {
    let Listen::At(address) = settings.api else {
        return Err(StartError::Setting("the api listener is off, so there is nothing to ask".to_owned()));
    };
    let address = reachable(address);
    match tokio::time::timeout(PATIENCE, ask(address, settings.tls.is_some())).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(cause)) => Err(StartError::Setting(format!("{address} is not healthy: {cause}"))),
        Err(_) => Err(StartError::Setting(format!("{address} did not answer within {} s", PATIENCE.as_secs()))),
    }
}

/// A listener on every address is asked on loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if !ip.is_unspecified() => address,
        IpAddr::V4(_) => (Ipv4Addr::LOCALHOST, address.port()).into(),
        IpAddr::V6(_) => (std::net::Ipv6Addr::LOCALHOST, address.port()).into(),
    }
}

async fn ask(address: SocketAddr, tls: bool) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let stream = tokio::net::TcpStream::connect(address).await?;
    if tls {
        // Whose name the certificate bears is not this command's concern; that the port answers is.
        return Ok(());
    }
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = hyper::Request::get(HEALTH_PATH).header("host", address.to_string()).body(Empty::<Bytes>::new())?;
    let status = sender.send_request(request).await?.status();
    if status.is_success() { Ok(()) } else { Err(format!("it answered {status}").into()) }
}
