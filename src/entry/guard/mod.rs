//! The guard: a reverse proxy that lets only validly signed requests through. No request can bypass it if it is the
//! only way to the back end.
//!
//! The whole body is read into a bounded buffer and hashed before anything is forwarded; the response streams. What is
//! signed is what is forwarded: path and query are passed on byte for byte. A long-lived response or an upgraded
//! connection (WebSocket) is cut off when its key is disabled.
//!
//! May import what the other entry points may. Only `serve` imports it.

mod headers;
mod upstream;

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Extension, Request, State};
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, Method, StatusCode, Uri, Version, header};
use axum::response::{IntoResponse, Response};
use http_body_util::Full;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use url::Url;

use self::headers::{connection_names, takes_signed_header, without_hop_by_hop};
use self::upstream::Upstream;
use super::api_error::ApiError;
use super::ask::{Admission, identity, refuse, schemes};
use super::messages::texts_for;
use super::target::path_and_query;
use crate::app::App;
use crate::check::checker::{Checker, Signed};
use crate::check::context::{CheckContext, Requested};
use crate::http::body::Terms;
use crate::http::headers::only;
use crate::http::tracked::{Caller, CutWhen};
use crate::metrics::{Cut, EntryPoint, Listener};
use crate::signature::scheme::{SentBody, SentRequest};
use crate::texts::Texts;
use crate::types::id::RequestId;

/// The maximum size of a request body.
const BODY_LIMIT: usize = 10 * 1024 * 1024;
/// The interval at which the key of a long-lived response or an upgraded connection is checked.
const WATCH_EVERY: Duration = Duration::from_millis(500);

#[derive(Clone)]
struct Guard {
    app: App,
    upstream: Upstream,
}

impl Guard {
    /// The scheme of this listener.
    fn proto(&self) -> &'static str {
        if self.app.settings.tls.is_some() { "https" } else { "http" }
    }

    /// The request for the back end.
    fn request(
        &self,
        asked: &Parts,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<axum::http::Request<Full<Bytes>>, ApiError> {
        let mut forwarded = axum::http::Request::new(Full::new(body));
        *forwarded.method_mut() = asked.method.clone();
        *forwarded.uri_mut() = self.upstream.address(&asked.uri)?;
        *forwarded.version_mut() = Version::HTTP_11;
        *forwarded.headers_mut() = headers;
        Ok(forwarded)
    }
}

/// Creates the proxy in front of `upstream`.
pub fn router(app: App, upstream: &Url) -> Router {
    let guard = Guard { app, upstream: Upstream::new(upstream) };
    Router::new().fallback(serve).with_state(guard)
}

/// The response for a panic in a handler.
pub fn panicked(request_id: RequestId, _: &Uri) -> Response {
    refuse(&ApiError::Fault, &[], Texts::fallback(), request_id)
}

async fn serve(State(guard): State<Guard>, Extension(caller): Extension<Caller>, mut request: Request) -> Response {
    let texts = texts_for(request.headers());
    let upgrade = request.extensions_mut().remove::<OnUpgrade>();
    match pass(&guard, &caller, request, upgrade).await {
        Ok(response) => response,
        Err(error) => refuse(&error, schemes(&guard.app, EntryPoint::Guard), texts, caller.request_id),
    }
}

