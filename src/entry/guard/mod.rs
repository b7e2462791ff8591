//! The guard: a reverse proxy that lets only validly signed requests through, so that blocking is a matter of topology.
//!
//! The whole body is read into a bounded buffer and hashed before anything is forwarded; the response streams. What is
//! signed is what is forwarded: path and query go on byte for byte. An answer that lasts, and a connection that was upgraded
//! (WebSocket), is cut when its key is disabled.

mod headers;
mod upstream;

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, StatusCode, Uri, Version, header};
use axum::response::{IntoResponse, Response};
use http_body_util::Full;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use url::Url;

use self::headers::{connection_names, takes_signed_header, without_hop_by_hop};
use self::upstream::Upstream;
use super::api::{ApiError, path_and_query, refuse, texts_for};
use crate::app::App;
use crate::check::checker::{self, Asked, Claim, Signed, Wants};
use crate::http::body::{self, Terms};
use crate::http::headers::only;
use crate::http::tracked::{Caller, CutWhen};
use crate::metrics::{Cut, Door, Listener};
use crate::signature::v3::{UNSIGNED_PAYLOAD, X_TC_CONTENT_SHA256, payload_hash};
use crate::texts::Texts;
use crate::types::id::RequestId;
use crate::types::key_state::KeyState;

/// Longest body.
const BODY_LIMIT: usize = 10 * 1024 * 1024;
/// How often the key of an answer that lasts, or of an upgraded connection, is looked at.
const WATCH_EVERY: Duration = Duration::from_millis(500);

#[derive(Clone)]
struct Guard {
    app: App,
    upstream: Upstream,
}

/// The proxy before `upstream`.
pub fn router(app: App, upstream: &Url) -> Router {
    let guard = Guard { app, upstream: Upstream::new(upstream) };
    Router::new().fallback(answer).with_state(guard)
}

/// What a client is told when a handler has panicked.
pub fn panicked(request_id: RequestId, _: &Uri) -> Response {
    refuse(&ApiError::Fault, Texts::fallback(), request_id)
}

async fn answer(State(guard): State<Guard>, Extension(caller): Extension<Caller>, mut request: Request) -> Response {
    let texts = texts_for(request.headers());
    let upgrade = request.extensions_mut().remove::<OnUpgrade>();
    match pass(&guard, &caller, request, upgrade).await {
        Ok(response) => response,
        Err(error) => refuse(&error, texts, caller.request_id),
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
    let (method, path) = (parts.method.as_str(), parts.uri.path());
    let Caller { address, request_id, .. } = *caller;
    let asked = Asked { door: Door::Guard, wants: Wants::Request { method, path }, address, request_id };
    if body::is_long(&body)
        && let Err(refusal) = checker::is_worth_reading(app, &parts.headers, asked).await
    {
        body::refuse(body, &parts.headers);
        return Err(refusal.into());
    }
    if takes_signed_header(&parts.headers) {
        return Err(ApiError::ContradictoryForward);
    }
    let target = parts.uri.path_and_query().map_or("", PathAndQuery::as_str);
    let (path, query) = path_and_query(target)?;
    // Its share of the memory is held until the upstream has it.
    let body = app.body_budget.read(body, Terms::new(BODY_LIMIT, address, &parts.headers)).await?;
    let unsigned = only(&parts.headers, X_TC_CONTENT_SHA256) == Some(UNSIGNED_PAYLOAD);
    let hash = payload_hash(unsigned, &body.bytes);
    // The literal as a body has the hash of an unsigned payload.
    if hash == payload_hash(true, b"") && !app.settings.guard_unsigned_payload {
        return Err(ApiError::UnsignedPayload);
    }
    let claim = Claim::v3(method, path, query, &parts.headers, &hash);
    let claim = checker::counted(app, Door::Guard, claim)?;
    let signed = checker::check(app, &claim, asked).await?;

    let shown = if unsigned { UNSIGNED_PAYLOAD } else { &hash };
    let upgrading = upgrade.is_some() && is_upgrade(&parts.headers);
    let proto = if app.settings.tls.is_some() { "https" } else { "http" };
    let mut forwarded = axum::http::Request::new(Full::new(body.bytes.clone()));
    *forwarded.method_mut() = parts.method.clone();
    *forwarded.uri_mut() = guard.upstream.address(&parts.uri)?;
    *forwarded.version_mut() = Version::HTTP_11;
    *forwarded.headers_mut() = headers::forwarded(&parts.headers, &signed, shown, caller, proto, upgrading);
    let response = guard.upstream.ask(forwarded).await?;
    returned(guard, response, &signed, upgrade.filter(|_| upgrading))
}

/// To WebSocket, and to nothing else: another HTTP within it would carry requests that nobody checks.
fn is_upgrade(headers: &HeaderMap) -> bool {
    only(headers, header::UPGRADE).is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket"))
        && connection_names(headers).any(|name| name == "upgrade")
}

/// The upstream's answer on its way back; of an upgrade, with the two connections joined.
fn returned(
    guard: &Guard,
    mut response: axum::http::Response<hyper::body::Incoming>,
    signed: &Signed,
    client: Option<OnUpgrade>,
) -> Result<Response, ApiError> {
    let switching = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    if switching {
        // Not asked for: what follows would be nobody's.
        let client = client.ok_or(ApiError::UpstreamDown)?;
        let upstream = hyper::upgrade::on(&mut response);
        tokio::spawn(join(guard.app.clone(), signed.clone(), client, upstream));
    }
    let (mut parts, body) = response.into_parts();
    parts.headers = without_hop_by_hop(&parts.headers, switching);
    if !switching {
        parts.extensions.insert(CutWhen::new(until_disabled(guard.app.clone(), signed.clone())));
    }
    Ok(Response::from_parts(parts, Body::new(body)).into_response())
}

/// Passes bytes both ways until either side ends, or the key is no longer enabled.
async fn join(app: App, signed: Signed, client: OnUpgrade, upstream: OnUpgrade) {
    let (Ok(client), Ok(upstream)) = tokio::join!(client, upstream) else { return };
    let (mut client, mut upstream) = (TokioIo::new(client), TokioIo::new(upstream));
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut upstream) => {}
        () = until_disabled(app.clone(), signed.clone()) => app.metrics.cut(Listener::Guard, Cut::KeyDisabled),
    }
}

async fn until_disabled(app: App, signed: Signed) {
    loop {
        tokio::time::sleep(WATCH_EVERY).await;
        // Where the state cannot be known, the connection does not go on either.
        let Ok(fresh) = app.registry.fresh().await else { break };
        let key = app.registry.get(&fresh, signed.secret_id().as_str());
        if key.is_none_or(|key| key.state != KeyState::Enabled) {
            break;
        }
    }
    tracing::info!(secret_id = %signed.secret_id(), "a connection is cut: its key is disabled");
}
