//! What every page has around its own contents.

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
    /// Where the switches of language and theme lead back to. Without it there are none: on a page that has no form
    /// token, or that is shown once.
    pub here: Option<LocalPath>,
    /// Where style, script and icon are.
    pub assets: &'static Assets,
    /// Lets this page's style and script through the content security policy.
    pub nonce: String,
    /// The path that was asked for.
    pub path: String,
    /// Goes with every form.
    pub form_token: String,
    /// Whoever is signed in.
    pub account: Option<AccountBar>,
    /// What has just been done.
    pub flash: Option<FlashView>,
}

/// The account as the top bar shows it.
#[derive(Clone, Debug)]
pub struct AccountBar {
    /// Its name.
    pub name: String,
    /// Its number.
    pub uin: Uin,
}

/// A flash message in words.
#[derive(Clone, Debug)]
pub struct FlashView {
    /// The look.
    pub tone: &'static str,
    /// The ARIA role.
    pub role: &'static str,
    /// The text.
    pub text: String,
}

impl Page {
    /// A page without forms, for nobody in particular.
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

    /// A page that comes back by this path after a switch of language or theme.
    #[must_use]
    pub fn at(mut self, path: &str) -> Self {
        self.here = LocalPath::new(path);
        self
    }

    /// Does this entry of the navigation lead to this page, or to the one it hangs under?
    pub fn is_under(&self, entry: &str) -> bool {
        self.path.strip_prefix(entry).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// With this message on top.
    #[must_use]
    pub fn with_flash(mut self, flash: Option<&Flash>) -> Self {
        let texts = self.t;
        self.flash = flash.map(|flash| FlashView { tone: flash.tone(), role: flash.role(), text: flash.text(texts) });
        self
    }
}

/// A page of somebody's account. Such a page is no answer by itself: it is one in this, or with what is wrong with its form in
/// [`refused`].
///
/// 203, not 200: browsers keep pages whole in memory for Back, `no-store` or not, and would show account and secret again
/// after sign-out. A page with another status than 200 they do not keep, and show all the same (RFC 9110, section 15.3.4).
#[derive(Debug)]
pub struct AccountPage<T>(pub T);

impl<T: Template> IntoResponse for AccountPage<T> {
    fn into_response(self) -> Response {
        (StatusCode::NON_AUTHORITATIVE_INFORMATION, self.0.into_web_template()).into_response()
    }
}

/// An answer that shows a secret, and is therefore never compressed. Every answer that does is in this.
#[derive(Debug)]
pub struct Confidential<T>(pub T);

impl<T: IntoResponse> IntoResponse for Confidential<T> {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        response.extensions_mut().insert(ShowsSecret);
        response
    }
}

/// A page with a form whose errors it shows: 422, and complete as it is.
pub fn refused(page: impl Template) -> Response {
    let mut response = (StatusCode::UNPROCESSABLE_ENTITY, page.into_web_template()).into_response();
    response.extensions_mut().insert(Rendered);
    response
}
