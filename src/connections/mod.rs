//! The connections of one listener: accepted up to a bound, through TLS where it is asked for, served as HTTP/1.1, and
//! ended when the server stops.
//!
//! HTTP/1.1 only: the routers go by the Host header, and signatures are over it.

mod header_timer;

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio_rustls::TlsAcceptor;

use self::header_timer::HeaderTimer;
use crate::requests::{Routes, Tracked};

/// Connections of one listener at once. Each may take some 64 KiB for a request's headers.
const MOST: usize = 1024;
/// How long a client may take to send a request's headers, and before them for the handshake of TLS.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const HEADER_BYTES: usize = 64 * 1024;
/// How long requests in flight may take once the server is told to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// After an accept has failed for a reason that lasts, such as no descriptors left; no core is to be spent on trying.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Serves until the sender of `stopping` is dropped, then lets requests in flight finish.
pub async fn serve<R: Routes>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    routes: Tracked<R>,
    mut stopping: watch::Receiver<()>,
) {
    let routes = Arc::new(routes);
    let places = Arc::new(Semaphore::new(MOST));
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
            listener.accept().await.map(|(stream, peer)| (Placed { stream, _place: place }, peer.ip()))
        };
        tokio::select! {
            _ = stopping.changed() => break,
            Some(ended) = connections.join_next() => log_failure(ended, routes.name()),
            accepted = next => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(serve_connection(stream, tls.clone(), routes.clone(), peer, stopping.clone()));
                }
                Err(error) => rest_after(&error, routes.name()).await,
            },
        }
    }
    drop(listener);
    let drained = async {
        while let Some(ended) = connections.join_next().await {
            log_failure(ended, routes.name());
        }
    };
    if tokio::time::timeout(DRAIN, drained).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            listener = routes.name(),
            "cut off: their requests took too long to finish"
        );
        connections.shutdown().await;
    }
}

/// What answers a request catches its own panics; this is for what sends the answer.
fn log_failure(ended: Result<(), JoinError>, listener: &'static str) {
    if let Err(error) = ended {
        tracing::error!(%error, listener, "a connection failed");
    }
}

async fn rest_after(error: &io::Error, listener: &'static str) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::error!(%error, listener, "no connection could be accepted");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

async fn serve_connection<R: Routes>(
    stream: Placed,
    tls: Option<TlsAcceptor>,
    routes: Arc<Tracked<R>>,
    peer: IpAddr,
    mut stopping: watch::Receiver<()>,
) {
    let Some(tls) = tls else { return serve_http(stream, routes, peer, stopping).await };
    let shaken = tokio::select! {
        shaken = tokio::time::timeout(HEADER_TIMEOUT, tls.accept(stream)) => shaken,
        _ = stopping.changed() => return,
    };
    match shaken {
        Ok(Ok(stream)) => serve_http(stream, routes, peer, stopping).await,
        Ok(Err(error)) => tracing::debug!(%error, %peer, "a TLS handshake failed"),
        Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
    }
}

async fn serve_http<S, R>(stream: S, routes: Arc<Tracked<R>>, peer: IpAddr, mut stopping: watch::Receiver<()>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    R: Routes,
{
    let service = service_fn(move |request| routes.clone().answer(peer, request).map(Ok::<_, Infallible>));
    let mut connection = pin!(
        http1::Builder::new()
            .timer(HeaderTimer::new(HEADER_TIMEOUT))
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(HEADER_BYTES)
            // To copy a small body behind its headers is cheaper than to have the kernel gather the two.
            .writev(false)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
    );
    let stops = stopping.clone();
    // Asked once, the stop wakes this task when it comes: the task stays the same. The runtime's budget would have it put off
    // what it is asked, and then nobody would ask again.
    let mut stopped = pin!(tokio::task::unconstrained(stopping.changed()));
    let mut waits = false;
    let ended_by_itself = poll_fn(|cx| {
        if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
            return Poll::Ready(Some(ended));
        }
        if waits && stops.has_changed().is_ok() {
            return Poll::Pending;
        }
        waits = true;
        stopped.as_mut().poll(cx).map(|_| None)
    });
    let ended = if let Some(ended) = ended_by_itself.await {
        ended
    } else {
        connection.as_mut().graceful_shutdown();
        connection.await
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "a connection broke off");
    }
}

/// A connection that holds its place until it ends.
#[derive(Debug)]
struct Placed {
    stream: TcpStream,
    _place: OwnedSemaphorePermit,
}

impl AsyncRead for Placed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Placed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
