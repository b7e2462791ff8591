//! Error pages. They make the responses of middleware and of axum (404, 405, 413, 415) look like the rest of the
//! console.

use askama::Template;
use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::page::Page;
use super::problem::{PageError, Problem, Rendered, UNAVAILABLE_FOR};
use super::urls::{self, LocalPath};
use crate::http::tracked::Caller;

/// Middleware that renders a response of the session layer, which returns a bare 500 if it could not store a session.
pub async fn unsaved_session(response: Response) -> Response {
    let is_bare = response.extensions().get::<Problem>().is_none() && response.extensions().get::<Rendered>().is_none();
    if response.status() == StatusCode::INTERNAL_SERVER_ERROR && is_bare {
        return PageError::Later(Problem::Unavailable, UNAVAILABLE_FOR).into_response();
    }
    response
}

#[derive(Template, askama_web::WebTemplate)]
#[template(path = "error.html")]
struct ErrorPage {
    page: Page,
    title: &'static str,
    text: &'static str,
    try_again: Option<String>,
    request_id: String,
}

/// Middleware that renders a page for every error response that has none.
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
    let (title, text) = problem.words(page.t);
    let wait = response.headers().get(header::RETRY_AFTER).and_then(|seconds| seconds.to_str().ok()?.parse().ok());
    let try_again = wait.map(page.t.errors.try_again);
    let mut error_page = ErrorPage { page, title, text, try_again, request_id }.into_response();
    *error_page.status_mut() = status;
    // The headers that the inner layers have set, above all cookies, are kept; only the body is replaced.
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
    use crate::texts::LANGUAGES;
    use crate::types::error::{Error, PasswordFlaw};
    use crate::types::key_state::KeyState;

    /// All errors except faults and those that lead to another page.
    fn errors() -> Vec<Error> {
        let flaws = [PasswordFlaw::TooShort, PasswordFlaw::TooLong, PasswordFlaw::Common, PasswordFlaw::Name];
        let refused =
            [Error::KeyNotFound, Error::KeyLimit, Error::KeyNotDisabled, Error::KeyAlready(KeyState::Enabled)];
        let more = [Error::RemarkInvalid, Error::SignInRefused, Error::CodeRefused, Error::PasswordWrong];
        let rest = [Error::SessionNotFound, Error::PasskeyNotFound, Error::PasskeyLimit, Error::PasskeyRefused];
        let names = [Error::PasskeyNameInvalid, Error::SetupLinkInvalid, Error::NameTaken, Error::NameInvalid];
        let spent = [Error::CodeSpent { wait: std::time::Duration::ZERO }, Error::KeyStopped];
        let kinds = refused.into_iter().chain(more).chain(rest).chain(names).chain(spent);
        kinds.chain(flaws.map(Error::PasswordUnfit)).collect()
    }

    #[test]
    fn every_domain_error_has_words_of_its_own_in_each_language() {
        for texts in LANGUAGES {
            let malformed = Problem::FormMalformed.words(texts);
            let mut said = HashSet::new();
            for error in errors() {
                let name = format!("{error:?}");
                let PageError::Problem(problem) = error.into() else { panic!("{name} has no page") };
                assert_ne!(problem.words(texts), malformed, "{name}");
                assert!(said.insert(problem.words(texts)), "{name} has the same words as another");
            }
        }
    }
}
