//! Running the listeners: bind them all, say where they are, serve until told to stop, finish what is in flight.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use url::Url;

use crate::config::{Listen, Settings, StartError};
use crate::connections::Limited;
use crate::db::{passkeys, sessions};
use crate::state::App;
use crate::web::site::{ApiAddress, Site};
use crate::{api, guard, metrics, throttle, usage, web};

/// How long requests in flight may take once the server is told to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// How long a client may take to send a request's headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const HEADER_BYTES: usize = 64 * 1024;
const MAINTENANCE_EVERY: Duration = Duration::from_mins(10);

/// A bound listener.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    /// Where it listens; the port it got where 0 was asked for.
    pub address: SocketAddr,
}

/// The bound listeners of the product.
#[derive(Debug)]
pub struct Listeners {
    /// For people.
    pub console: Option<Bound>,
    /// For programs.
    pub api: Option<Bound>,
    /// Before a back end.
    pub guard: Option<Bound>,
    /// For Prometheus.
    pub metrics: Option<Bound>,
}

impl Listeners {
    /// Binds every listener the settings ask for.
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
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok(Some(Bound { listener, address }))
}

/// The console's address as its users see it: as set, or localhost and the port it got.
pub fn public_url(settings: &Settings, listeners: &Listeners) -> Url {
    if let Some(url) = &settings.public_url {
        return url.clone();
    }
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    let port = listeners.console.as_ref().map_or(8080, |console| console.address.port());
    format!("{scheme}://localhost:{port}").parse().expect("a port makes an address")
}

/// The API's address as programs reach it, as far as it is known.
fn api_address(settings: &Settings, listeners: &Listeners) -> Option<ApiAddress> {
    if let Some(url) = &settings.api_public_url {
        return Some(ApiAddress::Set(url.clone()));
    }
    let port = listeners.api.as_ref()?.address.port();
    Some(ApiAddress::OnConsolesHost { scheme: if settings.tls.is_some() { "https" } else { "http" }, port })
}

/// Reads certificate and key, where the settings name them.
pub async fn load_tls(settings: &Settings) -> Result<Option<RustlsConfig>, StartError> {
    let Some((cert, key)) = &settings.tls else { return Ok(None) };
    // Fails only if one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = RustlsConfig::from_pem_file(cert, key).await.map_err(StartError::Tls)?;
    let mut server = (*config.get_inner()).clone();
    // HTTP/1.1 only: the routers go by the Host header, and signatures are over it.
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(RustlsConfig::from_config(Arc::new(server))))
}

/// Serves until `shutdown` is done, then lets requests in flight finish and writes out what is buffered.
pub async fn run(
    app: App,
    listeners: Listeners,
    tls: Option<RustlsConfig>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), StartError> {
    let public_url = public_url(&app.settings, &listeners);
    let api_address = api_address(&app.settings, &listeners);
    let maintenance = tokio::spawn(maintain(app.clone()));
    // So that the keys are there before the first request asks for them.
    let warming = app.registry.clone();
    tokio::spawn(async move { warming.fresh().await });
    let mut handles = Vec::new();
    let mut servers = tokio::task::JoinSet::new();
    let mut start = |bound: Bound, router: Router, tls: Option<RustlsConfig>, upgrades: bool| {
        let handle = Handle::new();
        handles.push(handle.clone());
        servers.spawn(serve(bound.listener, router, tls, handle, upgrades));
    };
    if let Some(bound) = listeners.metrics {
        start(bound, metrics::router(app.clone()), None, false);
    }
    if let Some(bound) = listeners.console {
        let site = Site::new(public_url, bound.address, api_address);
        start(bound, web::router(app.clone(), site), tls.clone(), false);
    }
    if let Some(bound) = listeners.api {
        start(bound, api::router(app.clone()), tls.clone(), false);
    }
    if let (Some(bound), Some(upstream)) = (listeners.guard, &app.settings.guard_upstream) {
        start(bound, guard::router(app.clone(), upstream), tls, true);
    }

    shutdown.await;
    tracing::info!("stopping; requests in flight may finish");
    for handle in handles {
        handle.graceful_shutdown(Some(DRAIN));
    }
    while let Some(ended) = servers.join_next().await {
        if let Ok(Err(cause)) = ended {
            tracing::error!(%cause, "a listener failed");
        }
    }
    maintenance.abort();
    app.usage.flush().await;
    app.close().await;
    Ok(())
}

/// HTTP/1.1 only. `axum_server`'s switch for it also turns upgrades off, so the guard refuses other versions by itself.
async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<RustlsConfig>,
    handle: Handle<SocketAddr>,
    upgrades: bool,
) -> std::io::Result<()> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    match tls {
        None => {
            let server = axum_server::from_tcp(listener)?.handle(handle).first_request_timeout(HEADER_TIMEOUT);
            let server = server.map(Limited::new);
            let mut server = if upgrades { server } else { server.http1_only() };
            limit(server.http_builder());
            server.serve(service).await
        }
        Some(tls) => {
            let server =
                axum_server::from_tcp_rustls(listener, tls)?.handle(handle).first_request_timeout(HEADER_TIMEOUT);
            let server = server.map(Limited::new);
            let mut server = if upgrades { server } else { server.http1_only() };
            limit(server.http_builder());
            server.serve(service).await
        }
    }
}

fn limit(builder: &mut Builder<TokioExecutor>) {
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(HEADER_BYTES);
    // For the one listener that cannot refuse it as a whole, since that would turn upgrades off: it takes no request there.
    builder.http2().max_concurrent_streams(0);
}

/// Clears out, now and then, what has run out.
async fn maintain(app: App) {
    let mut tick = tokio::time::interval(MAINTENANCE_EVERY);
    loop {
        tick.tick().await;
        let now = app.clock.now();
        let idle_since = now.minus(app.settings.session_idle);
        let outcome = async {
            sessions::purge(&app.db, now, idle_since, now.minus(app.settings.session_max)).await?;
            passkeys::purge(&app.db, now).await?;
            throttle::purge(&app.db, now).await?;
            usage::purge(&app.db, now).await
        };
        if let Err(error) = outcome.await {
            tracing::error!(%error, "clearing out failed; it is tried again later");
        }
    }
}
