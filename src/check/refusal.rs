//! Why a signed request is refused.

use crate::signature::Malformed;
use crate::types::error::Error;
use crate::types::reason::Reason;

/// Why a request is refused, in full. The caller is told less: see `entry::api_error`.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no claim that could be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The id is not the shape of a SecretId.
    #[error("the SecretId is not the shape of one")]
    SecretIdShape,
    /// A temporary token, which this server does not issue.
    #[error("a token was sent, and this server issues none")]
    Token,
    /// There is no such key.
    #[error("unknown key")]
    UnknownKey,
    /// The key was deleted.
    #[error("deleted key")]
    Deleted,
    /// The key is disabled; whether the signature is right matters to its record only.
    #[error("disabled key")]
    Disabled {
        /// Is the signature that of this request? Unknown where the body was not read.
        signed: Option<bool>,
    },
    /// The signature is not that of this request.
    #[error("wrong signature")]
    Signature,
    /// The timestamp is too far from the server's clock.
    #[error("timestamp too far from the server's clock")]
    Expired,
    /// The check itself failed.
    #[error("the key's state could not be known: {0}")]
    Fault(Error),
}

impl Refusal {
    /// For records of use and counters.
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

    /// For the key's record of use: none where there is no key to show it on, or the outcome is not the key's own.
    pub(super) fn recorded(&self) -> Option<Reason> {
        match self {
            Self::Deleted | Self::Disabled { .. } | Self::Signature | Self::Expired | Self::Token => {
                Some(self.reason())
            }
            Self::Malformed(_) | Self::SecretIdShape | Self::UnknownKey | Self::Fault(_) => None,
        }
    }

    /// Was the request signed with the key all the same? The signature is looked at before the clock and the token.
    pub(super) fn is_of_a_right_signature(&self) -> bool {
        matches!(self, Self::Disabled { signed: Some(true) } | Self::Expired | Self::Token)
    }
}
