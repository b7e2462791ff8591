//! The targets that a guarded request may have: one rule for every entry point.

use super::api_error::ApiError;

/// Splits a request target, as it was sent, into path and query.
///
/// A target must begin with a slash and contain only printable ASCII characters, except those that every client
/// encodes: space, `"`, `<`, `>` and `#`, and in the path a backtick. Anything else must be percent-encoded. Programs
/// between a client and a back end interpret these characters in different ways, but what was signed must be what is
/// served.
pub(crate) fn path_and_query(target: &str) -> Result<(&str, &str), ApiError> {
    let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'<' | b'>' | b'#');
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if !path.starts_with('/') || path.contains('`') || !target.bytes().all(plain) {
        return Err(ApiError::Target);
    }
    Ok((path, query))
}

#[cfg(test)]
mod tests {
    use axum::http::Uri;
    use axum::http::uri::PathAndQuery;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_clients_send_is_taken() {
        for (target, path, query) in [
            ("/", "/", ""),
            ("/a//b/../c;d=1/%2f%zz%", "/a//b/../c;d=1/%2f%zz%", ""),
            ("/x?a[b]={c}|^\\~`&d=?", "/x", "a[b]={c}|^\\~`&d=?"),
            ("//x?", "//x", ""),
            ("/!$&'()*+,=:@-._~", "/!$&'()*+,=:@-._~", ""),
        ] {
            assert_eq!(path_and_query(target).ok(), Some((path, query)), "{target}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let others =
            ["", "*", "x", "?x", "http://h/x", "h:80", "/a b", "/a\"", "/a<", "/a>", "/a`", "/a#b", "/?a#b", "/?\""];
        for target in others.into_iter().chain(["/a`?b", "/你", "/?é", "/\u{7f}", "/\t", "/\0", "/\r\n"]) {
            assert!(path_and_query(target).is_err(), "{target:?}");
        }
    }

    proptest! {
        /// The guard's HTTP library must accept every valid target and pass it on unchanged.
        #[test]
        fn what_is_taken_goes_on_byte_for_byte(target in "/[!-~é]{0,24}") {
            if let Ok((path, query)) = path_and_query(&target) {
                let parsed: PathAndQuery = target.parse().unwrap();
                prop_assert_eq!(parsed.as_str(), &target);
                prop_assert_eq!((parsed.path(), parsed.query().unwrap_or_default()), (path, query));
                let uri = Uri::builder().scheme("http").authority("h").path_and_query(parsed).build().unwrap();
                prop_assert_eq!(uri.to_string(), format!("http://h{target}"));
            }
        }
    }
}
