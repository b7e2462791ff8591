//! The reader's language and theme. They are kept in cookies, so that the first byte of a page is already right and
//! nothing flashes. `console::preferences` changes them.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;

use super::urls::LocalPath;
use crate::console::Console;
use crate::texts::Texts;

/// The colour theme of the pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// The theme of the reader's system.
    #[default]
    System,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// The theme's name in the cookie, in the form and in `<html data-theme>`.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The value of `<meta name="color-scheme">`.
    pub fn color_scheme(self) -> &'static str {
        match self {
            Self::System => "light dark",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The theme with this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::System, Self::Light, Self::Dark].into_iter().find(|theme| theme.name() == name)
    }
}

/// The reader's preferences and current page, as an extension of every request.
#[derive(Clone, Debug)]
pub struct Reader {
    /// The texts in the chosen language, or else in the browser's language.
    pub texts: &'static Texts,
    /// The chosen theme.
    pub theme: Theme,
    /// The current page, to return to after a change of language or theme. For a submitted form, this is its URL
    /// without the query, which is the page that contained the form.
    pub here: LocalPath,
}

impl Reader {
    fn of(request: &Request, console: &Console) -> Self {
        let headers = request.headers();
        let names = &console.site.cookies;
        let uri = request.uri();
        let here = match (request.method(), uri.path_and_query()) {
            (&Method::GET | &Method::HEAD, Some(path_and_query)) => path_and_query.as_str(),
            _ => uri.path(),
        };
        Self {
            texts: cookie(headers, &names.language)
                .and_then(Texts::of_tag)
                .unwrap_or_else(|| accepted_language(headers)),
            theme: cookie(headers, &names.theme).and_then(Theme::named).unwrap_or_default(),
            here: LocalPath::new(here).unwrap_or_default(),
        }
    }
}

/// The value of a cookie. These cookies are read before the layer that reads the others, so that errors of every layer
/// are in the reader's language.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let pairs = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|pairs| pairs.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}

fn accepted_language(headers: &HeaderMap) -> &'static Texts {
    let values = headers.get_all(header::ACCEPT_LANGUAGE).into_iter().filter_map(|value| value.to_str().ok());
    Texts::preferred(&values.collect::<Vec<_>>().join(","))
}

/// Middleware that determines the reader's preferences, and declares in `Vary` that pages depend on them.
pub async fn read(State(console): State<Console>, mut request: Request, next: Next) -> Response {
    let reader = Reader::of(&request, &console);
    request.extensions_mut().insert(reader);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html")) {
        headers.append(header::VARY, HeaderValue::from_static("Accept-Language, Cookie"));
    }
    response
}
