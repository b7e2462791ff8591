//! `latchkey healthcheck`, for the health check of a container, which has no curl.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::config::{Listen, Settings};
use crate::http::tracked::HEALTH_PATH;
use crate::start_error::StartError;

const PATIENCE: Duration = Duration::from_secs(3);

type Unhealthy = Box<dyn std::error::Error + Send + Sync>;

/// Checks every listener that the settings turn on, all at the same time.
pub(super) async fn healthcheck(settings: &Settings) -> Result<(), StartError> {
    let tls = settings.tls.as_ref().map(|_| any_certificate());
    let listeners = [
        ("console", settings.console, tls.as_ref()),
        ("api", settings.api, tls.as_ref()),
        ("guard", settings.guard, tls.as_ref()),
        ("metrics", settings.metrics, None),
    ];
    let asked: Vec<_> = listeners
        .into_iter()
        .filter_map(|(name, listen, tls)| match listen {
            Listen::At(address) => Some(check(name, reachable(address), tls)),
            Listen::Off => None,
        })
        .collect();
    if asked.is_empty() {
        return Err(StartError::Setting("all listeners are off, so there is nothing to check".to_owned()));
    }
    try_join_all(asked).await.map(drop)
}

async fn check(name: &str, address: SocketAddr, tls: Option<&TlsConnector>) -> Result<(), StartError> {
    let cause = match tokio::time::timeout(PATIENCE, ask(address, tls)).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(cause)) => format!("is not healthy: {cause}"),
        Err(_) => format!("did not respond within {} s", PATIENCE.as_secs()),
    };
    Err(StartError::Setting(format!("{address} ({name}) {cause}")))
}

/// A listener on all addresses is checked on the loopback address.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if !ip.is_unspecified() => address,
        IpAddr::V4(_) => (Ipv4Addr::LOCALHOST, address.port()).into(),
        IpAddr::V6(_) => (Ipv6Addr::LOCALHOST, address.port()).into(),
    }
}

async fn ask(address: SocketAddr, tls: Option<&TlsConnector>) -> Result<(), Unhealthy> {
    let stream = TcpStream::connect(address).await?;
    let Some(tls) = tls else { return ask_on(stream, address).await };
    ask_on(tls.connect(address.ip().into(), stream).await?, address).await
}

/// Any response except a server error counts as healthy: only the API has a health page, and the guard refuses requests
/// that are not signed.
async fn ask_on<S>(stream: S, address: SocketAddr) -> Result<(), Unhealthy>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = hyper::Request::get(HEALTH_PATH).header("host", address.to_string());
    let request = request.header("connection", "close").body(Empty::<Bytes>::new())?;
    let status = sender.send_request(request).await?.status();
    if status.is_server_error() { Err(format!("it responded with {status}").into()) } else { Ok(()) }
}

/// Accepts any certificate: this command checks that the listener speaks TLS, not the certificate's name or validity.
fn any_certificate() -> TlsConnector {
    let _ = ring::default_provider().install_default();
    let verifier = Arc::new(AnyCertificate(ring::default_provider()));
    let config = ClientConfig::builder().dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

#[derive(Debug)]
struct AnyCertificate(CryptoProvider);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
