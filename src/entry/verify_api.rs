//! `POST /v1/verify`: a back end describes a request that it received, and is told whether it is validly signed.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use serde_with::rust::maps_duplicate_key_is_error;
use subtle::{Choice, ConstantTimeEq};

use super::api_error::ApiError;
use super::ask::{Accepted, Admission};
use super::target::path_and_query;
use crate::app::App;
use crate::check::context::{CheckContext, Requested};
use crate::http::body::{Terms, Unread};
use crate::http::headers::only;
use crate::http::tracked::Caller;
use crate::metrics::EntryPoint;
use crate::secret::token::TokenDigest;
use crate::signature::scheme::{SentBody, SentRequest};

/// The path.
pub(crate) const PATH: &str = "/v1/verify";

const BODY_LIMIT: usize = 256 * 1024;

/// The request that a back end received.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    method: String,
    /// The path and query, as sent.
    uri: String,
    /// The headers, each with one value or a list of values.
    #[serde(deserialize_with = "maps_duplicate_key_is_error::deserialize")]
    headers: BTreeMap<String, Values>,
    /// The SHA-256 of the body in lower-case hexadecimal, or `UNSIGNED-PAYLOAD`.
    body_sha256: String,
    /// The client's address, for the usage record.
    address: Option<std::net::IpAddr>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Values {
    One(String),
    Many(Vec<String>),
}

/// Returns 200 with `{"valid":true,…}`, or with `{"valid":false,"code":…,"request_id":…}`, whose ID lets the key's
/// owner look up the refusal. Returns 400 if the question is malformed, 401 if the caller has no token, and 404 if the
/// server has none.
pub(crate) async fn verify(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if app.verify_tokens.is_empty() {
        return problem(StatusCode::NOT_FOUND, "this server has no /v1/verify; start it with --verify-token-file");
    }
    if !has_token(&app, &headers) {
        return problem(StatusCode::UNAUTHORIZED, "send one of the server's tokens as Authorization: Bearer");
    }
    let body = match app.body_budget.read(body, Terms::new(BODY_LIMIT, caller.address, &headers)).await {
        Ok(body) => body,
        Err(unread) => return unread_problem(unread),
    };
    let question: Question = match serde_json::from_slice(&body.bytes) {
        Ok(question) => question,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &format!("the request body is malformed: {error}")),
    };
    match check(&app, &caller, &question).await {
        Ok(identity) => Json(identity).into_response(),
        Err(ApiError::Fault) => problem(StatusCode::SERVICE_UNAVAILABLE, "the key's state could not be determined"),
        Err(error) => {
            let refused = json!({ "valid": false, "code": error.code(), "request_id": caller.request_id });
            Json(refused).into_response()
        }
    }
}

fn problem(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

/// The rest of the question may still be in transit, so the connection cannot be reused.
fn unread_problem(unread: Unread) -> Response {
    let (status, error) = match unread {
        Unread::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, "the request body is longer than 256 KiB"),
        Unread::Incomplete => (StatusCode::REQUEST_TIMEOUT, "the request body did not arrive in time"),
        Unread::Crowded => {
            (StatusCode::SERVICE_UNAVAILABLE, "there are too many long requests at the moment; try again")
        }
    };
    let mut response = problem(status, error);
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Compares every token, so that the time taken does not reveal which one is similar.
fn has_token(app: &App, headers: &HeaderMap) -> bool {
    let sent = only(headers, header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    let digest = TokenDigest::of(sent.unwrap_or_default());
    app.verify_tokens.iter().fold(Choice::from(0), |found, token| found | token.ct_eq(&digest)).into()
}

async fn check(app: &App, caller: &Caller, question: &Question) -> Result<Value, ApiError> {
    if question.method.parse::<Method>().is_err() {
        return Err(ApiError::InvalidParameter("method"));
    }
    let (path, query) = path_and_query(&question.uri)?;
    let headers = header_map(&question.headers).ok_or(ApiError::InvalidParameter("headers"))?;
    let (method, body) = (question.method.as_str(), SentBody::Hashed(&question.body_sha256));
    let address = question.address.unwrap_or(caller.address);
    let requested = Requested::OfBackEnd { method, path };
    let context = CheckContext { entry_point: EntryPoint::Verify, requested, address, request_id: caller.request_id };
    let request = SentRequest { method, path, query, headers: &headers, body, parameters: &[] };
    let Accepted { signed, .. } = Admission::new(app, context).ask(&request).await?;
    Ok(json!({
        "valid": true,
        "code": "VALID",
        "uin": signed.uin().to_string(),
        "app_id": signed.app_id().to_string(),
        "secret_id": signed.secret_id(),
    }))
}

fn header_map(given: &BTreeMap<String, Values>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, values) in given {
        let name: HeaderName = name.parse().ok()?;
        // The same name in another case.
        if headers.contains_key(&name) {
            return None;
        }
        let values = match values {
            Values::One(value) => std::slice::from_ref(value),
            Values::Many(values) => values,
        };
        for value in values {
            headers.append(&name, HeaderValue::from_str(value).ok()?);
        }
    }
    Some(headers)
}
