//! Reading headers that may stand once, or alike.

use axum::http::HeaderMap;
use axum::http::header::AsHeaderName;

/// The value of a header that must stand exactly once.
pub fn only(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// The value of a header that may stand more than once, if it says the same each time: some clients send one twice.
pub fn agreed(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.all(|other| other == value) { value.to_str().ok() } else { None }
}
