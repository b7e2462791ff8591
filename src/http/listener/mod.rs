//! The connections of one listener: accepted up to a limit, encrypted with TLS if configured, served as HTTP/1.1, and
//! closed gracefully at shutdown.
//!
//! HTTP/1.1 only, because the routers go by the Host header, and signatures cover it.

mod header_timer;
mod listening;
mod phase;
mod places;
mod stream;

use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::FutureExt;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio_rustls::TlsAcceptor;

use self::header_timer::HeaderTimer;
use self::phase::Phase;
use self::places::{Admission, Places};
use self::stream::Stream;
use super::tracked::{CutWhen, Routes, Tracked};
use crate::metrics::Cut;

/// The most connections of one listener at a time. Each may use some 64 KiB for a request's headers, and some 128 KiB
/// for a response.
const MOST: usize = 1024;
/// The most connections of one address, which many people behind a router may share. A trusted proxy may have all of
/// [`MOST`].
const SHARE: usize = MOST / 4;
/// The time limit for the headers of a request, and for the TLS handshake before them.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const HEADER_BYTES: usize = 64 * 1024;
/// At shutdown, the time for which the server keeps accepting connections, and the time that each connection has to
/// begin one last request. By then, proxies have used or closed the connections that they hold open.
const GRACE: Duration = Duration::from_secs(1);
/// The time allowed, at the end of [`GRACE`], for connections that are just being established, until they can be
/// accepted.
const HANDSHAKE: Duration = Duration::from_millis(20);
/// The time limit for the whole shutdown.
const DRAIN: Duration = Duration::from_secs(10);
/// The interval at which idle connections are looked for during shutdown.
const DRAIN_LOOK: Duration = Duration::from_millis(50);
/// The pause after an accept has failed for a lasting reason, such as a lack of file descriptors. Without it, the
/// retries would occupy a core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Serves until the sender of `stopping` is dropped. Then finishes the requests that are in progress or on their way.
pub async fn serve<R: Routes>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    routes: Tracked<R>,
    mut stopping: watch::Receiver<()>,
) {
    listening::prepare(&listener);
    let told = stopping.clone();
    let places = Places::new(MOST, SHARE);
    let (routes, connections) = (Arc::new(routes), JoinSet::new());
    let mut server = Server { listener, tls, routes, places, told, next: None, connections };
    loop {
        tokio::select! {
            biased;
            _ = stopping.changed() => break,
            () = server.step() => {}
        }
    }
    server.stop().await;
}

/// A listener and its connections.
struct Server<R> {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    routes: Arc<Tracked<R>>,
    places: Arc<Places>,
    told: watch::Receiver<()>,
    /// A connection that has been accepted but has no place yet.
    next: Option<(TcpStream, SocketAddr)>,
    connections: JoinSet<()>,
}

impl<R: Routes> Server<R> {
    /// Accepts a connection, or cleans up one that has ended. Cancel safe.
    async fn step(&mut self) {
        let next = async {
            if self.next.is_none() {
                self.next = Some(self.listener.accept().await?);
            }
            self.places.room().await;
            Ok(())
        };
        tokio::select! {
            biased;
            Some(ended) = self.connections.join_next() => log_failure(ended, self.routes.name()),
            accepted = next => match accepted {
                Ok(()) => self.admit(),
                Err(error) => self.rest_after(&error).await,
            },
        }
    }

    /// Gives the next connection a place, if there is one.
    fn admit(&mut self) {
        let Some((stream, address)) = self.next.take() else { return };
        let peer = address.ip();
        let place = match self.places.take(peer, !self.routes.trusts(peer)) {
            Admission::Free(place) => place,
            Admission::MadeWay(place) => {
                self.routes.cut(Cut::MadeWay);
                place
            }
            Admission::Refused => return self.routes.cut(Cut::Share),
            Admission::Full => {
                self.next = Some((stream, address));
                return;
            }
        };
        let phase = place.phase.clone();
        let stream = Stream::new(stream, place);
        let connection = Connection { routes: self.routes.clone(), peer, phase, told: self.told.clone() };
        self.connections.spawn(connection.serve(stream, self.tls.clone()));
    }

