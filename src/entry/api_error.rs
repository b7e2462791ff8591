//! The errors of the entry points, and their codes (API 3.0, common error codes).

use axum::http::StatusCode;

use crate::check::refusal::Refusal;
use crate::http::body::Unread;
use crate::signature::Malformed;
use crate::types::error::Error;

/// The maximum number of parameters in a query or form. A form is decoded before its sender is authenticated, and
/// decoding the shortest parameters takes fifty times their length in memory.
pub(crate) const MOST_PARAMETERS: usize = 1000;
/// The name used for an invalid request body as a whole.
pub(crate) const BODY: &str = "the body";

/// The error that a caller of the API, or a client behind a guard, is told.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// The request carries no well-formed signature.
    Authorization(String),
    SecretIdShape,
    /// The key is unknown, deleted or disabled; callers are not told which.
    SecretIdNotFound,
    Expired,
    SignatureFailure,
    Token,
    /// The settings do not allow keys to manage keys.
    Unauthorized,
    /// The key is disabled by the emergency stop.
    Stopped,
    InvalidAction(String),
    NoSuchVersion(String),
    MissingParameter(&'static str),
    UnknownParameter(String),
    RepeatedParameter(String),
    InvalidParameter(&'static str),
    InvalidParameterValue(&'static str),
    UinNotMatch,
    OverLimit,
    SecretNotExist,
    StateForbids,
    RateLimit,
    UnsupportedProtocol,
    /// The payload is not signed, but requests to a back end must have it signed.
    UnsignedPayload,
    /// The headers in which a proxy describes the request are incomplete or contradict each other.
    ContradictoryForward,
    /// The request target contains characters that must be percent-encoded, or does not begin with a slash.
    Target,
    /// The guarded back end did not respond.
    UpstreamDown,
    /// The guarded back end did not respond in time.
    UpstreamSlow,
    TooLarge,
    /// The body did not arrive in time.
    Incomplete,
    /// There was not enough memory for the body.
    Crowded,
    TooManyParameters,
    Fault,
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Malformed(malformed) => malformed.into(),
            Refusal::SecretIdShape => Self::SecretIdShape,
            Refusal::Token => Self::Token,
            Refusal::UnknownKey | Refusal::Deleted | Refusal::Disabled { .. } => Self::SecretIdNotFound,
            Refusal::Signature => Self::SignatureFailure,
            Refusal::Expired => Self::Expired,
            Refusal::Fault(error) => error.into(),
        }
    }
}

impl From<Malformed> for ApiError {
    fn from(malformed: Malformed) -> Self {
        Self::Authorization(malformed.to_string())
    }
}

impl From<Unread> for ApiError {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::TooLong => Self::TooLarge,
            Unread::Incomplete => Self::Incomplete,
            Unread::Crowded => Self::Crowded,
        }
    }
}

impl From<Error> for ApiError {
    /// Logs the cause of a fault, here and nowhere else, and drops it.
    fn from(error: Error) -> Self {
        match error {
            Error::KeyLimit => Self::OverLimit,
            Error::KeyNotFound => Self::SecretNotExist,
            Error::KeyNotDisabled => Self::StateForbids,
            Error::KeyStopped => Self::Stopped,
            Error::RemarkInvalid => Self::InvalidParameterValue("Description"),
            // These errors do not occur in actions, or an action treats them as success.
            Error::KeyAlready(_)
            | Error::SignInRefused
            | Error::AddressBlocked { .. }
            | Error::CodeRefused
            | Error::CodeSpent { .. }
            | Error::PasswordWrong
            | Error::SessionNotFound
            | Error::SessionOver
            | Error::PasskeyNotFound
            | Error::PasskeyLimit
            | Error::PasskeyRefused
            | Error::PasskeyNameInvalid
            | Error::SetupLinkInvalid
            | Error::NameTaken
            | Error::NameInvalid
            | Error::PasswordUnfit(_)
            | Error::NoSuchAccount
            | Error::Busy
            | Error::Unavailable(_)
            | Error::Internal(_) => {
                tracing::error!(%error, "an API request failed");
                Self::Fault
            }
        }
    }
}

impl ApiError {
    /// The error code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Authorization(_) => "AuthFailure.InvalidAuthorization",
            Self::SecretIdShape => "AuthFailure.InvalidSecretId",
            Self::SecretIdNotFound => "AuthFailure.SecretIdNotFound",
            Self::Expired => "AuthFailure.SignatureExpire",
            Self::SignatureFailure => "AuthFailure.SignatureFailure",
            Self::Token => "AuthFailure.TokenFailure",
            Self::Unauthorized | Self::Stopped | Self::UnsignedPayload => "AuthFailure.UnauthorizedOperation",
            Self::InvalidAction(_) => "InvalidAction",
            Self::NoSuchVersion(_) => "NoSuchVersion",
            Self::MissingParameter(_) => "MissingParameter",
            Self::UnknownParameter(_) => "UnknownParameter",
            Self::InvalidParameter(_)
            | Self::RepeatedParameter(_)
            | Self::TooManyParameters
            | Self::Incomplete
            | Self::ContradictoryForward
            | Self::Target => "InvalidParameter",
            Self::InvalidParameterValue(_) => "InvalidParameterValue",
            Self::UinNotMatch => "OperationDenied.UinNotMatch",
            Self::OverLimit => "OperationDenied.AccessKeyOverLimit",
            Self::SecretNotExist => "ResourceNotFound.SecretNotExist",
            Self::StateForbids => "FailedOperation.Accesskey",
            Self::RateLimit | Self::Crowded => "RequestLimitExceeded",
            Self::UnsupportedProtocol => "UnsupportedProtocol",
            Self::UpstreamDown | Self::UpstreamSlow => "InternalError.UpstreamFailure",
            Self::TooLarge => "RequestSizeLimitExceeded",
            Self::Fault => "InternalError",
        }
    }

    /// The HTTP status, for entry points whose callers evaluate it.
    pub(crate) fn guard_status(&self) -> StatusCode {
        match self {
            Self::UnsignedPayload | Self::ContradictoryForward | Self::Target => StatusCode::FORBIDDEN,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Incomplete => StatusCode::REQUEST_TIMEOUT,
            Self::UpstreamDown => StatusCode::BAD_GATEWAY,
            Self::UpstreamSlow => StatusCode::GATEWAY_TIMEOUT,
            Self::Crowded | Self::Fault => StatusCode::SERVICE_UNAVAILABLE,
            Self::Authorization(_)
            | Self::SecretIdShape
            | Self::SecretIdNotFound
            | Self::Expired
            | Self::SignatureFailure
            | Self::Token
            | Self::Unauthorized
            | Self::Stopped
            | Self::InvalidAction(_)
            | Self::NoSuchVersion(_)
            | Self::MissingParameter(_)
            | Self::UnknownParameter(_)
            | Self::RepeatedParameter(_)
            | Self::TooManyParameters
            | Self::InvalidParameter(_)
            | Self::InvalidParameterValue(_)
            | Self::UinNotMatch
            | Self::OverLimit
            | Self::SecretNotExist
            | Self::StateForbids
            | Self::RateLimit
            | Self::UnsupportedProtocol => StatusCode::UNAUTHORIZED,
        }
    }

    /// Returns `true` if the body was not read to its end, so that the connection cannot be reused.
    pub(crate) fn ends_connection(&self) -> bool {
        matches!(self, Self::TooLarge | Self::Incomplete | Self::Crowded)
    }
}

/// A name as it was sent, truncated and without control characters.
pub(crate) fn for_message(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}
