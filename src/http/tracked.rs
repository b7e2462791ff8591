//! The layer in front of the routes of every listener. It identifies the caller, assigns the request ID, writes the
//! access log, counts, and responds if a handler panics.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use axum::Router;
use axum::extract::MatchedPath;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use ipnet::IpNet;
use tower::Service;
use tracing::Instrument;

use crate::metrics::{Cut, Listener, Metrics};
use crate::types::id::{RequestId, Uin};

/// The path of the health check, which containers request every half minute: not worth a line of the log each time.
pub const HEALTH_PATH: &str = "/healthz";

/// The sender of a request, as far as the connection tells. It is an extension of every request that is routed.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// The ID of the request.
    pub request_id: RequestId,
    /// The address of the peer, or the one that a trusted proxy reports.
    pub address: IpAddr,
    /// `true` if the peer itself is a trusted proxy, no matter for whom it speaks.
    pub peer_is_trusted: bool,
}

/// The span that all log lines of a request share. It is kept apart because inner layers have spans of their own.
#[derive(Clone, Debug)]
pub struct RequestSpan(tracing::Span);

impl RequestSpan {
    /// Adds the account of the request's session to the log lines from here on.
    pub fn name_account(&self, uin: Uin) {
        self.0.record("uin", uin.0);
    }
}

/// An extension of a response: once its future completes, the response is cut off, and its connection with it. For
/// long-lived responses.
#[derive(Clone)]
pub struct CutWhen(Arc<Mutex<BoxFuture<'static, ()>>>);

impl CutWhen {
    /// Cuts off the response as soon as `done` completes.
    pub fn new(done: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::pin(done))))
    }

    /// Ready once the response is to be cut off.
    pub fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut().poll(cx)
    }
}

impl std::fmt::Debug for CutWhen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CutWhen")
    }
}

/// The routes that answer the requests of a listener.
pub trait Routes: Send + Sync + 'static {
    /// Answers a request from `caller`.
    fn answer(&self, request: Request, caller: Caller) -> impl Future<Output = Response> + Send + use<Self>;

    /// The route that answered, for the log: a path as sent may contain anything, even a secret. `None` if no route
    /// matched, or none is known.
    fn route<'a>(&self, path: &'a str, response: &'a Response) -> Option<&'a str>;
}

/// The caller and the request's span become extensions of the request.
impl Routes for Router {
    fn answer(&self, mut request: Request, caller: Caller) -> impl Future<Output = Response> + Send + use<> {
        let mut router = self.clone();
        async move {
            request.extensions_mut().insert(caller);
            request.extensions_mut().insert(RequestSpan(tracing::Span::current()));
            // Routers are always ready.
            router.call(request).await.unwrap_or_else(|never| match never {})
        }
    }

    fn route<'a>(&self, _path: &'a str, response: &'a Response) -> Option<&'a str> {
        response.extensions().get::<MatchedPath>().map(MatchedPath::as_str)
    }
}

/// Middleware that adds the matched route of a router to the response, as an extension.
pub async fn note_route(request: axum::extract::Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(route) = route {
        response.extensions_mut().insert(route);
    }
    response
}

/// A request as it arrives from a connection.
pub type Request = axum::http::Request<Incoming>;

/// Creates the response to a request whose handler has panicked, from its ID and the requested URI.
pub type Panicked = fn(RequestId, &Uri) -> Response;

/// The routes of a listener. Every request to them is identified, and every response logged and counted.
#[derive(Debug)]
pub struct Tracked<R> {
    listener: Listener,
    routes: R,
    panicked: Panicked,
    trusted_proxies: Arc<[IpNet]>,
    metrics: Metrics,
}

impl<R: Routes> Tracked<R> {
    /// Wraps the routes of `listener`. `trusted_proxies` are the networks whose `X-Forwarded-For` is trusted.
    pub fn new(
        listener: Listener,
        routes: R,
        panicked: Panicked,
        trusted_proxies: Arc<[IpNet]>,
        metrics: Metrics,
    ) -> Self {
        Self { listener, routes, panicked, trusted_proxies, metrics }
    }

    /// The listener's name.
    pub fn name(&self) -> &'static str {
        self.listener.as_str()
    }

    /// Returns `true` if `peer` is a trusted proxy.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted_proxies.iter().any(|network| network.contains(&peer))
    }

    /// Counts a connection closed by the server that the client had not finished with.
    pub fn cut(&self, why: Cut) {
        self.metrics.cut(self.listener, why);
    }

    /// Answers a request from `peer`. The future is kept small, because hyper moves it.
    pub fn answer(self: Arc<Self>, peer: IpAddr, request: Request) -> impl Future<Output = Response> + Send {
        let request_id = RequestId::generate();
        let line = Line::begin(&request);
        let uri = request.uri().clone();
        let peer = peer.to_canonical();
        let trusted = &self.trusted_proxies;
        let address = client_address(peer, request.headers(), trusted);
        let peer_is_trusted = trusted.iter().any(|network| network.contains(&peer));
        let caller = Caller { request_id, address, peer_is_trusted };
        // The target differs from that of the access log, so that filtering the latter out leaves the span in place.
        let span = tracing::info_span!(target: "latchkey", "request", %request_id, uin = tracing::field::Empty);
        let answered = AssertUnwindSafe(self.routes.answer(request, caller)).catch_unwind();
        async move {
            // The panic has been logged where it happened.
            let answered = answered.instrument(span.clone()).await;
            let response = answered.unwrap_or_else(|_| (self.panicked)(request_id, &uri));
            self.metrics.answered(self.listener, response.status());
            if let Some(line) = line {
                let route = self.routes.route(uri.path(), &response);
                span.in_scope(|| line.end(self.listener, &uri, route, response.status(), address));
            }
            response
        }
    }
}

