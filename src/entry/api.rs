//! The signed API, for programs: actions at `/`, checked by the one verifier, answered in the envelope.
//!
//! Invariant: every answer at `/` is HTTP 200 with `Content-Type: application/json` exactly; the official clients lose
//! the error code on any other.

use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use futures_util::future::Either;
use hyper::body::Incoming;
use tower_http::set_header::SetResponseHeaderLayer;

pub use super::envelope::ApiError;
pub use super::forward_auth::{identity, refuse};
pub use super::messages::texts_for;
pub use super::target::path_and_query;

use super::actions::{self, Answer, Call};
use super::params::{Params, for_message};
use super::{envelope, forward_auth, params, verify_api as verify};
use crate::app::App;
use crate::check::checker::{self, Asked, Claim, Refusal, Wants};
use crate::http::body::{self, Terms};
use crate::http::headers::{agreed, only};
use crate::http::tracked::{self, Caller, Routes};
use crate::metrics::Door;
use crate::signature::v1;
use crate::signature::v3::{UNSIGNED_PAYLOAD, X_TC_ACTION, X_TC_CONTENT_SHA256, X_TC_VERSION, payload_hash};
use crate::texts::Texts;
use crate::types::id::RequestId;

/// Longest body of a version 3 POST.
const V3_POST_LIMIT: usize = 10 * 1024 * 1024;
/// Longest body of a version 1 POST.
const V1_POST_LIMIT: usize = 1024 * 1024;
/// Longest query of a GET.
const GET_LIMIT: usize = 32 * 1024;
/// In records, in place of the name of an action that there is not.
const UNKNOWN_ACTION: &str = "unknown action";

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
        Either::Left(async move {
            let mut said = None;
            match handle(&app, &caller, &mut said, &parts, body).await {
                Ok(answer) => envelope::success(&answer, caller.request_id),
                Err(error) => error.respond(said.unwrap_or_else(|| texts_for(&parts.headers)), caller.request_id),
            }
        })
    }

    fn route<'a>(&self, path: &'a str, _response: &'a Response) -> Option<&'a str> {
        ["/", verify::PATH, tracked::HEALTH_PATH, READY_PATH].into_iter().find(|known| *known == path).or_else(|| {
            let behind = path.strip_prefix(forward_auth::PATH)?;
            (behind.is_empty() || behind.starts_with('/')).then_some(forward_auth::PATH)
        })
    }
}

fn router(app: App) -> Router {
    Router::new()
        .route(tracked::HEALTH_PATH, get(async || "ok\n"))
        .route(READY_PATH, get(ready))
        .route(forward_auth::PATH, any(forward_auth::answer))
        .route(&format!("{}/", forward_auth::PATH), any(forward_auth::answer))
        .route(&format!("{}/{{*meant}}", forward_auth::PATH), any(forward_auth::answer))
        .route(verify::PATH, post(verify::answer))
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
    let mut response = error.respond(texts_for(request.headers()), caller.request_id);
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

async fn handle(
    app: &App,
    caller: &Caller,
    said: &mut Option<&'static Texts>,
    parts: &Parts,
    body: Incoming,
) -> Result<Answer, ApiError> {
    let is_get = match parts.method {
        Method::GET => true,
        Method::POST => false,
        _ => return Err(ApiError::UnsupportedProtocol),
    };
    let query = parts.uri.query().unwrap_or_default();
    if is_get && query.len() > GET_LIMIT {
        return Err(ApiError::TooLarge);
    }
    if parts.headers.contains_key(header::AUTHORIZATION) {
        let action = agreed(&parts.headers, X_TC_ACTION).unwrap_or_default();
        let asked = asked(caller, action);
        if body::is_long(&body)
            && let Err(refusal) = Box::pin(checker::is_worth_reading(app, &parts.headers, asked)).await
        {
            body::refuse(body, &parts.headers);
            return Err(refusal.into());
        }
        let body = app.body_budget.read(body, Terms::new(V3_POST_LIMIT, caller.address, &parts.headers)).await?;
        return v3_call(app, caller, parts, query, &body.bytes).await;
    }
    let params = if is_get {
        params::decode(query.as_bytes())?
    } else if params::may_be_form(&parts.headers) {
        let body = app.body_budget.read(body, Terms::new(V1_POST_LIMIT, caller.address, &parts.headers)).await?;
        if params::is_form(&parts.headers, &body.bytes) { params::decode(&body.bytes)? } else { Vec::new() }
    } else {
        Vec::new()
    };
    // Version 1 says its language among the parameters.
    if let Some((_, asked)) = params.iter().find(|(name, _)| name == "Language") {
        *said = Some(Texts::of_tag(asked).unwrap_or_else(Texts::fallback));
    }
    v1_call(app, caller, parts, params).await
}

fn asked(caller: &Caller, action: &str) -> Asked<'static> {
    let Caller { address, request_id, .. } = *caller;
    let wants = Wants::Action(actions::known(action).unwrap_or(UNKNOWN_ACTION));
    Asked { door: Door::Action, wants, address, request_id }
}

async fn v3_call(app: &App, caller: &Caller, parts: &Parts, query: &str, body: &[u8]) -> Result<Answer, ApiError> {
    let unsigned = only(&parts.headers, X_TC_CONTENT_SHA256) == Some(UNSIGNED_PAYLOAD);
    let payload_sha256 = payload_hash(unsigned, body);
    let claim = Claim::v3(parts.method.as_str(), parts.uri.path(), query, &parts.headers, &payload_sha256);
    let claim = checker::counted(app, Door::Action, claim)?;
    let action = agreed(&parts.headers, X_TC_ACTION).unwrap_or_default();
    let signed = checker::check(app, &claim, asked(caller, action)).await?;
    let params = if parts.method == Method::GET {
        Params::from_pairs(params::decode(query.as_bytes())?)?
    } else {
        Params::from_body(&parts.headers, body)?
    };
    let version = agreed(&parts.headers, X_TC_VERSION);
    actions::dispatch(app, caller, Call { signed: &signed, version, action, params }).await
}

async fn v1_call(app: &App, caller: &Caller, parts: &Parts, params: Vec<(String, String)>) -> Result<Answer, ApiError> {
    let signed = params.iter().any(|(name, _)| name == v1::SIGNATURE);
    let claim = if signed { v1::Claim::parse(params).map_err(Refusal::from) } else { Err(Refusal::NoAuthorization) };
    let claim = checker::counted(app, Door::Action, claim)?;
    let host = only(&parts.headers, header::HOST).unwrap_or_default();
    let action = claim.get("Action").unwrap_or_default().to_owned();
    let by_parameters = Claim::V1 { claim: &claim, method: parts.method.as_str(), host };
    let signed = checker::check(app, &by_parameters, asked(caller, &action)).await?;
    let version = claim.get("Version").map(str::to_owned);
    let params = Params::from_pairs(params::without_common(claim.into_params()))?;
    let call = Call { signed: &signed, version: version.as_deref(), action: &action, params };
    actions::dispatch(app, caller, call).await
}

/// What a client is told when a handler has panicked. But for the actions, a status that no proxy takes for a yes.
pub fn panicked(request_id: RequestId, uri: &Uri) -> Response {
    if uri.path() == "/" {
        ApiError::Fault.respond(Texts::fallback(), request_id)
    } else {
        refuse(&ApiError::Fault, Texts::fallback(), request_id)
    }
}
