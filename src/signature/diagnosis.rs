//! The diagnosis of a signature that does not match. Each scheme makes its own; see [`super::tc3::diagnosis`].

use std::borrow::Cow;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest as _, Sha256};

use super::json_forms;
use crate::types::stored_names::stored_names;

stored_names! {
    /// The part of the request in which client and server differ.
    Cause {
        /// The scope's date is not the UTC date of the timestamp.
        Date = "date",
        /// The signed host is not the one that was sent.
        Host = "host",
        /// The signed content type is not the one that was sent.
        ContentType = "content type",
        /// The hash that was signed is not that of the body, but the one that is stated beside it, or that of no body.
        Body = "body",
        /// No body was signed, but one was sent.
        EmptyBody = "empty body",
        /// The signed body ends in a newline and the one that was sent does not, or the other way round.
        TrailingNewline = "trailing newline",
        /// The signed body is the same JSON, with blanks in other places.
        Reserialised = "re-serialised body",
        /// A signed header was sent more than once, with different values.
        RepeatedHeader = "repeated header",
        /// The signed query is not the one that was sent.
        Query = "query",
        /// The signed method is not the one that was sent.
        Method = "method",
        /// The signed path is not the one that was sent.
        Path = "path",
        /// The signed path is the one that was sent, without its empty and dot segments.
        FoldedPath = "folded path",
    }
}

/// The server's view of a refused request.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// The server's canonical request, with the values of signed headers in lower case. Masked unless the request is
    /// known to come from the key's owner. Empty if a signed header is missing.
    pub canonical_request: String,
    /// The server's string to sign, masked likewise.
    pub string_to_sign: String,
    /// `true` if the key signed the request, apart from the part that differs. The request then comes from the key's
    /// owner.
    pub variant_was_signed: bool,
    /// The part that differs. `None` if it is not one of those examined, if there are several, or if the secret
    /// differs.
    pub cause: Option<Cause>,
}

/// The methods that may be shown to anybody.
pub(super) const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/// Returns `part` if it is one of the `harmless`, and otherwise its length and the beginning of its hash.
pub(super) fn masked<'a>(part: &'a str, harmless: &[&str]) -> Cow<'a, str> {
    if harmless.contains(&part) {
        return part.into();
    }
    let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(part.as_bytes())[..4]);
    format!("({} bytes, SHA-256 {hash}…)", part.len()).into()
}

/// Hosts that may have been signed instead of the one that arrived: that of a proxy in between, of this machine, or the
/// one that arrived, with a default port.
pub(super) fn other_hosts(headers: &HeaderMap) -> impl Iterator<Item = String> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (host, forwarded) = (text("host"), text("x-forwarded-host"));
    let port = host.rsplit_once(':').map_or("", |(_, port)| port).to_owned();
    let local = ["localhost", "127.0.0.1", "[::1]"].map(|name| format!("{name}:{port}"));
    let ports = [format!("{host}:80"), format!("{host}:443"), String::new()];
    [forwarded].into_iter().chain(local).chain(ports)
}

/// Content types that clients sign without sending them, because their HTTP library adds or leaves out something.
pub(super) const CONTENT_TYPES: [&str; 7] = [
    "application/json",
    "application/json; charset=utf-8",
    "application/json;charset=utf-8",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "application/octet-stream",
    "",
];

/// The longest body of which other forms are tried.
const LONGEST_BODY: usize = 64 * 1024;

/// Bodies that may have been signed instead of the one that was sent, with the mistake that each is. Without a body at
/// hand, only the lack of one.
pub(super) fn other_bodies(sent: Option<&[u8]>) -> Vec<(Cause, Vec<u8>)> {
    let mut others = vec![(Cause::EmptyBody, Vec::new())];
    let Some(sent) = sent.filter(|sent| sent.len() <= LONGEST_BODY) else { return others };
    let text = sent.trim_ascii_end();
    others.extend(["", "\n", "\r\n"].map(|end| (Cause::TrailingNewline, [text, end.as_bytes()].concat())));
    others.extend(json_forms::of(sent).map(|form| (Cause::Reserialised, form)));
    others
}

/// The headers with a single value, the first or the last, for each signed name that was sent more than once.
pub(super) fn without_repetition<'a>(
    headers: &'a HeaderMap,
    signed: impl Iterator<Item = &'a str>,
) -> impl Iterator<Item = HeaderMap> {
    let repeated = signed.filter(|name| headers.get_all(*name).iter().nth(1).is_some());
    repeated.flat_map(|name| {
        let mut values = headers.get_all(name).iter();
        let single = |value: Option<&HeaderValue>| {
            let mut single = headers.clone();
            single.insert(HeaderName::from_bytes(name.as_bytes()).ok()?, value?.clone());
            Some(single)
        };
        [single(values.next()), single(values.next_back())].into_iter().flatten()
    })
}
