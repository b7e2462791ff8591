//! Admission for every entry point: here, a claim is read, checked and counted.

use axum::body::{Bytes, HttpBody};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::api_error::ApiError;
use super::envelope;
use crate::app::App;
use crate::check::checker::{Checker, Signed};
use crate::check::context::CheckContext;
use crate::http::body;
use crate::metrics::EntryPoint;
use crate::signature::SchemeName;
use crate::signature::scheme::{Payload, SentRequest};
use crate::texts::Texts;
use crate::types::id::RequestId;

/// The account of a checked request, for the back end.
const UIN: HeaderName = HeaderName::from_static("x-latchkey-uin");
/// The account's APPID.
const APP_ID: HeaderName = HeaderName::from_static("x-latchkey-app-id");
/// The key's SecretId.
const SECRET_ID: HeaderName = HeaderName::from_static("x-latchkey-secret-id");
/// The payload hash that was signed.
const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-latchkey-content-sha256");

/// The signature schemes that an entry point accepts, in the order in which they are tried.
fn schemes(entry_point: EntryPoint) -> &'static [SchemeName] {
    match entry_point {
        EntryPoint::Action => &[SchemeName::Tc3, SchemeName::V1],
        EntryPoint::ForwardAuth | EntryPoint::Verify | EntryPoint::Guard => &[SchemeName::Tc3],
    }
}

/// The admission of a request, by the rules of its entry point.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admission<'a> {
    checker: &'a Checker,
    context: CheckContext<'a>,
    takes_unsigned_payload: bool,
}

/// An accepted request.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// The signer.
    pub(crate) signed: Signed,
    /// The payload that the signature covers.
    pub(crate) payload: Payload,
}

impl<'a> Admission<'a> {
    /// Applies the rules of the entry point in `context`.
    pub(crate) fn new(app: &'a App, context: CheckContext<'a>) -> Self {
        let of_back_end = context.entry_point != EntryPoint::Action;
        let takes_unsigned_payload = !of_back_end || app.settings.guard_unsigned_payload;
        Self { checker: &app.checker, context, takes_unsigned_payload }
    }

    /// The scheme under which the request claims to be signed.
    pub(crate) fn scheme(&self, request: &SentRequest<'_>) -> SchemeName {
        SchemeName::of(request, schemes(self.context.entry_point))
    }

    /// Checks whether the body of `request` is worth reading. A long body is read only for a claim that may be right.
    /// Returns the body; if the request is refused, the body is discarded.
    pub(crate) async fn precheck<B>(&self, request: &SentRequest<'_>, body: B) -> Result<B, ApiError>
    where
        B: HttpBody<Data = Bytes, Error: Send> + Send + Unpin + 'static,
    {
        if !body::is_long(&body) {
            return Ok(body);
        }
        let payload = Payload::default();
        let claim = self.scheme(request).read(request, &payload);
        // The future is boxed, so that the many requests with short bodies do not carry its state.
        match Box::pin(self.checker.precheck(claim, self.context)).await {
            Ok(()) => Ok(body),
            Err(refusal) => {
                body::refuse(body, request.headers);
                Err(refusal.into())
            }
        }
    }

    /// Checks a complete request, or one whose body was sent elsewhere.
    pub(crate) async fn ask(&self, request: &SentRequest<'_>) -> Result<Accepted, ApiError> {
        let scheme = self.scheme(request);
        let payload = scheme.payload(request)?;
        if !self.takes_unsigned_payload && payload.is_unsigned() {
            return Err(ApiError::UnsignedPayload);
        }
        let claim = scheme.read(request, &payload);
        let signed = self.checker.check(claim, self.context).await?;
        Ok(Accepted { signed, payload })
    }
}

/// The identity headers of a checked request.
pub(crate) fn identity(accepted: &Accepted) -> [(HeaderName, HeaderValue); 4] {
    let Accepted { signed, payload } = accepted;
    let value = |text: &str| HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""));
    [
        (UIN, value(&signed.uin().to_string())),
        (APP_ID, value(&signed.app_id().to_string())),
        (SECRET_ID, value(signed.secret_id().as_str())),
        (CONTENT_SHA256, value(payload.shown())),
    ]
}

/// A refusal for programs that evaluate the status: it contains the envelope and, with 401, the accepted schemes (RFC
/// 9110, section 11.6.1).
pub(crate) fn refuse(error: &ApiError, entry_point: EntryPoint, texts: &Texts, request_id: RequestId) -> Response {
    let mut response = envelope::failure(error, texts, request_id);
    *response.status_mut() = error.guard_status();
    if response.status() == StatusCode::UNAUTHORIZED {
        for scheme in schemes(entry_point) {
            response.headers_mut().append(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme.as_str()));
        }
    }
    response
}
