//! Running the listeners: binds them, serves until told to stop, and finishes the requests in flight.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use url::Url;

use crate::app::App;
use crate::check::usage;
use crate::config::{Listen, Settings};
use crate::console::frame::site::{ApiAddress, Site};
use crate::db::{passkeys, pending_seeds, sessions};
use crate::entry::{api, guard};
use crate::http::listener;
use crate::http::tracked::{Panicked, Routes, Tracked};
use crate::metrics::Listener;
use crate::start_error::StartError;
use crate::{console, entry, throttle};

const MAINTENANCE_EVERY: Duration = Duration::from_mins(10);

/// A bound listener.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    /// The address that it listens on, with the actual port if port 0 was requested.
    pub address: SocketAddr,
}

/// The bound listeners of the server.
#[derive(Debug)]
pub struct Listeners {
    /// The console.
    pub console: Option<Bound>,
    /// The signed API.
    pub api: Option<Bound>,
    /// The guard in front of a back end.
    pub guard: Option<Bound>,
    /// The metrics for Prometheus.
    pub metrics: Option<Bound>,
}

impl Listeners {
    /// Binds every listener that the settings turn on.
    pub fn bind(settings: &Settings) -> Result<Self, StartError> {
        Ok(Self {
            console: bind("console", settings.console)?,
            api: bind("api", settings.api)?,
            guard: bind("guard", settings.guard)?,
            metrics: bind("metrics", settings.metrics)?,
        })
    }
}

fn bind(what: &'static str, listen: Listen) -> Result<Option<Bound>, StartError> {
    let Listen::At(address) = listen else { return Ok(None) };
    let failed = |cause| StartError::Bind { what, address, cause };
    let listener = std::net::TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let listener = TcpListener::from_std(listener).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok(Some(Bound { listener, address }))
}

/// The console's URL as its users see it: the configured one, or localhost with the actual port.
pub fn public_url(settings: &Settings, listeners: &Listeners) -> Url {
    if let Some(url) = &settings.public_url {
        return url.clone();
    }
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    let port = listeners.console.as_ref().map_or(8080, |console| console.address.port());
    format!("{scheme}://localhost:{port}").parse().expect("a port makes an address")
}

/// The API's address as programs reach it, if it is known.
fn api_address(settings: &Settings, listeners: &Listeners) -> Option<ApiAddress> {
    if let Some(url) = &settings.api_public_url {
        return Some(ApiAddress::Set(url.clone()));
    }
    let port = listeners.api.as_ref()?.address.port();
    Some(ApiAddress::OnConsolesHost { scheme: if settings.tls.is_some() { "https" } else { "http" }, port })
}

/// Loads the certificate and key, if the settings name them.
pub fn load_tls(settings: &Settings) -> Result<Option<TlsAcceptor>, StartError> {
    let Some((cert, key)) = &settings.tls else { return Ok(None) };
    // This fails only if a provider is already installed, which is just as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let unusable = |file: &Path, cause| StartError::Tls { file: file.to_owned(), cause };
    let certificates = CertificateDer::pem_file_iter(cert).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = certificates.map_err(|cause| unusable(cert, cause.into()))?;
    if certificates.is_empty() {
        return Err(unusable(cert, "it holds no certificate".into()));
    }
    let private_key = PrivateKeyDer::from_pem_file(key).map_err(|cause| unusable(key, cause.into()))?;
    let server = ServerConfig::builder().with_no_client_auth().with_single_cert(certificates, private_key);
    let mut server = server.map_err(|cause| unusable(key, cause.into()))?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(server))))
}

