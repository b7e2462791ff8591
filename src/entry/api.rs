//! The API's listener: the actions at `/`, the entry points for proxies and back ends, and the checks of load
//! balancers.
//!
//! Invariant: every response at `/` is HTTP 200 with exactly `Content-Type: application/json`. The official clients
//! lose the error code in any other response.

use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use futures_util::future::Either;
use tower_http::set_header::SetResponseHeaderLayer;

use super::api_error::{ApiError, for_message};
use super::messages::texts_for;
use super::{actions, ask, envelope, forward_auth, verify_api};
use crate::app::App;
use crate::http::tracked::{self, Caller, Routes};
use crate::texts::Texts;
use crate::types::id::RequestId;

/// The path of the readiness check.
const READY_PATH: &str = "/readyz";

/// The routes of the API's listener.
#[derive(Debug)]
pub struct Api {
    app: App,
    others: Router,
}

impl Api {
    /// Creates the routes.
    pub fn new(app: App) -> Self {
        Self { others: router(app.clone()), app }
    }
}

impl Routes for Api {
    /// Nearly all requests are for the actions at `/`, so they go directly to their handler, without the boxed futures
    /// of a router.
    fn answer(&self, request: tracked::Request, caller: Caller) -> impl Future<Output = Response> + Send + use<> {
        if request.uri().path() != "/" {
            return Either::Right(self.others.answer(request, caller));
        }
        let app = self.app.clone();
        let (parts, body) = request.into_parts();
        Either::Left(async move { actions::respond(&app, &caller, &parts, body).await })
    }

    fn route<'a>(&self, path: &'a str, _response: &'a Response) -> Option<&'a str> {
        ["/", verify_api::PATH, tracked::HEALTH_PATH, READY_PATH].into_iter().find(|known| *known == path).or_else(
            || {
                let behind = path.strip_prefix(forward_auth::PATH)?;
                (behind.is_empty() || behind.starts_with('/')).then_some(forward_auth::PATH)
            },
        )
    }
}

fn router(app: App) -> Router {
    Router::new()
        .route(tracked::HEALTH_PATH, get(async || "ok\n"))
        .route(READY_PATH, get(ready))
        .route(forward_auth::PATH, any(forward_auth::forward_auth))
        .route(&format!("{}/", forward_auth::PATH), any(forward_auth::forward_auth))
        .route(&format!("{}/{{*forwarded}}", forward_auth::PATH), any(forward_auth::forward_auth))
        .route(verify_api::PATH, post(verify_api::verify))
        .fallback(unknown)
        // No response may be cached: it is valid only for the request that it answers.
        .layer(SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .layer(SetResponseHeaderLayer::if_not_present(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .with_state(app)
}

/// Reports whether keys can be checked and changed on this server.
async fn ready(State(app): State<App>) -> Response {
    if app.stopping.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "not ready: the server is stopping\n").into_response();
    }
    match app.readiness.check(&app.registry, &app.db).await {
        Ok(()) => "ready\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")).into_response(),
    }
}

/// The status must not be 200, which a proxy with a misconfigured URL would take as permission.
async fn unknown(Extension(caller): Extension<Caller>, request: Request) -> Response {
    let error = ApiError::InvalidAction(for_message(request.uri().path()));
    let mut response = envelope::failure(&error, texts_for(request.headers()), caller.request_id);
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// The response for a panic in a handler. Except for the actions, it has a status that no proxy takes as permission.
pub fn panicked(request_id: RequestId, uri: &Uri) -> Response {
    if uri.path() == "/" {
        envelope::failure(&ApiError::Fault, Texts::fallback(), request_id)
    } else {
        ask::refuse(&ApiError::Fault, &[], Texts::fallback(), request_id)
    }
}
