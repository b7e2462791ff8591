//! The errors that readers are told about, and their texts.

use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::urls;

use crate::texts::{Text, Texts};
use crate::types::error::{Error, PasswordFlaw};

/// The time after which a full queue probably has room again.
const BUSY_FOR: Duration = Duration::from_secs(5);

/// The time after which the database may be available again.
pub(super) const UNAVAILABLE_FOR: Duration = Duration::from_secs(5);

/// An error as a reader is told about it. Each language has its own text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of each say it")]
pub enum Problem {
    NotFound,
    KeyNotFound,
    SessionNotFound,
    PasskeyNotFound,
    LinkInvalid,
    FormExpired,
    FormMalformed,
    CrossSite,
    MethodNotAllowed,
    TooLarge,
    WrongHost,
    TooManyTries,
    Busy,
    Unavailable,
    TimedOut,
    Fault,
    NotDone(NotDone),
}

/// The reason why a form was refused. Most forms show it beside the field; this is for those that have no such field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of each say it")]
pub enum NotDone {
    NameTaken,
    NameInvalid,
    PasswordUnfit(PasswordFlaw),
    PasswordWrong,
    CodeRefused,
    CodeSpent,
    SignInRefused,
    PasskeyRefused,
    PasskeyLimit,
    PasskeyNameInvalid,
    KeyLimit,
    KeyNotDisabled,
    KeyStopped,
    KeyAlready,
    RemarkInvalid,
}

impl Problem {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::NotFound | Self::KeyNotFound | Self::SessionNotFound | Self::PasskeyNotFound => StatusCode::NOT_FOUND,
            Self::LinkInvalid => StatusCode::GONE,
            Self::FormExpired | Self::CrossSite => StatusCode::FORBIDDEN,
            Self::FormMalformed | Self::NotDone(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::WrongHost => StatusCode::MISDIRECTED_REQUEST,
            Self::TooManyTries => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::TimedOut => StatusCode::REQUEST_TIMEOUT,
            Self::Fault => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The problem for a status that axum or a middleware returned without one.
    pub(super) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            StatusCode::FORBIDDEN => Self::CrossSite,
            StatusCode::REQUEST_TIMEOUT => Self::TimedOut,
            status if status.is_client_error() => Self::FormMalformed,
            _ => Self::Fault,
        }
    }

    /// The heading and the text.
    pub(super) fn words(self, texts: &Texts) -> (Text, Text) {
        let errors = &texts.errors;
        match self {
            Self::NotFound => errors.not_found,
            Self::KeyNotFound => errors.key_not_found,
            Self::SessionNotFound => errors.session_not_found,
            Self::PasskeyNotFound => errors.passkey_not_found,
            Self::LinkInvalid => errors.link_invalid,
            Self::FormExpired => errors.form_expired,
            Self::FormMalformed => errors.form_malformed,
            Self::CrossSite => errors.cross_site,
            Self::MethodNotAllowed => errors.method_not_allowed,
            Self::TooLarge => errors.too_large,
            Self::WrongHost => errors.wrong_host,
            Self::TooManyTries => errors.too_many_attempts,
            Self::Busy => errors.busy,
            Self::Unavailable => errors.unavailable,
            Self::TimedOut => errors.timed_out,
            Self::Fault => errors.fault,
            Self::NotDone(why) => (errors.not_done, why.words(texts)),
        }
    }
}

impl NotDone {
    fn words(self, texts: &Texts) -> Text {
        match self {
            Self::NameTaken => texts.errors.name_taken,
            Self::NameInvalid => texts.credentials.name_invalid,
            Self::PasswordUnfit(flaw) => of_flaw(flaw, texts),
            Self::PasswordWrong => texts.credentials.password_wrong,
            Self::CodeRefused => texts.credentials.code_refused,
            Self::CodeSpent => texts.credentials.code_next,
            Self::SignInRefused => texts.sign_in.refused,
            Self::PasskeyRefused => texts.step_up.passkey_refused,
            Self::PasskeyLimit => texts.passkeys.full,
            Self::PasskeyNameInvalid => texts.passkeys.name_invalid,
            Self::KeyLimit => texts.errors.key_limit,
            Self::KeyNotDisabled => texts.errors.key_not_disabled,
            Self::KeyStopped => texts.errors.key_stopped,
            Self::KeyAlready => texts.errors.key_already,
            Self::RemarkInvalid => texts.keys.remark_invalid,
        }
    }
}

