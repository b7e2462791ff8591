//! The identity behind a request: the typed session, its stages, and the extractors that are a handler's authorisation
//! rule.
//!
//! The stage extractors ([`SignedIn`] and the others) are created only here, from a session whose account still has the
//! same credential epoch. Every step to a higher stage takes a new session ID. Imports `frame` and `account`, and no
//! page.

pub mod form;
mod signed_in;
mod stage;
pub mod store;
mod visitor;

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use tower_cookies::Cookies;

pub use self::signed_in::SignedIn;
pub(crate) use self::stage::STAGE;
pub use self::stage::Stage;
pub use self::visitor::Visitor;

use super::Console;
use super::frame::problem::{PageError, Problem};
use super::frame::return_to;
use crate::account::setup::Enrolment;
use crate::account::sign_in::PasswordAccepted;

/// A visitor who has entered the correct password, and has to enter a code.
pub struct HalfSignedIn {
    /// The visitor.
    pub visitor: Visitor,
    /// The first step of the sign-in, with the account.
    pub pending: PasswordAccepted,
}

impl FromRequestParts<Console> for HalfSignedIn {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, PageError> {
        let visitor = Visitor::from_request_parts(parts, console).await?;
        match visitor.stage.clone() {
            Some(Stage::HalfSignedIn(half)) => Ok(Self { visitor, pending: half.pending }),
            _ => Err(sign_in_first(parts, console)),
        }
    }
}

/// A visitor who is setting up an account.
pub struct SettingUp {
    /// The visitor.
    pub visitor: Visitor,
    /// The setup in progress.
    pub enrolment: Enrolment,
}

impl FromRequestParts<Console> for SettingUp {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, PageError> {
        let visitor = Visitor::from_request_parts(parts, console).await?;
        match visitor.stage.clone() {
            Some(Stage::Enrolling(enrolling)) => Ok(Self { visitor, enrolment: enrolling.enrolment }),
            _ => Err(sign_in_first(parts, console)),
        }
    }
}

fn sign_in_first(parts: &Parts, console: &Console) -> PageError {
    let had_session = parts.extensions.get::<Cookies>().is_some_and(|c| c.get(&console.site.cookies.session).is_some());
    PageError::SignIn { expired: had_session }
}

/// The error for a form whose token is not valid: the form's session has ended, or the form belongs to another session.
pub(crate) fn form_refused(visitor: &Visitor, parts: &Parts, console: &Console) -> PageError {
    match sign_in_first(parts, console) {
        ended @ PageError::SignIn { expired: true } if visitor.stage.is_none() => {
            return_to::remember(parts, console);
            ended
        }
        _ => Problem::FormExpired.into(),
    }
}

/// Middleware that tells an error page whose session it is in, so that the page has the account bar, the sign-out
/// button, and the token that its switches need.
pub async fn identify(State(console): State<Console>, request: Request, next: Next) -> Response {
    let extensions = request.extensions().clone();
    let mut response = next.run(request).await;
    // Do not wait for the database again after it has already failed to respond.
    if response.extensions().get::<Problem>() == Some(&Problem::Unavailable) {
        return response;
    }
    if response.status().is_client_error() || response.status().is_server_error() {
        let (mut parts, ()) = axum::http::Request::new(()).into_parts();
        parts.extensions = extensions;
        if let Ok(visitor) = Visitor::from_request_parts(&mut parts, &console).await {
            let page = visitor.page(&console);
            let owner = SignedIn::of(visitor, &console).await.ok().flatten();
            response.extensions_mut().insert(owner.map_or(page, |owner| owner.frame(&console)));
        }
    }
    response
}

/// Handlers that serve anybody take this as an argument to say so.
impl FromRequestParts<Console> for Console {
    type Rejection = Infallible;

    async fn from_request_parts(_parts: &mut Parts, console: &Console) -> Result<Self, Infallible> {
        Ok(console.clone())
    }
}
