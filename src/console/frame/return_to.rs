//! The page that was requested before sign-in, kept in a cookie until afterwards.

use axum::http::request::Parts;
use axum::http::{Method, header};
use tower_cookies::Cookies;
use tower_cookies::cookie::time::Duration;

use super::reader::Reader;
use super::urls;
use super::urls::LocalPath;
use crate::console::Console;

const LIFETIME: Duration = Duration::minutes(30);

/// Remembers the requested page. For a submitted form or a file, remembers the page that led to it.
pub(crate) fn remember(parts: &Parts, console: &Console) {
    let asked = || parts.extensions.get::<Reader>().map(|reader| reader.here.clone());
    let from = || parts.headers.get(header::REFERER).and_then(|from| console.site.own_path(from.to_str().ok()?));
    let asks_for_a_page = parts.method == Method::GET && parts.uri.path() != urls::RECORDS_CSV;
    let wanted = if asks_for_a_page { asked() } else { from() };
    if let (Some(wanted), Some(cookies)) = (wanted, parts.extensions.get::<Cookies>()) {
        // The path is encoded, because it may contain characters that a cookie cannot.
        let value = data_encoding::BASE64URL_NOPAD.encode(wanted.as_str().as_bytes());
        let mut cookie = console.site.cookie(console.site.cookies.wanted.clone(), value);
        cookie.set_max_age(LIFETIME);
        cookies.add(cookie);
    }
}

/// Takes the remembered page, or returns the page of the keys if there is none.
pub(crate) fn take(cookies: &Cookies, console: &Console) -> LocalPath {
    let name = &console.site.cookies.wanted;
    let wanted = cookies.get(name).and_then(|cookie| {
        cookies.remove(console.site.cookie(name.clone(), String::new()));
        let path = data_encoding::BASE64URL_NOPAD.decode(cookie.value().as_bytes()).ok()?;
        LocalPath::new(std::str::from_utf8(&path).ok()?)
    });
    wanted.or_else(|| LocalPath::new(urls::KEYS)).unwrap_or_default()
}
