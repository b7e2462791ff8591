//! The domain's error type, in the product's terms. It knows nothing of HTTP: `console::frame::problem` renders it as a
//! page, and `entry::api_error` as an API response.
//!
//! Every fallible function of the domain returns [`Error`]. [`Error::Internal`] carries the cause for the log; the
//! cause never reaches a client. Starting the program has an error type of its own, `StartError`, which is one line for
//! a terminal.

use std::time::Duration;

/// A refusal or a fault.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The account has no such key: it never existed, belongs to another account, or was deleted.
    #[error("no such key in this account")]
    KeyNotFound,
    /// The account already has two keys.
    #[error("the account already has two keys")]
    KeyLimit,
    /// Only a disabled key can be deleted.
    #[error("the key is enabled; it must be disabled before it is deleted")]
    KeyNotDisabled,
    /// The emergency stop has disabled the key. Only a step-up enables it again.
    #[error("the emergency stop has disabled the key; to enable it, its owner has to verify")]
    KeyStopped,
    /// The key is already in the requested state.
    #[error("the key is already {0}")]
    KeyAlready(crate::types::key_state::KeyState),
    /// The remark is not 1 to 1024 printable characters.
    #[error("the remark is too long or has characters that cannot be shown")]
    RemarkInvalid,

    /// The name or password is wrong, or the account has to wait after too many wrong ones. This is deliberately a
    /// single error, so that the cases cannot be told apart.
    #[error("wrong name or password, or too many attempts")]
    SignInRefused,
    /// There were too many failed attempts from the client's address.
    #[error("too many failed attempts from this address")]
    AddressBlocked {
        /// The time until the next attempt is accepted.
        wait: Duration,
    },
    /// The code is wrong or already used, or there were too many wrong ones.
    #[error("the code is wrong or already used, or there were too many attempts")]
    CodeRefused,
    /// The code is right, and has just been used. It does not count as a failed attempt.
    #[error("the code has just been used")]
    CodeSpent {
        /// The time until the authenticator shows the next code. Zero if it already does.
        wait: Duration,
    },
    /// The password given for identity verification is wrong.
    #[error("wrong password")]
    PasswordWrong,

    /// The account has no such session: it never existed, belongs to another account, or has ended.
    #[error("no such session of this account")]
    SessionNotFound,
    /// The session that made the request has itself ended in the meantime.
    #[error("the session has ended")]
    SessionOver,

    /// The account has no such passkey: it never existed, belongs to another account, or was removed.
    #[error("no such passkey of this account")]
    PasskeyNotFound,
    /// The account already has the maximum number of passkeys.
    #[error("the account already has ten passkeys")]
    PasskeyLimit,
    /// The new passkey, or the use of an existing one, was not accepted: it is invalid, too late or already used, or
    /// there were too many attempts.
    #[error("the passkey was not accepted")]
    PasskeyRefused,
    /// The passkey's name is not 1 to 64 printable characters.
    #[error("a passkey's name is 1 to 64 printable characters")]
    PasskeyNameInvalid,

    /// The setup link is unknown, used or expired.
    #[error("the setup link is unknown, used or expired")]
    SetupLinkInvalid,
    /// An account with this name exists already.
    #[error("an account with this name exists already")]
    NameTaken,
    /// The account name is not 1 to 64 printable characters, or contains a colon.
    #[error("an account name is 1 to 64 printable characters, without a colon")]
    NameInvalid,
    /// The new password does not meet the requirements.
    #[error("{0}")]
    PasswordUnfit(PasswordFlaw),
    /// No account has this name. For the command line only: pages never reveal it.
    #[error("there is no account with this name")]
    NoSuchAccount,

    /// More sign-ins are waiting than the server accepts.
    #[error("too many sign-ins are waiting; try again in a moment")]
    Busy,
    /// The database cannot be used at the moment. The operation has not been performed, or its outcome is unknown. The
    /// cause is for the log.
    #[error("the database cannot be used at the moment: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// An internal fault. The cause is for the log.
    #[error("internal error: {0}")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// An internal fault with this cause.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }
}

/// The reason why a new password is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFlaw {
    /// It has fewer than 8 characters.
    #[error("the password is shorter than 8 characters")]
    TooShort,
    /// It has more than 128 characters.
    #[error("the password is longer than 128 characters")]
    TooLong,
    /// It is on the list of common passwords.
    #[error("the password is one of the most common ones")]
    Common,
    /// It is made of the account's or the product's name.
    #[error("the password is made of the account's or the product's name")]
    Name,
}