/// The target of the access log, by which it is filtered. It does not depend on the name of this module.
const LINES: &str = "latchkey::requests";

/// The data for a line of the access log.
struct Line {
    started: Instant,
    method: &'static str,
}

impl Line {
    /// Returns `None` if the access log is filtered out.
    fn begin(request: &Request) -> Option<Self> {
        tracing::enabled!(target: LINES, tracing::Level::INFO)
            .then(|| Self { started: Instant::now(), method: known_method(request.method().as_str()) })
    }

    fn end(self, listener: Listener, uri: &Uri, route: Option<&str>, status: StatusCode, address: IpAddr) {
        let Self { started, method } = self;
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        // The guard forwards paths that only the back end knows, so they may contain anything.
        let path = if listener == Listener::Guard { None } else { Some(route.unwrap_or("unknown")) };
        let (status, name) = (status.as_u16(), listener.as_str());
        if listener == Listener::Metrics || uri.path() == HEALTH_PATH {
            tracing::debug!(target: LINES, listener = name, method, path, status, micros, %address, "answered");
        } else {
            tracing::info!(target: LINES, listener = name, method, path, status, micros, %address, "answered");
        }
    }
}

/// Returns the name of a method that HTTP defines. Any other method may contain anything, and is not repeated.
pub fn known_method(sent: &str) -> &'static str {
    let names = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE"];
    names.into_iter().find(|name| *name == sent).unwrap_or("another method")
}

/// The client's address. Walks `X-Forwarded-For` from the right past every trusted proxy, if the canonical `peer` is
/// one; headers from anybody else are ignored.
fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_trusted(&peer) {
        return peer;
    }
    let mut nearest = peer;
    let values: Vec<&str> = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
    for hop in values.iter().flat_map(|value| value.split(',')).rev() {
        let Some(address) = hop_address(hop.trim()) else { break };
        nearest = address.to_canonical();
        if !is_trusted(&nearest) {
            break;
        }
    }
    nearest
}

/// Parses an address as proxies write it: with or without a port, IPv6 with or without brackets, and optionally in
/// quotes.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let hop = hop.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(hop);
    let in_brackets = || hop.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::from);
    let with_port = || hop.parse::<SocketAddr>().ok().map(|address| address.ip());
    hop.parse().ok().or_else(with_port).or_else(in_brackets)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        client_address(peer.parse::<IpAddr>().unwrap().to_canonical(), &headers, &trusted).to_string()
    }

    #[test]
    fn forwarded_addresses_are_believed_from_trusted_proxies_only() {
        assert_eq!(seen("192.0.2.9", &["198.51.100.1"], &[]), "192.0.2.9");
        assert_eq!(seen("10.0.0.1", &["198.51.100.1"], &["10.0.0.0/8"]), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &["6.6.6.6, 198.51.100.1, 10.0.0.2"], &["10.0.0.0/8"]), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &["6.6.6.6", "198.51.100.1"], &["10.0.0.0/8"]), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &["198.51.100.1, rubbish"], &["10.0.0.0/8"]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &["198.51.100.1:4711"], &["10.0.0.0/8"]), "198.51.100.1");
        assert_eq!(seen("::ffff:10.0.0.1", &["198.51.100.1"], &["10.0.0.0/8"]), "198.51.100.1");
    }

    proptest! {
        #[test]
        fn an_address_is_read_however_a_proxy_writes_it(address: IpAddr, port: u16, blank in " ?") {
            let spellings = match address {
                IpAddr::V4(v4) => vec![format!("{v4}"), format!("{v4}:{port}")],
                IpAddr::V6(v6) => vec![format!("{v6}"), format!("[{v6}]"), format!("[{v6}]:{port}")],
            };
            for spelling in spellings {
                for hop in [spelling.clone(), format!("\"{spelling}\"")] {
                    // Nobody trusts this address, so the walk ends here.
                    let said = format!("6.6.6.6,{blank}{hop}{blank}");
                    prop_assert_eq!(seen("10.0.0.1", &[&said], &["10.0.0.1/32"]), address.to_canonical().to_string());
                }
            }
        }
    }

    #[test]
    fn what_is_no_address_ends_the_walk_at_the_proxy() {
        let broken = ["", "unknown", "_hidden", "[192.0.2.1]", "[::1", "::1]", "[::1]x", "\"192.0.2.1", "192.0.2.1:x"];
        for hop in broken.into_iter().chain(["192.0.2.1:65536", "[]", "\"\"", "for=192.0.2.1"]) {
            assert_eq!(seen("10.0.0.1", &[hop], &["10.0.0.1/32"]), "10.0.0.1", "{hop:?}");
        }
    }
}
