//! The guard: a reverse proxy that lets only validly signed requests through, so that blocking is a matter of topology.
//!
//! The whole body is read into a bounded buffer and hashed before anything is forwarded; the response streams. What is
//! signed is what is forwarded: path and query go on byte for byte. An answer that lasts, and a connection that was upgraded
//! (WebSocket), is cut when its key is disabled.

use std::net::IpAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::uri::Parts as UriParts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, Version};
use axum::response::{IntoResponse, Response};
use http_body_util::Full;
use hyper::upgrade::OnUpgrade;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use url::Url;

use crate::api::{ApiError, identity, language_of, refuse};
use crate::api_key::KeyState;
use crate::body::{self, Terms};
use crate::id::RequestId;
use crate::language::Language;
use crate::metrics::{Cut, Door, Listener};
use crate::requests::{Caller, CutWhen};
use crate::signature::v3::{Authorization, UNSIGNED_PAYLOAD, X_TC_CONTENT_SHA256, payload_hash};
use crate::state::App;
use crate::verifier::{self, Asked, Claim, Signed, Wants, only};

/// Longest body.
const BODY_LIMIT: usize = 10 * 1024 * 1024;
/// How long the upstream may take to begin its answer.
const UPSTREAM_PATIENCE: Duration = Duration::from_mins(1);
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// What is read ahead of an answer, and the longest headers of one.
const UPSTREAM_BUFFER: usize = 64 * 1024;
/// How often the key of an answer that lasts, or of an upgraded connection, is looked at.
const WATCH_EVERY: Duration = Duration::from_millis(500);

/// Names of headers that are between two neighbours and not for whoever comes next (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
];

#[derive(Clone)]
struct Guard {
    app: App,
    upstream: Uri,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// The proxy before `upstream`.
pub fn router(app: App, upstream: &Url) -> Router {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT_PATIENCE));
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).http1_max_buf_size(UPSTREAM_BUFFER).build(connector);
    let upstream = upstream.as_str().parse().expect("an http address is a URI");
    let guard = Guard { app, upstream, client };
    Router::new().fallback(answer).with_state(guard)
}

/// What a client is told when a handler has panicked.
pub fn panicked(request_id: RequestId, _: &Uri) -> Response {
    refuse(&ApiError::Fault, Language::English, request_id)
}

async fn answer(State(guard): State<Guard>, Extension(caller): Extension<Caller>, mut request: Request) -> Response {
    let language = language_of(request.headers());
    let upgrade = request.extensions_mut().remove::<OnUpgrade>();
    match pass(&guard, &caller, request, upgrade).await {
        Ok(response) => response,
        Err(error) => refuse(&error, language, caller.request_id),
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
        && let Err(refusal) = verifier::is_worth_reading(app, &parts.headers, asked).await
    {
        body::refuse(body, &parts.headers);
        return Err(refusal.into());
    }
    if names_signed_header(&parts.headers) {
        return Err(ApiError::ContradictoryForward);
    }
    // Its share of the memory is held until the upstream has it.
    let body = app.body_budget.read(body, Terms::new(BODY_LIMIT, address, &parts.headers)).await?;
    let unsigned = only(&parts.headers, X_TC_CONTENT_SHA256) == Some(UNSIGNED_PAYLOAD);
    let hash = payload_hash(unsigned, &body.bytes);
    // The literal as a body has the hash of an unsigned payload.
    if hash == payload_hash(true, b"") && !app.settings.guard_unsigned_payload {
        return Err(ApiError::UnsignedPayload);
    }
    let claim = Claim::v3(method, path, parts.uri.query().unwrap_or_default(), &parts.headers, &hash);
    let claim = verifier::counted(app, Door::Guard, claim)?;
    let signed = verifier::check(app, &claim, asked).await?;

    let shown = if unsigned { UNSIGNED_PAYLOAD } else { &hash };
    let upgrading = upgrade.is_some() && is_upgrade(&parts.headers);
    let mut forwarded = axum::http::Request::new(Full::new(body.bytes.clone()));
    *forwarded.method_mut() = parts.method.clone();
    *forwarded.uri_mut() = at_upstream(&guard.upstream, &parts.uri)?;
    *forwarded.version_mut() = Version::HTTP_11;
    *forwarded.headers_mut() = forwarded_headers(&parts.headers, &signed, shown, address, upgrading);
    let asked = tokio::time::timeout(UPSTREAM_PATIENCE, guard.client.request(forwarded)).await;
    let response = match asked {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            tracing::warn!(%error, "the upstream did not answer");
            return Err(ApiError::UpstreamDown);
        }
        Err(_) => return Err(ApiError::UpstreamSlow),
    };
    returned(guard, response, &signed, upgrade.filter(|_| upgrading))
}

