//! The reasons for which a signed request is refused.

use crate::signature::Malformed;
use crate::types::error::Error;
use crate::types::reason::Reason;

/// The reason why a request is refused, in full. The caller is told less; see `entry::api_error`.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The request carries no claim that could be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The ID does not have the shape of a SecretId.
    #[error("the SecretId does not have the shape of one")]
    SecretIdShape,
    /// A temporary token was sent, which this server does not issue.
    #[error("a token was sent, but this server issues none")]
    Token,
    /// There is no such key.
    #[error("unknown key")]
    UnknownKey,
    /// The key was deleted.
    #[error("deleted key")]
    Deleted,
    /// The key is disabled. Only the usage record depends on whether the signature is right.
    #[error("disabled key")]
    Disabled {
        /// `true` if the signature matches the request. `None` if the body was not read.
        signed: Option<bool>,
    },
    /// The signature does not match the request.
    #[error("wrong signature")]
    Signature,
    /// The timestamp is too far from the server's clock.
    #[error("timestamp too far from the server's clock")]
    Expired,
    /// The check itself failed.
    #[error("the key's state could not be determined: {0}")]
    Fault(Error),
}

impl Refusal {
    /// The reason for usage records and counters.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Malformed(_) | Self::SecretIdShape => Reason::Malformed,
            Self::UnknownKey => Reason::UnknownKey,
            Self::Deleted => Reason::Deleted,
            Self::Disabled { signed: Some(true) } => Reason::Disabled,
            Self::Disabled { signed: None } => Reason::DisabledUnread,
            Self::Signature | Self::Disabled { signed: Some(false) } => Reason::WrongSignature,
            Self::Expired => Reason::Expired,
            Self::Token => Reason::Token,
            Self::Fault(_) => Reason::Fault,
        }
    }

    /// The reason for the key's usage record. `None` if there is no key to show it on, or the outcome says nothing
    /// about the key.
    pub(super) fn recorded(&self) -> Option<Reason> {
        match self {
            Self::Deleted | Self::Disabled { .. } | Self::Signature | Self::Expired | Self::Token => {
                Some(self.reason())
            }
            Self::Malformed(_) | Self::SecretIdShape | Self::UnknownKey | Self::Fault(_) => None,
        }
    }

    /// Returns `true` if the request was refused although it was signed with the key. The signature is checked before
    /// the timestamp and the token.
    pub(super) fn is_of_a_right_signature(&self) -> bool {
        matches!(self, Self::Disabled { signed: Some(true) } | Self::Expired | Self::Token)
    }
}