/// Serves until `shutdown` completes, then finishes the requests in flight and writes out what is buffered.
pub async fn run(
    app: App,
    listeners: Listeners,
    tls: Option<TlsAcceptor>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), StartError> {
    let public_url = public_url(&app.settings, &listeners);
    let api_address = api_address(&app.settings, &listeners);
    let maintenance = tokio::spawn(maintain(app.clone()));
    // Load the keys before the first request needs them.
    let warming = app.registry.clone();
    tokio::spawn(async move { warming.fresh().await });
    let (stop, stopping) = watch::channel(());
    let mut servers = JoinSet::new();
    let common = Common { app: app.clone(), tls, stopping };
    if let Some(bound) = listeners.metrics {
        let plain = Common { tls: None, ..common.clone() };
        servers.spawn(plain.serve(bound, Listener::Metrics, entry::metrics::router(app.clone()), guard::panicked));
    }
    if let Some(bound) = listeners.console {
        let site = Site::new(public_url, bound.address, api_address);
        servers.spawn(common.clone().serve(
            bound,
            Listener::Console,
            console::router(app.clone(), site),
            console::panicked,
        ));
    }
    if let Some(bound) = listeners.api {
        servers.spawn(common.clone().serve(bound, Listener::Api, api::Api::new(app.clone()), api::panicked));
    }
    if let (Some(bound), Some(upstream)) = (listeners.guard, &app.settings.guard_upstream) {
        servers.spawn(common.serve(bound, Listener::Guard, guard::router(app.clone(), upstream), guard::panicked));
    }

    let helpers = async {
        tokio::select! {
            () = app.registry.ended() => "the registry",
            () = app.usage.ended() => "the usage recorder",
        }
    };
    let ended = until_told(&mut servers, helpers, shutdown).await;
    tracing::info!("stopping; requests in flight may finish");
    app.stopping.store(true, Ordering::Relaxed);
    drop(stop);
    while let Some(ended) = servers.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a listener failed");
        }
    }
    maintenance.abort();
    app.usage.finish().await;
    app.close().await;
    ended
}

/// Serves until `shutdown` completes. A listener, or an essential task, that ends before is a defect, and ends the
/// server: whatever supervises the process notices that it is gone, and restarts it. `helpers` completes with the name
/// of the task that has ended.
async fn until_told(
    servers: &mut JoinSet<()>,
    helpers: impl Future<Output = &'static str>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), StartError> {
    tokio::select! {
        () = shutdown => Ok(()),
        helper = helpers => {
            tracing::error!(helper, "an essential task has ended");
            Err(StartError::ListenerEnded)
        }
        Some(ended) = servers.join_next() => {
            let error = ended.err().map(|error| error.to_string());
            tracing::error!(error, "a listener failed");
            Err(StartError::ListenerEnded)
        }
    }
}

/// The parts that all listeners have in common.
#[derive(Clone)]
struct Common {
    app: App,
    tls: Option<TlsAcceptor>,
    stopping: watch::Receiver<()>,
}

impl Common {
    async fn serve(self, bound: Bound, listener: Listener, routes: impl Routes, panicked: Panicked) {
        let trusted_proxies = self.app.settings.trusted_proxies.as_slice().into();
        let routes = Tracked::new(listener, routes, panicked, trusted_proxies, self.app.metrics.clone());
        listener::serve(bound.listener, self.tls, routes, self.stopping).await;
    }
}

/// Periodically deletes expired data.
async fn maintain(app: App) {
    let mut tick = tokio::time::interval(MAINTENANCE_EVERY);
    loop {
        tick.tick().await;
        let now = app.clock.now();
        let idle_since = now.minus(app.settings.session_idle);
        let outcome = async {
            sessions::purge(&app.db, now, idle_since, now.minus(app.settings.session_max)).await?;
            passkeys::purge(&app.db, now).await?;
            pending_seeds::purge(&app.db, now).await?;
            throttle::purge(&app.db, now).await?;
            usage::purge(&app.db, now).await
        };
        if let Err(error) = outcome.await {
            tracing::error!(%error, "deleting expired data failed; it will be tried again later");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn what_ends_by_itself_ends_the_server() {
        let mut servers = JoinSet::new();
        servers.spawn(pending());
        until_told(&mut servers, pending(), async {}).await.unwrap();
        let ended = until_told(&mut servers, async { "a helper" }, pending()).await;
        assert!(matches!(ended, Err(StartError::ListenerEnded)), "{ended:?}");
        servers.spawn(async { panic!("on purpose") });
        let ended = until_told(&mut servers, pending(), pending()).await;
        assert!(matches!(ended, Err(StartError::ListenerEnded)), "{ended:?}");
    }
}
