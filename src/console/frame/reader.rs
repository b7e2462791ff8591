//! How somebody reads: the language and theme they have chosen, kept in cookies, so that the very first byte of a page is
//! right and nothing flashes. `console::preferences` changes them.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;

use super::urls::LocalPath;
use crate::console::Console;
use crate::texts::Texts;

/// The look of the pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the reader's system is set.
    #[default]
    System,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// Its name in the cookie, the form and `<html data-theme>`.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// What the browser is told in `<meta name="color-scheme">`.
    pub fn color_scheme(self) -> &'static str {
        match self {
            Self::System => "light dark",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The theme of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::System, Self::Light, Self::Dark].into_iter().find(|theme| theme.name() == name)
    }
}

/// How somebody reads, and where: an extension of every request.
#[derive(Clone, Debug)]
pub struct Reader {
    /// The texts in the language they have chosen, or else their browser's.
    pub texts: &'static Texts,
    /// The theme they have chosen.
    pub theme: Theme,
    /// The page they are on, to come back to after changing one of these. Of a form that was sent, its address without
    /// a query: the page that had the form.
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

/// The value of a cookie; these are read before the layer that reads the others, so that errors of any layer are in the
/// reader's language.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let pairs = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|pairs| pairs.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}

fn accepted_language(headers: &HeaderMap) -> &'static Texts {
    let values = headers.get_all(header::ACCEPT_LANGUAGE).into_iter().filter_map(|value| value.to_str().ok());
    Texts::preferred(&values.collect::<Vec<_>>().join(","))
}

/// Middleware: finds out how somebody reads, and says that pages depend on it.
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
