//! Reading headers that must appear exactly once, or whose values must agree.

use axum::http::HeaderMap;
use axum::http::header::AsHeaderName;

/// The value of a header that must appear exactly once. `None` if it is missing, repeated or not text.
pub fn only(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// The value of a header that may appear more than once, if all its values are identical: some clients send one twice.
pub fn agreed(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.all(|other| other == value) { value.to_str().ok() } else { None }
}
