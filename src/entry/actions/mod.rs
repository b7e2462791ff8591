//! The actions, at `/`: requests signed with version 3 or 1 are checked, dispatched by version and action, and answered
//! in the envelope. To add an action, write a function and add a row to `table.rs`.
//!
//! May import what the other entry points may.

mod account;
mod call;
mod keys;
mod params;
mod table;

use axum::http::request::Parts;
use axum::http::{Method, header};
use axum::response::Response;
use hyper::body::Incoming;

use self::call::{ActionCall, ActionOutput};
use self::params::Params;
use super::api_error::ApiError;
use super::ask::{Accepted, Admission};
use super::envelope;
use super::messages::texts_for;
use crate::app::App;
use crate::check::context::{CheckContext, Requested};
use crate::http::body::Terms;
use crate::http::headers::agreed;
use crate::http::tracked::Caller;
use crate::metrics::EntryPoint;
use crate::signature::scheme::{SentBody, SentRequest};
use crate::signature::tc3::{X_TC_ACTION, X_TC_VERSION};
use crate::texts::Texts;

/// The maximum size of the body of a version 3 POST, in bytes.
const V3_POST_LIMIT: usize = 10 * 1024 * 1024;
/// The maximum size of the body of a version 1 POST, in bytes.
const V1_POST_LIMIT: usize = 1024 * 1024;
/// The maximum size of the query of a GET, in bytes.
const GET_LIMIT: usize = 32 * 1024;
/// Recorded instead of a name that no action has.
const UNKNOWN_ACTION: &str = "unknown action";

/// Handles any request at `/`. The response is always 200, with the action's output or an error in the envelope.
pub(super) async fn respond(app: &App, caller: &Caller, parts: &Parts, body: Incoming) -> Response {
    let mut texts = None;
    match run(app, caller, &mut texts, parts, body).await {
        Ok(output) => envelope::success(&output, caller.request_id),
        Err(error) => envelope::failure(&error, texts.unwrap_or_else(|| texts_for(&parts.headers)), caller.request_id),
    }
}

/// Runs a request. Sets `texts` if its parameters name a language, as those of version 1 do.
async fn run(
    app: &App,
    caller: &Caller,
    texts: &mut Option<&'static Texts>,
    parts: &Parts,
    body: Incoming,
) -> Result<ActionOutput, ApiError> {
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
        return signed_by_header(app, caller, parts, body).await;
    }
    let params = if is_get {
        params::decode(query.as_bytes())?
    } else if params::may_be_form(&parts.headers) {
        let body = app.body_budget.read(body, Terms::new(V1_POST_LIMIT, caller.address, &parts.headers)).await?;
        if params::is_form(&parts.headers, &body.bytes) { params::decode(&body.bytes)? } else { Vec::new() }
    } else {
        Vec::new()
    };
    if let Some(tag) = params::value(&params, "Language") {
        *texts = Some(Texts::of_tag(tag).unwrap_or_else(Texts::fallback));
    }
    signed_by_parameters(app, caller, parts, params).await
}

/// Version 3, in which action and version are headers.
async fn signed_by_header(app: &App, caller: &Caller, parts: &Parts, body: Incoming) -> Result<ActionOutput, ApiError> {
    let action = agreed(&parts.headers, X_TC_ACTION).unwrap_or_default();
    let admission = Admission::new(app, context(caller, action));
    let unread = unread(parts, &[]);
    let body = admission.precheck(&unread, body).await?;
    let body = app.body_budget.read(body, Terms::new(V3_POST_LIMIT, caller.address, &parts.headers)).await?;
    let request = SentRequest { body: SentBody::Whole(&body.bytes), ..unread };
    let Accepted { signed, .. } = admission.ask(&request).await?;
    let params = if parts.method == Method::GET {
        Params::from_pairs(params::decode(request.query.as_bytes())?)?
    } else {
        Params::from_body(&parts.headers, &body.bytes)?
    };
    let version = agreed(&parts.headers, X_TC_VERSION);
    table::run(version, action, ActionCall { app, caller, signed: &signed, params }).await
}

/// Version 1, in which action and version are parameters, decoded from the query or the body.
async fn signed_by_parameters(
    app: &App,
    caller: &Caller,
    parts: &Parts,
    all: Vec<(String, String)>,
) -> Result<ActionOutput, ApiError> {
    let action = params::value(&all, "Action").unwrap_or_default();
    let Accepted { signed, .. } = Admission::new(app, context(caller, action)).ask(&unread(parts, &all)).await?;
    let (action, version) = (action.to_owned(), params::value(&all, "Version").map(str::to_owned));
    let params = Params::from_pairs(params::without_common(all))?;
    table::run(version.as_deref(), &action, ActionCall { app, caller, signed: &signed, params }).await
}

fn context(caller: &Caller, action: &str) -> CheckContext<'static> {
    let Caller { address, request_id, .. } = *caller;
    let requested = Requested::Action(table::known(action).unwrap_or(UNKNOWN_ACTION));
    CheckContext { entry_point: EntryPoint::Action, requested, address, request_id }
}

fn unread<'r>(parts: &'r Parts, parameters: &'r [(String, String)]) -> SentRequest<'r> {
    SentRequest {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        body: SentBody::Unread,
        parameters,
    }
}