    async fn rest_after(&self, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
        if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
            return;
        }
        // Usually there are too few file descriptors. Closing an idle connection may free one.
        if self.places.free_one().await {
            return self.routes.cut(Cut::MadeWay);
        }
        tracing::error!(%error, listener = self.routes.name(), "no connection could be accepted");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }

    /// Answers the requests that are on their way, each as the last of its connection, and ends.
    async fn stop(mut self) {
        let mut drained = pin!(tokio::time::sleep(DRAIN));
        let mut grace = pin!(tokio::time::sleep(GRACE));
        while !self.connections.is_empty() {
            tokio::select! {
                biased;
                () = &mut grace => break,
                () = self.step() => {}
            }
        }
        listening::turn_away(&self.listener);
        let mut handshake = pin!(tokio::time::sleep(HANDSHAKE));
        loop {
            tokio::select! {
                biased;
                () = &mut handshake => break,
                () = self.step() => {}
            }
        }
        while self.next.is_none()
            && let Some(Ok(accepted)) = self.listener.accept().now_or_never()
        {
            self.next = Some(accepted);
            self.admit();
        }
        let Self { listener, routes, places, mut connections, .. } = self;
        drop(listener);
        while !connections.is_empty() {
            places.end_waiting(GRACE);
            tokio::select! {
                biased;
                Some(ended) = connections.join_next() => log_failure(ended, routes.name()),
                () = &mut drained => break,
                () = tokio::time::sleep(DRAIN_LOOK) => {}
            }
        }
        if !connections.is_empty() {
            tracing::warn!(
                connections = connections.len(),
                listener = routes.name(),
                "cut off: their requests took too long to finish"
            );
            connections.shutdown().await;
        }
    }
}

/// Logs a failed connection. Panics of handlers are caught before; this is for panics while a response is sent.
fn log_failure(ended: Result<(), JoinError>, listener: &'static str) {
    if let Err(error) = ended {
        tracing::error!(%error, listener, "a connection failed");
    }
}

/// The context of a connection's task.
struct Connection<R> {
    routes: Arc<Tracked<R>>,
    peer: IpAddr,
    phase: Arc<Phase>,
    told: watch::Receiver<()>,
}

impl<R: Routes> Connection<R> {
    async fn serve(self, stream: Stream, tls: Option<TlsAcceptor>) {
        let Some(tls) = tls else { return self.serve_http(stream).await };
        let shaken = tokio::select! {
            shaken = tokio::time::timeout(HEADER_TIMEOUT, tls.accept(stream)) => shaken,
            () = self.phase.ended() => return,
        };
        let peer = self.peer;
        match shaken {
            Ok(Ok(stream)) => self.serve_http(stream).await,
            Ok(Err(error)) => tracing::debug!(%error, %peer, "a TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
        }
    }

    async fn serve_http<S>(self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { routes, peer, phase, .. } = &self;
        let service = service_fn(|request| {
            let answer = routes.clone().answer(*peer, request);
            answer.map(|mut response| {
                self.prepare(&mut response);
                Ok::<_, Infallible>(response)
            })
        });
        let mut connection = pin!(
            http1::Builder::new()
                .timer(HeaderTimer::new(HEADER_TIMEOUT, phase.clone()))
                .header_read_timeout(HEADER_TIMEOUT)
                .max_buf_size(HEADER_BYTES)
                // Copying a small body behind its headers is cheaper than having the kernel gather the two.
                .writev(false)
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
        );
        let mut told_to_end = pin!(phase.ended());
        let ended = poll_fn(|cx| {
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                return Poll::Ready(ended);
            }
            if phase.poll_cut(cx).is_ready() {
                routes.cut(Cut::KeyDisabled);
                return Poll::Ready(Ok(()));
            }
            told_to_end.as_mut().poll(cx).map(Ok)
        });
        if let Err(error) = ended.await {
            if is_stalled(&error) {
                routes.cut(Cut::Stalled);
            }
            tracing::debug!(%error, %peer, "a connection ended with an error");
        }
    }

    /// Registers the condition that cuts off the response, if it has one, and tells the client if the connection ends
    /// with this response.
    fn prepare(&self, response: &mut Response) {
        if let Some(when) = response.extensions_mut().remove::<CutWhen>() {
            self.phase.cut_when(when);
        }
        // The sender is dropped once the server stops.
        let is_last = self.phase.is_last() || self.told.has_changed().is_err();
        if is_last && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

/// Returns `true` if the client stopped reading.
fn is_stalled(error: &hyper::Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::TimedOut)
}
