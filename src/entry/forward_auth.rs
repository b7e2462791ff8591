//! `/forward-auth`: the check as a question of a reverse proxy (nginx `auth_request`, Traefik `ForwardAuth`, Caddy
//! `forward_auth`, Envoy `ext_authz`), which lets the request through if the answer is 200.
//!
//! It sees no body. The payload hash that the client signed comes in `X-TC-Content-SHA256` and goes back in
//! `X-Latchkey-Content-SHA256`, for the back end to compare; without one, the payload must be empty.
//!
//! Which request is meant, a proxy says in headers, and headers can be sent by anybody: they are believed from trusted
//! proxies only, and where two kinds of them are there, they must agree.

use axum::extract::{Extension, Request, State};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::envelope::ApiError;
use super::messages::texts_for;
use super::target::path_and_query;
use crate::app::App;
use crate::check::checker::{self, Asked, Claim, Signed, Wants};
use crate::http::headers::only;
use crate::http::tracked::Caller;
use crate::metrics::Door;
use crate::signature::v3::{UNSIGNED_PAYLOAD, X_TC_CONTENT_SHA256, payload_hash};
use crate::texts::Texts;
use crate::types::id::RequestId;

/// The path, and the prefix under which Envoy puts the path that is meant.
pub(crate) const PATH: &str = "/forward-auth";

/// The account of a checked request, for whoever it is passed on to.
const UIN: HeaderName = HeaderName::from_static("x-latchkey-uin");
/// The account's APPID.
const APP_ID: HeaderName = HeaderName::from_static("x-latchkey-app-id");
/// The key.
const SECRET_ID: HeaderName = HeaderName::from_static("x-latchkey-secret-id");
/// The payload hash that was signed.
const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-latchkey-content-sha256");

/// The identity headers of a checked request.
pub fn identity(signed: &Signed, content_sha256: &str) -> [(HeaderName, HeaderValue); 4] {
    let value = |text: &str| HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""));
    [
        (UIN, value(&signed.uin().to_string())),
        (APP_ID, value(&signed.app_id().to_string())),
        (SECRET_ID, value(signed.secret_id().as_str())),
        (CONTENT_SHA256, value(content_sha256)),
    ]
}

/// Any method at `/forward-auth`: 200 with the identity, or 401 or 403 with the reason in the envelope.
pub(crate) async fn answer(State(app): State<App>, Extension(caller): Extension<Caller>, request: Request) -> Response {
    let texts = texts_for(request.headers());
    let meant = Meant::of(&request, caller.peer_is_trusted);
    drop(request);
    match check(&app, &caller, meant).await {
        Ok((signed, content_sha256)) => {
            let mut response = StatusCode::OK.into_response();
            response.headers_mut().extend(identity(&signed, &content_sha256));
            response
        }
        Err(error) => refuse(&error, texts, caller.request_id),
    }
}

/// The refusal for programs that go by the status.
pub fn refuse(error: &ApiError, texts: &Texts, request_id: RequestId) -> Response {
    let mut response = error.respond(texts, request_id);
    *response.status_mut() = error.guard_status();
    if response.status() == StatusCode::UNAUTHORIZED {
        let scheme = HeaderValue::from_static(crate::signature::v3::ALGORITHM);
        response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
    }
    response
}

async fn check(app: &App, caller: &Caller, meant: Result<Meant, ApiError>) -> Result<(Signed, String), ApiError> {
    let meant = meant?;
    let said = content_sha256(&meant.headers)?;
    let payload_sha256 = signed_hash(app, &said)?;
    let claim = Claim::v3(&meant.method, &meant.path, &meant.query, &meant.headers, &payload_sha256);
    let claim = checker::counted(app, Door::ForwardAuth, claim)?;
    let Caller { address, request_id, .. } = *caller;
    let wants = Wants::Request { method: &meant.method, path: &meant.path };
    let asked = Asked { door: Door::ForwardAuth, wants, address, request_id };
    let signed = checker::check(app, &claim, asked).await?;
    Ok((signed, said))
}

