//! The reason why a signed request was refused, as it is counted and recorded.

use super::stored_names::stored_names;

stored_names! {
    /// The reason why a signed request was refused. The stored name appears in usage records and in the `result` label
    /// of `latchkey_checks_total`. Callers are told less, by `entry::api_error`.
    Reason {
        /// The claim could not be read, or contains no well-formed SecretId.
        Malformed = "malformed",
        /// No key has this SecretId.
        UnknownKey = "unknown key",
        /// The key was deleted.
        Deleted = "deleted",
        /// The key was disabled, and the signature was right.
        Disabled = "disabled",
        /// The key was disabled, and the body was too long to be read for a disabled key, so the signature was not
        /// checked.
        DisabledUnread = "disabled unread",
        /// The signature does not match the request.
        WrongSignature = "wrong signature",
        /// The signature was right, but its timestamp is too far from the server's clock.
        Expired = "expired",
        /// The signature was right, but a temporary token was sent along.
        Token = "token",
        /// The check itself failed.
        Fault = "fault",
    }
}
