//! The errors of the entry points, and the codes callers know them by (API 3.0, common error codes).

use axum::http::StatusCode;

use crate::check::refusal::Refusal;
use crate::http::body::Unread;
use crate::signature::Malformed;
use crate::types::error::Error;

/// Parameters of a query or form. A stranger's form is decoded before anything is known of it, and the shortest ones
/// take fifty times their length.
pub(crate) const MOST_PARAMETERS: usize = 1000;
/// What is wrong where it is the body as a whole.
pub(crate) const BODY: &str = "the body";

/// What a caller of the API, or behind a guard, is told of a refusal.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// The request is not signed well enough to be looked at.
    Authorization(String),
    SecretIdShape,
    /// Unknown, deleted and disabled keys alike.
    SecretIdNotFound,
    Expired,
    SignatureFailure,
    Token,
    /// Keys may not manage keys here.
    Unauthorized,
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
    /// The payload is not signed, and guarded requests must have it signed.
    UnsignedPayload,
    /// The headers in which a proxy describes the request are incomplete or do not agree.
    ContradictoryForward,
    /// The request target has characters that are to be percent-encoded, or does not begin with a slash.
    Target,
    /// The guarded back end did not answer.
    UpstreamDown,
    /// The guarded back end did not answer in time.
    UpstreamSlow,
    TooLarge,
    /// The body did not arrive in time.
    Incomplete,
    /// There was no memory for the body.
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
    /// Logs the cause of a fault, here and only here, and forgets it.
    fn from(error: Error) -> Self {
        match error {
            Error::KeyLimit => Self::OverLimit,
            Error::KeyNotFound => Self::SecretNotExist,
            Error::KeyNotDisabled => Self::StateForbids,
            Error::RemarkInvalid => Self::InvalidParameterValue("Description"),
            // Of people at the console; and what an action takes for done where it can come.
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
    /// The code callers know it by.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Authorization(_) => "AuthFailure.InvalidAuthorization",
            Self::SecretIdShape => "AuthFailure.InvalidSecretId",
            Self::SecretIdNotFound => "AuthFailure.SecretIdNotFound",
            Self::Expired => "AuthFailure.SignatureExpire",
            Self::SignatureFailure => "AuthFailure.SignatureFailure",
            Self::Token => "AuthFailure.TokenFailure",
            Self::Unauthorized | Self::UnsignedPayload => "AuthFailure.UnauthorizedOperation",
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

    /// For entry points whose callers go by the status.
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

    /// Is it about a body that was not read to its end? Then its connection is of no further use.
    pub(crate) fn ends_connection(&self) -> bool {
        matches!(self, Self::TooLarge | Self::Incomplete | Self::Crowded)
    }
}

/// A name as it was sent, cut, and on one line.
pub(crate) fn for_message(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}
