//! The diagnosis of a signature that does not match. Each scheme makes its own; see [`super::tc3::diagnosis`].

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
