//! What is found out about a signature that does not match. How is each scheme's own affair: see [`super::tc3::diagnosis`].

use crate::types::stored_names::stored_names;

stored_names! {
    /// The part of the request in which client and server differ.
    Cause {
        /// The scope's date is not the UTC date of the timestamp.
        Date = "date",
        /// Another host was signed than was sent.
        Host = "host",
        /// Another content type was signed than was sent.
        ContentType = "content type",
        /// Another body was signed than was sent, or none.
        Body = "body",
        /// Another query was signed than was sent.
        Query = "query",
        /// Another method was signed than was sent.
        Method = "method",
        /// Another path was signed than was sent.
        Path = "path",
    }
}

/// What the server made of a request.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// As the server has it, values of signed headers in lower case; masked if it is not known to be of the key's owner.
    /// Empty if a signed header is not there.
    pub canonical_request: String,
    /// As the server has it, masked likewise.
    pub string_to_sign: String,
    /// Was the request signed with the key but for the part that differs? Then it is of the key's owner.
    pub variant_was_signed: bool,
    /// The part that differs; none if it is none of those looked at, or several, or the secret.
    pub cause: Option<Cause>,
}
