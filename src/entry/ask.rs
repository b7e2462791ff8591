//! Admission for every entry point: here, a claim is read, checked and counted.

use axum::body::{Bytes, HttpBody};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::api_error::ApiError;
use super::envelope;
use crate::app::App;
use crate::check::checker::{Checker, Signed};
use crate::check::context::CheckContext;
use crate::config::{Aws4Scope, GuardScheme};
use crate::http::body;
use crate::metrics::EntryPoint;
use crate::signature::scheme::{Payload, SentRequest};
use crate::signature::{Claim, Malformed, SchemeName, aws4};
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

/// The signature schemes that an entry point accepts, in the order in which they are tried. Any `Authorization` header
/// counts as one of version 3, so that one comes after the others that use the header.
pub(crate) fn schemes(app: &App, entry_point: EntryPoint) -> &'static [SchemeName] {
    if entry_point == EntryPoint::Action {
        return &[SchemeName::Tc3, SchemeName::V1];
    }
    let accepts = |scheme| app.settings.guard_schemes.as_ref().is_none_or(|accepted| accepted.contains(&scheme));
    match (accepts(GuardScheme::Aws4), accepts(GuardScheme::Tc3)) {
        (true, true) => &[SchemeName::Aws4, SchemeName::Tc3],
        (true, false) => &[SchemeName::Aws4],
        (false, _) => &[SchemeName::Tc3],
    }
}

/// The admission of a request, by the rules of its entry point.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admission<'a> {
    checker: &'a Checker,
    context: CheckContext<'a>,
    schemes: &'static [SchemeName],
    /// The scope that aws4 signatures must be for, if it is set.
    scope: Option<&'a Aws4Scope>,
    /// The longest lifetime of a presigned URL, in seconds; 0 if none is accepted.
    longest_presigned: u64,
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
        let schemes = schemes(app, context.entry_point);
        let scope = app.settings.guard_aws4_scope.as_ref();
        let longest_presigned = app.settings.guard_aws4_presigned.as_secs();
        Self { checker: &app.checker, context, schemes, scope, longest_presigned, takes_unsigned_payload }
    }

    /// The scheme under which the request claims to be signed.
    pub(crate) fn scheme(&self, request: &SentRequest<'_>) -> SchemeName {
        SchemeName::of(request, self.schemes)
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
        let claim = self.read(self.scheme(request), request, &payload);
        // The future is boxed, so that the many requests with short bodies do not carry its state.
        match Box::pin(self.checker.precheck(claim, self.context)).await {
            Ok(()) => Ok(body),
            Err(refusal) => {
                body::refuse(body, request.headers);
                Err(refusal.into())
            }
        }
    }

    fn read<'r>(
        &self,
        scheme: SchemeName,
        request: &SentRequest<'r>,
        payload: &'r Payload,
    ) -> Result<Claim<'r>, Malformed> {
        if scheme == SchemeName::Aws4 && self.longest_presigned == 0 && aws4::is_presigned(request.query) {
            return Err(aws4::Malformed::Query.into());
        }
        let claim = scheme.read(request, payload)?;
        if claim.lifetime().is_some_and(|lifetime| lifetime > self.longest_presigned) {
            return Err(aws4::Malformed::Lifetime.into());
        }
        match (claim.scope(), self.scope) {
            (Some(found), Some(Aws4Scope { region, service })) if found != (region.as_str(), service.as_str()) => {
                Err(aws4::Malformed::Scope.into())
            }
            _ => Ok(claim),
        }
    }

    /// Checks a complete request, or one whose body was sent elsewhere.
    pub(crate) async fn ask(&self, request: &SentRequest<'_>) -> Result<Accepted, ApiError> {
        let scheme = self.scheme(request);
        let payload = scheme.payload(request)?;
        if !self.takes_unsigned_payload && payload.is_unsigned() {
            return Err(ApiError::UnsignedPayload);
        }
        let claim = self.read(scheme, request, &payload);
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
pub(crate) fn refuse(error: &ApiError, accepted: &[SchemeName], texts: &Texts, request_id: RequestId) -> Response {
    let mut response = envelope::failure(error, texts, request_id);
    *response.status_mut() = error.guard_status();
    if response.status() == StatusCode::UNAUTHORIZED {
        for scheme in accepted {
            response.headers_mut().append(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme.as_str()));
        }
    }
    response
}
