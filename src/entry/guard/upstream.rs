//! The guarded back end: its connection pool, and a second attempt for a request that failed on a stale connection.

use std::error::Error as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::uri::{Parts, PathAndQuery};
use axum::http::{Extensions, Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tower::util::MapResponse;
use url::Url;

use crate::entry::api_error::ApiError;

/// The time that the upstream may take to begin its response.
const PATIENCE: Duration = Duration::from_mins(1);
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// The maximum size of a response's headers, and of the data that is read ahead.
const BUFFER: usize = 64 * 1024;

type Connector = MapResponse<HttpConnector, fn(TokioIo<TcpStream>) -> TokioIo<Kept>>;

/// The back end that requests are forwarded to.
#[derive(Clone)]
pub(crate) struct Upstream {
    base: Uri,
    client: Client<Connector, Full<Bytes>>,
    /// A client without a connection pool.
    fresh: Client<Connector, Full<Bytes>>,
}

impl Upstream {
    pub(crate) fn new(base: &Url) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_PATIENCE));
        connector.set_nodelay(true);
        let connector: Connector = MapResponse::new(connector, Kept::new);
        Self {
            base: base.as_str().parse().expect("an http address is a URI"),
            client: Client::builder(TokioExecutor::new()).http1_max_buf_size(BUFFER).build(connector.clone()),
            fresh: Client::builder(TokioExecutor::new())
                .http1_max_buf_size(BUFFER)
                .pool_max_idle_per_host(0)
                .build(connector),
        }
    }

    /// The upstream URL for a requested target, which comes after the path of the upstream, byte for byte.
    pub(crate) fn address(&self, asked: &Uri) -> Result<Uri, ApiError> {
        let mut parts = Parts::default();
        parts.scheme = self.base.scheme().cloned();
        parts.authority = self.base.authority().cloned();
        let asked = asked.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
        let path = self.base.path().trim_end_matches('/');
        parts.path_and_query = Some(if path.is_empty() {
            asked
        } else {
            format!("{path}{asked}").parse().map_err(|_| ApiError::Target)?
        });
        Uri::from_parts(parts).map_err(|_| ApiError::Target)
    }

    /// Forwards a request to the back end.
    pub(crate) async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, ApiError> {
        match tokio::time::timeout(PATIENCE, self.ask_twice(request)).await {
            Ok(answer) => answer.map_err(|error| {
                tracing::warn!(%error, cause = error.source().map(tracing::field::display), "the upstream did not respond");
                ApiError::UpstreamDown
            }),
            Err(_) => Err(ApiError::UpstreamSlow),
        }
    }

    /// Forwards a request, if necessary twice. A back end may close an idle connection at any time, even while a
    /// request is on its way. An idempotent request is then sent again; of any other, nobody knows whether it was
    /// performed (RFC 9110, section 9.2.2). The library itself resends requests of which not a byte was sent.
    async fn ask_twice(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Error> {
        let again = request.method().is_idempotent().then(|| request.clone());
        match (self.client.request(request).await, again) {
            (Ok(answer), _) => {
                if let Some(answered) = answer.extensions().get::<Answered>() {
                    answered.0.store(true, Ordering::Relaxed);
                }
                Ok(answer)
            }
            (Err(error), Some(again)) if was_hung_up_on(&error) => self.fresh.request(again).await,
            (Err(error), _) => Err(error),
        }
    }
}

/// Returns `true` if a connection that has served a request before was closed instead of serving this one. A response
/// that is not HTTP still counts as a response.
fn was_hung_up_on(error: &Error) -> bool {
    let mut known = Extensions::new();
    if let Some(connection) = error.connect_info() {
        connection.get_extras(&mut known);
    }
    let has_served = known.get::<Answered>().is_some_and(|answered| answered.0.load(Ordering::Relaxed));
    let cause = error.source().and_then(|cause| cause.downcast_ref::<hyper::Error>());
    has_served && cause.is_some_and(|cause| !cause.is_parse() && !cause.is_user())
}

/// Set once a response has arrived on a connection.
#[derive(Clone, Debug, Default)]
struct Answered(Arc<AtomicBool>);

/// A connection that remembers whether it has served a request.
#[derive(Debug)]
struct Kept {
    stream: TcpStream,
    answered: Answered,
}

impl Kept {
    fn new(stream: TokioIo<TcpStream>) -> TokioIo<Self> {
        TokioIo::new(Self { stream: stream.into_inner(), answered: Answered::default() })
    }
}

impl Connection for Kept {
    fn connected(&self) -> Connected {
        self.stream.connected().extra(self.answered.clone())
    }
}

impl AsyncRead for Kept {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Kept {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