async fn pass(
    guard: &Guard,
    caller: &Caller,
    request: Request,
    upgrade: Option<OnUpgrade>,
) -> Result<Response, ApiError> {
    let app = &guard.app;
    let (parts, body) = request.into_parts();
    if app.settings.guard_cors_preflight && body.is_end_stream() && is_preflight(&parts) {
        return pass_preflight(guard, caller, &parts).await;
    }
    let (method, path) = (parts.method.as_str(), parts.uri.path());
    let Caller { address, request_id, .. } = *caller;
    let requested = Requested::OfBackEnd { method, path };
    let context = CheckContext { entry_point: EntryPoint::Guard, requested, address, request_id };
    let admission = Admission::new(app, context);
    let (query, headers) = (parts.uri.query().unwrap_or_default(), &parts.headers);
    let unread = SentRequest { method, path, query, headers, body: SentBody::Unread, parameters: &[] };
    let body = admission.precheck(&unread, body).await?;
    let scheme = admission.scheme(&unread);
    let signed_headers = scheme.signed_headers(&unread);
    if takes_signed_header(headers, scheme, &signed_headers) {
        return Err(ApiError::ContradictoryForward);
    }
    let target = parts.uri.path_and_query().map_or("", PathAndQuery::as_str);
    let (path, query) = path_and_query(target)?;
    // The body's share of the memory budget is held until the upstream has received it.
    let body = app.body_budget.read(body, Terms::new(BODY_LIMIT, address, headers)).await?;
    let request = SentRequest { path, query, body: SentBody::Whole(&body.bytes), ..unread };
    let accepted = admission.ask(&request).await?;

    let upgrading = upgrade.is_some() && is_upgrade(headers);
    let forwarded = headers::forwarded(headers, &signed_headers, identity(&accepted), caller, guard.proto(), upgrading);
    let response = guard.upstream.ask(guard.request(&parts, forwarded, body.bytes.clone())?).await?;
    returned(guard, response, &accepted.signed, upgrade.filter(|_| upgrading))
}

/// Returns `true` for a browser's question whether a page of another origin may send a request (Fetch, section 3.3.2).
/// Browsers cannot sign it.
fn is_preflight(parts: &Parts) -> bool {
    parts.method == Method::OPTIONS
        && parts.headers.contains_key(header::ORIGIN)
        && parts.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Passes on a preflight, without an identity.
async fn pass_preflight(guard: &Guard, caller: &Caller, parts: &Parts) -> Result<Response, ApiError> {
    path_and_query(parts.uri.path_and_query().map_or("", PathAndQuery::as_str))?;
    let headers = headers::forwarded(&parts.headers, &[], [], caller, guard.proto(), false);
    let response = guard.upstream.ask(guard.request(parts, headers, Bytes::new())?).await?;
    let (mut parts, body) = response.into_parts();
    parts.headers = without_hop_by_hop(&parts.headers, false);
    Ok(Response::from_parts(parts, Body::new(body)).into_response())
}

/// Returns `true` for an upgrade to WebSocket, the only one that is passed on: another version of HTTP would carry
/// requests that nobody checks.
fn is_upgrade(headers: &HeaderMap) -> bool {
    only(headers, header::UPGRADE).is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket"))
        && connection_names(headers).any(|name| name == "upgrade")
}

/// Returns the upstream's response to the client. For an upgrade, joins the two connections.
fn returned(
    guard: &Guard,
    mut response: axum::http::Response<hyper::body::Incoming>,
    signed: &Signed,
    client: Option<OnUpgrade>,
) -> Result<Response, ApiError> {
    let switching = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    if switching {
        // The client asked for no upgrade, so nobody could receive what follows.
        let client = client.ok_or(ApiError::UpstreamDown)?;
        let upstream = hyper::upgrade::on(&mut response);
        tokio::spawn(join(guard.app.clone(), signed.clone(), client, upstream));
    }
    let (mut parts, body) = response.into_parts();
    parts.headers = without_hop_by_hop(&parts.headers, switching);
    if !switching {
        parts.extensions.insert(CutWhen::new(until_disabled(guard.app.checker.clone(), signed.clone())));
    }
    Ok(Response::from_parts(parts, Body::new(body)).into_response())
}

/// Passes bytes in both directions until either side ends, or the key is no longer enabled.
async fn join(app: App, signed: Signed, client: OnUpgrade, upstream: OnUpgrade) {
    let (Ok(client), Ok(upstream)) = tokio::join!(client, upstream) else { return };
    let (mut client, mut upstream) = (TokioIo::new(client), TokioIo::new(upstream));
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut upstream) => {}
        () = until_disabled(app.checker.clone(), signed.clone()) => app.metrics.cut(Listener::Guard, Cut::KeyDisabled),
    }
}

async fn until_disabled(checker: Checker, signed: Signed) {
    loop {
        tokio::time::sleep(WATCH_EVERY).await;
        // If the state cannot be determined, the connection is cut off as well.
        if !checker.is_still_enabled(&signed).await {
            break;
        }
    }
    tracing::info!(secret_id = %signed.secret_id(), "a connection is cut: its key is disabled");
}
