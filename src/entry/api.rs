//! The API's listener: the actions at `/`, the entry points for proxies and back ends, and the questions of load balancers.
//!
//! Invariant: every answer at `/` is HTTP 200 with `Content-Type: application/json` exactly; the official clients lose
//! the error code on any other.

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
use crate::metrics::EntryPoint;
use crate::texts::Texts;
use crate::types::id::RequestId;

/// Where somebody asks whether keys can be checked here.
const READY_PATH: &str = "/readyz";

/// What the API's listener answers.
#[derive(Debug)]
pub struct Api {
    app: App,
    others: Router,
}

impl Api {
    /// For whoever signs requests, and for those who ask whether they did.
    pub fn new(app: App) -> Self {
        Self { others: router(app.clone()), app }
    }
}

impl Routes for Api {
    /// The actions are all at `/` and come by the thousand: they go to their handler without a router's boxes.
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
        // Yesterday's yes is worth nothing today: an answer is for the request that asked, and for nobody's cache.
        .layer(SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .layer(SetResponseHeaderLayer::if_not_present(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .with_state(app)
}

/// Can keys be checked and changed here?
async fn ready(State(app): State<App>) -> Response {
    if app.stopping.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "not ready: the server is stopping\n").into_response();
    }
    match app.readiness.check(&app.registry, &app.db).await {
        Ok(()) => "ready\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")).into_response(),
    }
}

/// To a proxy that asks at a wrong address, any 200 is a yes.
async fn unknown(Extension(caller): Extension<Caller>, request: Request) -> Response {
    let error = ApiError::InvalidAction(for_message(request.uri().path()));
    let mut response = envelope::failure(&error, texts_for(request.headers()), caller.request_id);
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// What a client is told when a handler has panicked. But for the actions, a status that no proxy takes for a yes.
pub fn panicked(request_id: RequestId, uri: &Uri) -> Response {
    if uri.path() == "/" {
        envelope::failure(&ApiError::Fault, Texts::fallback(), request_id)
    } else {
        ask::refuse(&ApiError::Fault, EntryPoint::ForwardAuth, Texts::fallback(), request_id)
    }
}
