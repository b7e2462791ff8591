//! The diagnosis of a signature that does not match. Each scheme makes its own; see [`super::tc3::diagnosis`].

use std::borrow::Cow;

use axum::http::HeaderMap;
use sha2::{Digest as _, Sha256};

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
        /// The signed body is not the one that was sent, or no body was signed.
        Body = "body",
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
