//! The signed API, for programs: actions at `/`, checked by the one verifier, answered in the envelope.
//!
//! Invariant: every answer at `/` is HTTP 200 with `Content-Type: application/json` exactly; the official clients lose
//! the error code on any other.

mod actions;
mod envelope;
mod params;

use std::any::Any;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::Value;
use tower_http::catch_panic::CatchPanicLayer;

use self::envelope::ApiError;
use crate::id::RequestId;
use crate::signature::v3::{UNSIGNED_PAYLOAD, payload_hash};
use crate::state::App;
use crate::telemetry::{self, ClientAddress};
use crate::verifier::{self, only};

/// Longest body of a POST.
const POST_LIMIT: usize = 10 * 1024 * 1024;
/// Longest query of a GET.
const GET_LIMIT: usize = 32 * 1024;
/// Longest action name taken into a record.
const ACTION_LIMIT: usize = 64;

/// The API's routes and layers.
pub fn router(app: App) -> Router {
    Router::new()
        .route(telemetry::HEALTH_PATH, get(async || "ok\n"))
        .fallback(answer)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(app.clone(), telemetry::track))
        .with_state(app)
}

async fn answer(
    State(app): State<App>,
    Extension(request_id): Extension<RequestId>,
    Extension(address): Extension<ClientAddress>,
    request: Request,
) -> Response {
    match handle(&app, address, request).await {
        Ok(response) => envelope::success(response, request_id),
        Err(error) => error.respond(request_id),
    }
}

async fn handle(app: &App, address: ClientAddress, request: Request) -> Result<Value, ApiError> {
    let (parts, body) = request.into_parts();
    let query = query_of(&parts.method, &parts.uri)?;
    let body = to_bytes(body, POST_LIMIT).await.map_err(|_| ApiError::TooLarge)?;
    let unsigned = only(&parts.headers, "x-tc-content-sha256") == Some(UNSIGNED_PAYLOAD);
    let action = action_of(&parts.headers);
    let signed = verifier::check(
        app,
        verifier::Request {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query,
            headers: &parts.headers,
            payload_sha256: &payload_hash(unsigned, &body),
            action: &action,
            address: &address.to_string(),
        },
    )
    .await?;
    if parts.uri.path() != "/" {
        return Err(ApiError::InvalidAction("actions are served at / only".to_owned()));
    }
    let params = if parts.method == Method::GET { params::from_query(query) } else { params::from_json(&body)? };
    actions::dispatch(app, &signed, only(&parts.headers, "x-tc-version"), &action, params).await
}

/// The query as sent; only GET and POST are part of the protocol.
fn query_of<'a>(method: &Method, uri: &'a Uri) -> Result<&'a str, ApiError> {
    let query = uri.query().unwrap_or_default();
    match *method {
        Method::GET if query.len() > GET_LIMIT => Err(ApiError::TooLarge),
        Method::GET | Method::POST => Ok(query),
        _ => Err(ApiError::UnsupportedProtocol),
    }
}

/// The action's name, for routing and for the record of use: cut, and of printable characters only.
fn action_of(headers: &HeaderMap) -> String {
    let sent = only(headers, "x-tc-action").unwrap_or_default();
    sent.chars().filter(char::is_ascii_graphic).take(ACTION_LIMIT).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "the layer hands over the box")]
fn panicked(panic: Box<dyn Any + Send>) -> axum::http::Response<Body> {
    telemetry::log_panic(&*panic);
    // The request's own id is out of reach here; the log line carries it.
    ApiError::Fault.respond(RequestId::generate()).into_response()
}