fn at_upstream(upstream: &Uri, asked: &Uri) -> Result<Uri, ApiError> {
    let mut parts = UriParts::default();
    parts.scheme = upstream.scheme().cloned();
    parts.authority = upstream.authority().cloned();
    parts.path_and_query = asked.path_and_query().cloned();
    Uri::from_parts(parts).map_err(|_| ApiError::InvalidParameter("the address"))
}

/// To WebSocket, and to nothing else: another HTTP within it would carry requests that nobody checks.
fn is_upgrade(headers: &HeaderMap) -> bool {
    only(headers, header::UPGRADE).is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket"))
        && connection_names(headers).any(|name| name == "upgrade")
}

/// The names in `Connection`, in lower case.
fn connection_names(headers: &HeaderMap) -> impl Iterator<Item = String> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase())
}

/// Would `Connection` take away what was signed, after the check?
fn names_signed_header(headers: &HeaderMap) -> bool {
    let header = only(headers, header::AUTHORIZATION);
    let authorization = header.and_then(|header| Authorization::parse(header).ok());
    connection_names(headers).any(|name| {
        let signed = authorization.as_ref().is_some_and(|claim| claim.signed_headers().any(|signed| signed == name));
        signed || name == "authorization" || name.starts_with("content-") || name.starts_with("x-tc-")
    })
}

/// Headers by which neighbours tell an upstream who asks for what. Only what this guard says itself may reach it; some
/// back ends take an underscore for a dash.
fn is_said_by_proxies(name: &HeaderName) -> bool {
    let name = name.as_str().replace('_', "-");
    let families = ["x-latchkey-", "x-forwarded-", "x-original-"];
    let single = ["forwarded", "x-real-ip", "x-rewrite-url", "x-http-method-override", "http2-settings"];
    families.iter().any(|family| name.starts_with(family)) || single.contains(&name.as_str())
}

/// As they came, without what is between neighbours and without any identity but the checked one.
fn forwarded_headers(
    sent: &HeaderMap,
    signed: &Signed,
    content_sha256: &str,
    address: IpAddr,
    upgrading: bool,
) -> HeaderMap {
    let mut headers = without_hop_by_hop(sent, upgrading);
    let forged: Vec<HeaderName> = headers.keys().filter(|name| is_said_by_proxies(name)).cloned().collect();
    for name in forged {
        headers.remove(name);
    }
    headers.extend(identity(signed, content_sha256));
    if let Ok(address) = HeaderValue::from_str(&address.to_string()) {
        headers.insert("x-forwarded-for", address);
    }
    if let Some(host) = sent.get(header::HOST) {
        headers.insert("x-forwarded-host", host.clone());
    }
    headers
}

fn without_hop_by_hop(sent: &HeaderMap, upgrading: bool) -> HeaderMap {
    let mut headers = sent.clone();
    let named: Vec<String> = connection_names(sent).collect();
    let upgrade = sent.get(header::UPGRADE).cloned();
    for name in named.iter().map(String::as_str).chain(HOP_BY_HOP.iter().map(HeaderName::as_str)) {
        headers.remove(name);
    }
    headers.remove(header::UPGRADE);
    if upgrading && let Some(upgrade) = upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, upgrade);
    }
    headers
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