/// The text for a flaw of a new password.
pub fn of_flaw(flaw: PasswordFlaw, texts: &Texts) -> Text {
    match flaw {
        PasswordFlaw::TooShort => texts.credentials.too_short,
        PasswordFlaw::TooLong => texts.credentials.too_long,
        PasswordFlaw::Common => texts.credentials.too_common,
        PasswordFlaw::Name => texts.credentials.made_of_name,
    }
}

/// The error type of the console's handlers.
#[derive(Debug)]
pub enum PageError {
    /// An error page.
    Problem(Problem),
    /// An error page, with the time after which to try again.
    Later(Problem, Duration),
    /// A redirect to the sign-in page.
    SignIn {
        /// `true` if there was a session, and it has ended.
        expired: bool,
    },
}

impl From<Problem> for PageError {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Error> for PageError {
    /// Logs faults, here and nowhere else, and drops their causes. The match lists every error, so that a new one
    /// cannot be left without a text.
    fn from(error: Error) -> Self {
        let problem = match &error {
            Error::SessionOver => return Self::SignIn { expired: true },
            Error::KeyNotFound => Problem::KeyNotFound,
            Error::SessionNotFound => Problem::SessionNotFound,
            Error::PasskeyNotFound => Problem::PasskeyNotFound,
            Error::SetupLinkInvalid => Problem::LinkInvalid,
            Error::AddressBlocked { wait } => return Self::Later(Problem::TooManyTries, *wait),
            Error::Busy => return Self::Later(Problem::Busy, BUSY_FOR),
            Error::Unavailable(cause) => {
                tracing::error!(%cause, "a request could not be answered");
                return Self::Later(Problem::Unavailable, UNAVAILABLE_FOR);
            }
            Error::Internal(cause) => {
                tracing::error!(%cause, "a request failed");
                Problem::Fault
            }
            // Only the command line looks up accounts by name. A page never reveals which names exist.
            Error::NoSuchAccount => Problem::NotFound,
            Error::NameTaken => Problem::NotDone(NotDone::NameTaken),
            Error::NameInvalid => Problem::NotDone(NotDone::NameInvalid),
            Error::PasswordUnfit(flaw) => Problem::NotDone(NotDone::PasswordUnfit(*flaw)),
            Error::PasswordWrong => Problem::NotDone(NotDone::PasswordWrong),
            Error::CodeRefused => Problem::NotDone(NotDone::CodeRefused),
            Error::CodeSpent { .. } => Problem::NotDone(NotDone::CodeSpent),
            Error::SignInRefused => Problem::NotDone(NotDone::SignInRefused),
            Error::PasskeyRefused => Problem::NotDone(NotDone::PasskeyRefused),
            Error::PasskeyLimit => Problem::NotDone(NotDone::PasskeyLimit),
            Error::PasskeyNameInvalid => Problem::NotDone(NotDone::PasskeyNameInvalid),
            Error::KeyLimit => Problem::NotDone(NotDone::KeyLimit),
            Error::KeyNotDisabled => Problem::NotDone(NotDone::KeyNotDisabled),
            Error::KeyStopped => Problem::NotDone(NotDone::KeyStopped),
            Error::KeyAlready(_) => Problem::NotDone(NotDone::KeyAlready),
            Error::RemarkInvalid => Problem::NotDone(NotDone::RemarkInvalid),
        };
        Self::Problem(problem)
    }
}

impl From<tower_sessions::session::Error> for PageError {
    /// The session store can only fail because of the database.
    fn from(cause: tower_sessions::session::Error) -> Self {
        use tower_sessions::{session, session_store};
        match cause {
            session::Error::Store(session_store::Error::Backend(cause)) => {
                tracing::error!(%cause, "a session could not be read or written");
                Self::Later(Problem::Unavailable, UNAVAILABLE_FOR)
            }
            other => Error::internal(other).into(),
        }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        match self {
            Self::SignIn { expired: true } => Redirect::to(urls::LOGIN_EXPIRED).into_response(),
            Self::SignIn { expired: false } => Redirect::to(urls::LOGIN).into_response(),
            Self::Problem(problem) => {
                let mut response = problem.status().into_response();
                response.extensions_mut().insert(problem);
                response
            }
            Self::Later(problem, wait) => {
                let mut response = Self::Problem(problem).into_response();
                // Rounded up, so that a client that waits for this time is not too early.
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
                response
            }
        }
    }
}

/// Marks a response with an error status that is already a complete page, such as a form with its errors.
#[derive(Clone, Copy, Debug)]
pub struct Rendered;