/// The payload hash as the client says it: of nothing, if it says none.
fn content_sha256(headers: &HeaderMap) -> Result<String, ApiError> {
    match only(headers, X_TC_CONTENT_SHA256) {
        Some(said) => Ok(said.to_owned()),
        None if headers.contains_key(X_TC_CONTENT_SHA256) => {
            Err(ApiError::Authorization("X-TC-Content-SHA256 must stand once".to_owned()))
        }
        None => Ok(payload_hash(false, b"")),
    }
}

/// What goes into the canonical request for a payload hash as it was said: a hash, or that the payload is not signed,
/// where the setting allows it.
pub(crate) fn signed_hash(app: &App, said: &str) -> Result<String, ApiError> {
    let unsigned = payload_hash(true, b"");
    // The hash of the literal makes the same signature as the literal.
    if said == UNSIGNED_PAYLOAD || said == unsigned {
        return if app.settings.guard_unsigned_payload { Ok(unsigned) } else { Err(ApiError::UnsignedPayload) };
    }
    let hash = said.len() == 64 && said.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if hash { Ok(said.to_owned()) } else { Err(ApiError::Authorization("the payload hash is not one".to_owned())) }
}

/// The request that is meant.
struct Meant {
    method: String,
    path: String,
    query: String,
    headers: HeaderMap,
}

impl Meant {
    fn of(request: &Request, trusted: bool) -> Result<Self, ApiError> {
        let asked = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        let mut headers = request.headers().clone();
        if !trusted {
            return Self::new(request.method().as_str(), asked, headers);
        }
        let original = forwarded(&headers, "x-original-method", "x-original-uri")?;
        let by_proxy = forwarded(&headers, "x-forwarded-method", "x-forwarded-uri")?;
        // Envoy: the method as it is, the path behind ours.
        let behind = asked.strip_prefix(PATH).filter(|rest| rest.starts_with('/'));
        let behind = behind.map(|uri| (request.method().as_str().to_owned(), uri.to_owned()));
        // Only Traefik and Caddy say the host in a header of its own; the others pass it on as it was.
        if original.is_none() && behind.is_none() && by_proxy.is_some() && headers.contains_key("x-forwarded-host") {
            let host = only(&headers, "x-forwarded-host").ok_or(ApiError::ContradictoryForward)?;
            let host = HeaderValue::from_str(host).map_err(|_| ApiError::ContradictoryForward)?;
            headers.insert(header::HOST, host);
        }
        let mut said = [original, by_proxy, behind].into_iter().flatten();
        let (method, uri) = said.next().ok_or(ApiError::ContradictoryForward)?;
        if said.any(|other| other != (method.clone(), uri.clone())) {
            return Err(ApiError::ContradictoryForward);
        }
        Self::new(&method, &uri, headers)
    }

    fn new(method: &str, target: &str, headers: HeaderMap) -> Result<Self, ApiError> {
        let (path, query) = path_and_query(target)?;
        Ok(Self { method: method.to_owned(), path: path.to_owned(), query: query.to_owned(), headers })
    }
}

/// Method and address as one kind of headers says them: both, once each, or neither.
fn forwarded(headers: &HeaderMap, method: &str, uri: &str) -> Result<Option<(String, String)>, ApiError> {
    if !headers.contains_key(method) && !headers.contains_key(uri) {
        return Ok(None);
    }
    let mut uris = headers.get_all(uri).iter();
    match (only(headers, method), uris.next(), uris.next()) {
        (Some(method), Some(uri), None) if method.parse::<Method>().is_ok() => {
            let uri = uri.to_str().map_err(|_| ApiError::Target)?;
            Ok(Some((method.to_owned(), uri.to_owned())))
        }
        _ => Err(ApiError::ContradictoryForward),
    }
}
