//! TLS on the listeners.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use latchkey::config::{GivenSettings, Settings};
use latchkey::serve;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::{Engine, Product};

/// Writes a certificate for localhost and its key, and returns the certificate for clients to trust.
pub fn write_certificate(dir: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(dir.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

pub fn with_tls(given: GivenSettings, dir: &Path) -> GivenSettings {
    GivenSettings { tls_cert: Some(dir.join("cert.pem")), tls_key: Some(dir.join("key.pem")), ..given }
}

pub async fn connect(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
    offered: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(address).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

async fn ask(stream: &mut TlsStream<TcpStream>, path: &str) -> String {
    let port = stream.get_ref().0.peer_addr().unwrap().port();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost:{port}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // This test does not depend on an orderly TLS shutdown.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn console_and_api_speak_tls_and_within_it_http_1_1_only() {
    let dir = tempfile::tempdir().unwrap();
    let trusted = write_certificate(dir.path());
    let product = Product::start_with(Engine::Sqlite, |given| with_tls(given, dir.path())).await;
    for (address, path, status) in
        [(product.api, "/healthz", "200 OK"), (product.console, "/robots.txt", "200 OK"), (product.api, "/x", "404")]
    {
        let mut stream = connect(address, &trusted, &["h2", "http/1.1"]).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        let answer = ask(&mut stream, path).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
    let refused = connect(product.api, &trusted, &["h2"]).await.unwrap_err();
    assert!(refused.to_string().contains("NoApplicationProtocol"), "{refused}");

    // A connection without TLS is closed, and others are served in the meantime.
    let mut plain = TcpStream::connect(product.api).await.unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP"), "{answer:?}");
    let silent = TcpStream::connect(product.api).await.unwrap();
    let mut stream = connect(product.api, &trusted, &[]).await.unwrap();
    assert!(ask(&mut stream, "/healthz").await.ends_with("ok\n"));
    // A stop does not wait for a connection without a handshake.
    tokio::time::timeout(Duration::from_secs(5), product.stop()).await.unwrap();
    drop(silent);
}

/// The first message of a client that supports no version above TLS 1.`minor`, as in RFC 5246: no session, a cipher
/// suite of 1.2 and one of all versions, a curve and a signature algorithm.
fn client_hello(minor: u8) -> Vec<u8> {
    let version = [3, minor + 1];
    let curve = [0, 10, 0, 4, 0, 2, 0, 23];
    let signature = [0, 13, 0, 4, 0, 2, 4, 3];
    let body =
        [&version[..], &[7; 32], &[0], &[0, 4, 0xc0, 0x2b, 0xc0, 0x09], &[1, 0], &[0, 16], &curve, &signature].concat();
    let length = u8::try_from(body.len()).unwrap();
    [&[22][..], &version, &[0, length + 4], &[1, 0, 0, length], &body].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_older_than_1_2_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    write_certificate(dir.path());
    let product = Product::start_with(Engine::Sqlite, |given| with_tls(given, dir.path())).await;
    let first_bytes = async |minor| {
        let mut stream = TcpStream::connect(product.console).await.unwrap();
        stream.write_all(&client_hello(minor)).await.unwrap();
        let mut answer = [0; 7];
        stream.read_exact(&mut answer).await.unwrap();
        answer
    };
    // RFC 8446, section 6: a fatal alert, `protocol_version`.
    for minor in [0, 1] {
        assert!(matches!(first_bytes(minor).await, [21, 3, _, 0, 2, 2, 70]), "1.{minor}");
    }
    assert_eq!(first_bytes(2).await[0], 22, "a handshake");
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let dir = tempfile::tempdir().unwrap();
    write_certificate(dir.path());
    let refused = |cert: &str, key: &str| {
        let given = GivenSettings {
            data_dir: Some(dir.path().into()),
            tls_cert: Some(dir.path().join(cert)),
            tls_key: Some(dir.path().join(key)),
            ..GivenSettings::default()
        };
        serve::load_tls(&Settings::resolve(given).unwrap()).map(drop).unwrap_err().to_string()
    };
    let other = rcgen::KeyPair::generate().unwrap();
    std::fs::write(dir.path().join("other.pem"), other.serialize_pem()).unwrap();
    std::fs::write(dir.path().join("rubbish.pem"), "rubbish").unwrap();
    for (cert, key, culprit) in [
        ("missing.pem", "key.pem", "missing.pem"),
        ("cert.pem", "missing.pem", "missing.pem"),
        ("rubbish.pem", "key.pem", "rubbish.pem"),
        ("cert.pem", "rubbish.pem", "rubbish.pem"),
        ("cert.pem", "other.pem", "other.pem"),
    ] {
        let told = refused(cert, key);
        assert!(told.contains(culprit) && told.contains("--tls-cert"), "{told}");
    }
}
