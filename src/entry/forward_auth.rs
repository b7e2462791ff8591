//! `/forward-auth`: the check as a question of a reverse proxy (nginx `auth_request`, Traefik `ForwardAuth`, Caddy
//! `forward_auth`, Envoy `ext_authz`), which lets the request through if the answer is 200.
//!
//! It sees no body. The payload hash that the client signed comes in `X-TC-Content-SHA256` and goes back in
//! `X-Latchkey-Content-SHA256`, for the back end to compare; without one, the payload must be empty.
//!
//! A proxy describes the request in headers, which anybody can send: they are believed from trusted proxies only, and where
//! two kinds of them are there, they must agree.

use axum::extract::{Extension, Request, State};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::api_error::ApiError;
use super::ask::{Accepted, Admission, identity, refuse};
use super::messages::texts_for;
use super::target::path_and_query;
use crate::app::App;
use crate::check::context::{CheckContext, Requested};
use crate::http::headers::only;
use crate::http::tracked::Caller;
use crate::metrics::EntryPoint;
use crate::signature::scheme::{SentBody, SentRequest};

/// The path, and the prefix under which Envoy puts the path of the request it asks about.
pub(crate) const PATH: &str = "/forward-auth";

/// Any method at `/forward-auth`: 200 with the identity, or 401 or 403 with the reason in the envelope.
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
        Err(error) => refuse(&error, EntryPoint::ForwardAuth, texts, caller.request_id),
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

/// The request that the proxy asks about.
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
