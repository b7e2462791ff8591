//! The frame that every page has around its content.

use askama::Template;
use askama_web::WebTemplateExt;
use axum::http::Extensions;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::assets::{ASSETS, Assets};
use super::compression::ShowsSecret;
use super::flash::Flash;
use super::headers::{Nonce, RequestPath};
use super::problem::Rendered;
use super::reader::{Reader, Theme};
use super::urls::LocalPath;
use crate::texts::Texts;
use crate::types::id::Uin;

/// The frame of a page. Templates call it `page`.
#[derive(Clone, Debug)]
pub struct Page {
    /// The texts in the reader's language.
    pub t: &'static Texts,
    /// The reader's theme.
    pub theme: Theme,
    /// The page that the switches for language and theme lead back to. If there is none, the page has no switches: it
    /// has no form token, or is shown only once.
    pub here: Option<LocalPath>,
    /// The paths of style, script and icon.
    pub assets: &'static Assets,
    /// The nonce that allows this page's style and script in the content security policy.
    pub nonce: String,
    /// The requested path.
    pub path: String,
    /// The CSRF token of every form on the page.
    pub form_token: String,
    /// The account that is signed in.
    pub account: Option<AccountBar>,
    /// A message about what has just been done.
    pub flash: Option<FlashView>,
}

/// The account as the top bar shows it.
#[derive(Clone, Debug)]
pub struct AccountBar {
    /// The account's name.
    pub name: String,
    /// The account's number.
    pub uin: Uin,
}

/// A flash message, ready to be shown.
#[derive(Clone, Debug)]
pub struct FlashView {
    /// The appearance.
    pub tone: &'static str,
    /// The ARIA role.
    pub role: &'static str,
    /// The text.
    pub text: String,
}

impl Page {
    /// A page without forms, for an anonymous reader.
    pub fn bare(extensions: &Extensions) -> Self {
        let nonce = extensions.get::<Nonce>().map(|nonce| nonce.0.clone()).unwrap_or_default();
        let path = extensions.get::<RequestPath>().map(|path| path.0.clone()).unwrap_or_default();
        let (t, theme) = extensions
            .get::<Reader>()
            .map_or((Texts::fallback(), Theme::System), |reader| (reader.texts, reader.theme));
        Self {
            t,
            theme,
            here: None,
            assets: &ASSETS,
            nonce,
            path,
            form_token: String::new(),
            account: None,
            flash: None,
        }
    }

    /// Sets the path that leads back to this page after a switch of language or theme.
    #[must_use]
    pub fn at(mut self, path: &str) -> Self {
        self.here = LocalPath::new(path);
        self
    }

    /// Returns `true` if this entry of the navigation leads to this page, or to the page above it.
    pub fn is_under(&self, entry: &str) -> bool {
        self.path.strip_prefix(entry).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Adds a message at the top of the page.
    #[must_use]
    pub fn with_flash(mut self, flash: Option<&Flash>) -> Self {
        let texts = self.t;
        self.flash = flash.map(|flash| FlashView { tone: flash.tone(), role: flash.role(), text: flash.text(texts) });
        self
    }
}

/// A page of an account. A template of such a page is no response by itself: it becomes one in this wrapper or, with
/// the errors of its form, in [`refused`].
///
/// The status is 203, not 200. Even with `no-store`, browsers keep complete pages in memory for the Back button, and
/// would show the account and its secrets again after sign-out. They show a page with a status other than 200 just the
/// same, but do not keep it (RFC 9110, section 15.3.4; ADR 6).
#[derive(Debug)]
pub struct AccountPage<T>(pub T);

impl<T: Template> IntoResponse for AccountPage<T> {
    fn into_response(self) -> Response {
        (StatusCode::NON_AUTHORITATIVE_INFORMATION, self.0.into_web_template()).into_response()
    }
}

/// A response that shows a secret, and is therefore never compressed. Every such response is wrapped in this.
#[derive(Debug)]
pub struct Confidential<T>(pub T);

impl<T: IntoResponse> IntoResponse for Confidential<T> {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        response.extensions_mut().insert(ShowsSecret);
        response
    }
}

/// The response for a page whose form has errors: 422, with the page as it is.
pub fn refused(page: impl Template) -> Response {
    let mut response = (StatusCode::UNPROCESSABLE_ENTITY, page.into_web_template()).into_response();
    response.extensions_mut().insert(Rendered);
    response
}
