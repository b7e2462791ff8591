//! The envelope every answer wears, and the error codes callers know.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::error::Error;
use crate::id::RequestId;
use crate::verifier::{MAX_SKEW_SECONDS, Refusal};

/// What a caller is told of a refusal.
#[derive(Debug)]
pub(super) enum ApiError {
    /// The request is not signed well enough to be looked at.
    Authorization(String),
    SecretIdShape,
    /// Unknown, deleted and disabled keys alike.
    SecretIdNotFound,
    Expired,
    SignatureFailure,
    Token,
    InvalidAction(String),
    NoSuchVersion(String),
    MissingParameter(&'static str),
    UnknownParameter(String),
    InvalidParameter(String),
    InvalidParameterValue(String),
    UinNotMatch,
    UnsupportedProtocol,
    TooLarge,
    Fault,
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Malformed(_) | Refusal::NoAuthorization | Refusal::NoTimestamp => {
                Self::Authorization(refusal.to_string())
            }
            Refusal::SecretIdShape => Self::SecretIdShape,
            Refusal::Token => Self::Token,
            Refusal::UnknownKey | Refusal::Deleted | Refusal::Disabled => Self::SecretIdNotFound,
            Refusal::Signature => Self::SignatureFailure,
            Refusal::Expired => Self::Expired,
            Refusal::Fault(error) => error.into(),
        }
    }
}

impl From<Error> for ApiError {
    /// Logs the cause, here and only here, and forgets it.
    fn from(error: Error) -> Self {
        tracing::error!(%error, "an API request failed");
        Self::Fault
    }
}

impl ApiError {
    fn code(&self) -> &'static str {
        match self {
            Self::Authorization(_) => "AuthFailure.InvalidAuthorization",
            Self::SecretIdShape => "AuthFailure.InvalidSecretId",
            Self::SecretIdNotFound => "AuthFailure.SecretIdNotFound",
            Self::Expired => "AuthFailure.SignatureExpire",
            Self::SignatureFailure => "AuthFailure.SignatureFailure",
            Self::Token => "AuthFailure.TokenFailure",
            Self::InvalidAction(_) => "InvalidAction",
            Self::NoSuchVersion(_) => "NoSuchVersion",
            Self::MissingParameter(_) => "MissingParameter",
            Self::UnknownParameter(_) => "UnknownParameter",
            Self::InvalidParameter(_) => "InvalidParameter",
            Self::InvalidParameterValue(_) => "InvalidParameterValue",
            Self::UinNotMatch => "OperationDenied.UinNotMatch",
            Self::UnsupportedProtocol => "UnsupportedProtocol",
            Self::TooLarge => "RequestSizeLimitExceeded",
            Self::Fault => "InternalError",
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Authorization(why) => format!("The request is not signed as it must be: {why}."),
            Self::SecretIdShape => "The SecretId is malformed. It is AKID followed by 32 letters or digits.".to_owned(),
            Self::SecretIdNotFound => {
                "The SecretId is not found. Check that the key exists and is enabled in the console.".to_owned()
            }
            Self::Expired => format!(
                "The signature is expired: the timestamp is more than {MAX_SKEW_SECONDS} seconds from the server's clock. \
                 Set the clock of this machine."
            ),
            Self::SignatureFailure => {
                "The signature is not that of this request. Check the SecretKey, and that nothing changes the request on \
                 its way."
                    .to_owned()
            }
            Self::Token => "This server issues no temporary tokens. Send the request without one.".to_owned(),
            Self::InvalidAction(what) => format!("The action is not known: {what}."),
            Self::NoSuchVersion(version) => format!("The version is not known: {version}."),
            Self::MissingParameter(name) => format!("The parameter {name} is missing."),
            Self::UnknownParameter(name) => format!("The parameter {name} is not known to this action."),
            Self::InvalidParameter(why) | Self::InvalidParameterValue(why) => format!("{why}."),
            Self::UinNotMatch => "TargetUin is not the account of the key.".to_owned(),
            Self::UnsupportedProtocol => "Only GET and POST are supported.".to_owned(),
            Self::TooLarge => "The request is too large: at most 32 KB for GET and 10 MB for POST.".to_owned(),
            Self::Fault => "An internal error occurred. Try again, and report the RequestId if it stays.".to_owned(),
        }
    }

    /// The refusal in its envelope.
    pub(super) fn respond(&self, request_id: RequestId) -> Response {
        let error = json!({ "Code": self.code(), "Message": self.message() });
        wrap(&json!({ "Error": error, "RequestId": request_id }))
    }
}

/// What an action answers, in its envelope.
pub(super) fn success(mut response: Value, request_id: RequestId) -> Response {
    response["RequestId"] = json!(request_id);
    wrap(&response)
}

fn wrap(response: &Value) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (headers, json!({ "Response": response }).to_string()).into_response()
}
