//! The envelope of every response of the API (API 3.0, "Response").

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::api_error::ApiError;
use super::messages;
use crate::texts::Texts;
use crate::types::id::RequestId;

#[derive(Serialize)]
struct Envelope<'a, T> {
    #[serde(rename = "Response")]
    response: Named<'a, T>,
}

/// The content of a response, with the request ID.
#[derive(Serialize)]
struct Named<'a, T> {
    #[serde(flatten)]
    content: &'a T,
    #[serde(rename = "RequestId")]
    request_id: RequestId,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Refused<'a> {
    error: ErrorBody<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorBody<'a> {
    code: &'static str,
    message: &'a str,
}

/// The response with the output of an action. The status is 200.
pub(crate) fn success(output: &impl Serialize, request_id: RequestId) -> Response {
    wrap(output, request_id)
}

/// The response with an error. Its status is 200 as well.
pub(crate) fn failure(error: &ApiError, texts: &Texts, request_id: RequestId) -> Response {
    let message = messages::of_error(error, texts);
    let mut response = wrap(&Refused { error: ErrorBody { code: error.code(), message: &message } }, request_id);
    if error.ends_connection() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn wrap(content: &impl Serialize, request_id: RequestId) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    let envelope = Envelope { response: Named { content, request_id } };
    let body = serde_json::to_vec(&envelope).expect("response keys are strings");
    (headers, Body::from(body)).into_response()
}
