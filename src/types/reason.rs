//! Why a signed request was refused, as it is counted and recorded.

use super::stored_names::stored_names;

stored_names! {
    /// Why a signed request was refused. The stored name is in records of use and in the `result` label of
    /// `latchkey_checks_total`; callers are told less, by `entry::ApiError`.
    Reason {
        /// The claim could not be read, or names no key.
        Malformed = "malformed",
        /// No key has this SecretId.
        UnknownKey = "unknown key",
        /// The key was deleted.
        Deleted = "deleted",
        /// The key was disabled, and the signature was right.
        Disabled = "disabled",
        /// The key was disabled, and the body was too long to be read for it, so the signature was not checked.
        DisabledUnread = "disabled unread",
        /// The signature is not that of the request.
        WrongSignature = "wrong signature",
        /// The signature was right, and its timestamp is too far from the server's clock.
        Expired = "expired",
        /// The signature was right, and a temporary token was sent along.
        Token = "token",
        /// The check itself failed.
        Fault = "fault",
    }
}
