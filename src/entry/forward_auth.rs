//! `/forward-auth`: the check for a reverse proxy (nginx `auth_request`, Traefik `ForwardAuth`, Caddy `forward_auth`,
//! Envoy `ext_authz`), which lets the original request through if the response is 200.
//!
//! This entry point sees no body. The payload hash that the client signed arrives in `X-TC-Content-SHA256` and is
//! returned in `X-Latchkey-Content-SHA256`, for the back end to compare. Without a hash, the payload must be empty.
//!
//! A proxy describes the original request in headers, which anybody can send. They are trusted only from trusted
//! proxies, and if there are several kinds of them, they must agree.

use axum::extract::{Extension, Request, State};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::api_error::ApiError;
use super::ask::{Accepted, Admission, identity, refuse, schemes};
use super::messages::texts_for;
use super::target::path_and_query;
use crate::app::App;
use crate::check::context::{CheckContext, Requested};
use crate::http::headers::only;
use crate::http::tracked::Caller;
use crate::metrics::EntryPoint;
use crate::signature::scheme::{SentBody, SentRequest};

/// The path. It is also the prefix that Envoy puts before the path of the original request.
pub(crate) const PATH: &str = "/forward-auth";

/// Handles any method at `/forward-auth`: 200 with the identity, or an error status with the reason in the envelope.
pub(crate) async fn forward_auth(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    let texts = texts_for(request.headers());
    let forwarded = ForwardedRequest::of(&request, caller.peer_is_trusted);
    drop(request);
    match check(&app, &caller, forwarded).await {
        Ok(accepted) => {
            let mut response = StatusCode::OK.into_response();
            response.headers_mut().extend(identity(&accepted));
            response
        }
        Err(error) => refuse(&error, schemes(&app, EntryPoint::ForwardAuth), texts, caller.request_id),
    }
}

async fn check(
    app: &App,
    caller: &Caller,
    forwarded: Result<ForwardedRequest, ApiError>,
) -> Result<Accepted, ApiError> {
    let ForwardedRequest { method, path, query, headers } = &forwarded?;
    let Caller { address, request_id, .. } = *caller;
    let requested = Requested::OfBackEnd { method, path };
    let context = CheckContext { entry_point: EntryPoint::ForwardAuth, requested, address, request_id };
    let request = SentRequest { method, path, query, headers, body: SentBody::Elsewhere, parameters: &[] };
    Admission::new(app, context).ask(&request).await
}

/// The original request, as the proxy describes it.
struct ForwardedRequest {
    method: String,
    path: String,
    query: String,
    headers: HeaderMap,
}

impl ForwardedRequest {
    fn of(request: &Request, trusted: bool) -> Result<Self, ApiError> {
        let asked = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        let mut headers = request.headers().clone();
        if !trusted {
            return Self::new(request.method().as_str(), asked, headers);
        }
        let original = forwarded(&headers, "x-original-method", "x-original-uri")?;
        let by_proxy = forwarded(&headers, "x-forwarded-method", "x-forwarded-uri")?;
        // Envoy keeps the method, and appends the original path to ours.
        let behind = asked.strip_prefix(PATH).filter(|rest| rest.starts_with('/'));
        let behind = behind.map(|uri| (request.method().as_str().to_owned(), uri.to_owned()));
        // Only Traefik and Caddy send the host in a separate header. The others keep the original `Host`.
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

/// The method and target in one kind of headers. Each must occur exactly once, or neither at all.
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
