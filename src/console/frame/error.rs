//! Errors as pages. A handler returns [`PageError`]; the page itself is made by [`render`], so that refusals of the
//! layers and of axum (404, 405, 413, 415) wear it too.

use std::time::Duration;

use askama::Template;
use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use super::page::Page;
use super::urls::{self, LocalPath};
use crate::http::tracked::Caller;
use crate::types::error::Error;
use crate::types::error::PasswordFlaw;

/// A queue that is full has room again soon.
const BUSY_FOR: Duration = Duration::from_secs(5);

/// The database may be back by then.
const UNAVAILABLE_FOR: Duration = Duration::from_secs(5);

/// What a reader is told about an error. The words are in the language's file.
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

/// Why what a form asks for is not done. Most forms say it beside the field; this is for those that have no such field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of each say it")]
pub enum NotDone {
    NameTaken,
    NameInvalid,
    PasswordUnfit(PasswordFlaw),
    PasswordWrong,
    CodeRefused,
    SignInRefused,
    PasskeyRefused,
    PasskeyLimit,
    PasskeyNameInvalid,
    KeyLimit,
    KeyNotDisabled,
    KeyAlready,
    RemarkInvalid,
}

impl Problem {
    fn status(self) -> StatusCode {
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

    /// For statuses that axum and the layers answer with by themselves.
    fn of_status(status: StatusCode) -> Self {
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
}

/// What a handler of the console returns in place of a page.
#[derive(Debug)]
pub enum PageError {
    /// A page that says what is wrong.
    Problem(Problem),
    /// The same, and how long until it may go better.
    Later(Problem, Duration),
    /// Another page is the answer: sign in first.
    SignIn {
        /// A session was there and has ended.
        expired: bool,
    },
}

impl From<Problem> for PageError {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Error> for PageError {
    /// Logs faults, here and only here, and forgets their cause. Every error is named: one that is new has to get its words.
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
            // Of the command line, which asks for accounts by name. A page does not say which names there are.
            Error::NoSuchAccount => Problem::NotFound,
            Error::NameTaken => Problem::NotDone(NotDone::NameTaken),
            Error::NameInvalid => Problem::NotDone(NotDone::NameInvalid),
            Error::PasswordUnfit(flaw) => Problem::NotDone(NotDone::PasswordUnfit(*flaw)),
            Error::PasswordWrong => Problem::NotDone(NotDone::PasswordWrong),
            Error::CodeRefused => Problem::NotDone(NotDone::CodeRefused),
            Error::SignInRefused => Problem::NotDone(NotDone::SignInRefused),
            Error::PasskeyRefused => Problem::NotDone(NotDone::PasskeyRefused),
            Error::PasskeyLimit => Problem::NotDone(NotDone::PasskeyLimit),
            Error::PasskeyNameInvalid => Problem::NotDone(NotDone::PasskeyNameInvalid),
            Error::KeyLimit => Problem::NotDone(NotDone::KeyLimit),
            Error::KeyNotDisabled => Problem::NotDone(NotDone::KeyNotDisabled),
            Error::KeyAlready(_) => Problem::NotDone(NotDone::KeyAlready),
            Error::RemarkInvalid => Problem::NotDone(NotDone::RemarkInvalid),
        };
        Self::Problem(problem)
    }
}

impl From<tower_sessions::session::Error> for PageError {
    /// All that its store can fail with is the database.
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

/// Middleware: the layer of sessions answers so, and without words, where it could not store one.
pub async fn unsaved_session(response: Response) -> Response {
    let is_bare = response.extensions().get::<Problem>().is_none() && response.extensions().get::<Rendered>().is_none();
    if response.status() == StatusCode::INTERNAL_SERVER_ERROR && is_bare {
        return PageError::Later(Problem::Unavailable, UNAVAILABLE_FOR).into_response();
    }
    response
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
                // Rounded up: whoever comes back on time is not too early.
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
                response
            }
        }
    }
}

#[derive(Template, askama_web::WebTemplate)]
#[template(path = "error.html")]
struct ErrorPage {
    page: Page,
    title: &'static str,
    text: String,
    request_id: String,
}

/// Marks a page with an error status that is complete as it is, such as a form with its errors.
#[derive(Clone, Copy, Debug)]
pub struct Rendered;

/// Middleware: gives every error that is not a page yet its page.
pub async fn render(request: Request, next: Next) -> Response {
    let bare = Page::bare(request.extensions());
    let has_own_address = matches!(*request.method(), Method::GET | Method::HEAD);
    let request_id =
        request.extensions().get::<Caller>().map(|caller| caller.request_id.to_string()).unwrap_or_default();
    let mut response = next.run(request).await;
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) || response.extensions().get::<Rendered>().is_some() {
        return response;
    }
    let problem = response.extensions().get().copied().unwrap_or_else(|| Problem::of_status(status));
    let mut page = response.extensions_mut().remove::<Page>().unwrap_or(bare);
    if page.here.is_some() && !has_own_address {
        page.here = Some(LocalPath::default());
    }
    let (title, text) = (page.t.problem)(problem);
    let wait = response.headers().get(header::RETRY_AFTER).and_then(|seconds| seconds.to_str().ok()?.parse().ok());
    let text = wait.map_or_else(|| text.to_owned(), |seconds| (page.t.try_again)(text, seconds));
    let mut error_page = ErrorPage { page, title, text, request_id }.into_response();
    *error_page.status_mut() = status;
    // What the layers inside have set, cookies above all, still goes out; only the body is another.
    for (name, value) in response.headers() {
        if !matches!(name.as_str(), "content-type" | "content-length") {
            error_page.headers_mut().append(name, value.clone());
        }
    }
    error_page
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::console::texts::Words;
    use crate::types::key_state::KeyState;
    use crate::types::language::Language;

    /// All but faults, and what leads to another page.
    fn errors() -> Vec<Error> {
        let flaws = [PasswordFlaw::TooShort, PasswordFlaw::TooLong, PasswordFlaw::Common, PasswordFlaw::Name];
        let refused =
            [Error::KeyNotFound, Error::KeyLimit, Error::KeyNotDisabled, Error::KeyAlready(KeyState::Enabled)];
        let more = [Error::RemarkInvalid, Error::SignInRefused, Error::CodeRefused, Error::PasswordWrong];
        let rest = [Error::SessionNotFound, Error::PasskeyNotFound, Error::PasskeyLimit, Error::PasskeyRefused];
        let names = [Error::PasskeyNameInvalid, Error::SetupLinkInvalid, Error::NameTaken, Error::NameInvalid];
        let kinds = refused.into_iter().chain(more).chain(rest).chain(names);
        kinds.chain(flaws.map(Error::PasswordUnfit)).collect()
    }

    #[test]
    fn every_domain_error_has_words_of_its_own_in_each_language() {
        for language in [Language::English, Language::Chinese] {
            let words = Words::of(language);
            let malformed = (words.problem)(Problem::FormMalformed);
            let mut said = HashSet::new();
            for error in errors() {
                let name = format!("{error:?}");
                let PageError::Problem(problem) = error.into() else { panic!("{name} has no page") };
                assert_ne!((words.problem)(problem), malformed, "{name}");
                assert!(said.insert((words.problem)(problem)), "{name} says what another says");
            }
        }
    }
}
