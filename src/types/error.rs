//! What can go wrong, in the product's terms. No HTTP here: `web::error` and `api::envelope` render it for their readers.
//!
//! Which type where: every fallible function of the domain returns [`Error`]; [`Error::Internal`] carries the cause for
//! the log and never reaches a client. Starting up has its own, `StartError`, one line for a terminal.

use std::time::Duration;

/// A refusal or a fault.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such key in this account: never existed, someone else's, or deleted.
    #[error("no such key in this account")]
    KeyNotFound,
    /// The account has its two keys.
    #[error("the account already has two keys")]
    KeyLimit,
    /// Only a disabled key can be deleted.
    #[error("the key is enabled; it must be disabled before it is deleted")]
    KeyNotDisabled,
    /// The key is already in the state asked for.
    #[error("the key is already {0}")]
    KeyAlready(crate::types::key_state::KeyState),
    /// Not 1 to 1024 printable characters.
    #[error("the remark is too long or has characters that cannot be shown")]
    RemarkInvalid,

    /// Wrong name or password, or the account waits after too many of them: on purpose one answer for all.
    #[error("wrong name or password, or too many tries")]
    SignInRefused,
    /// The caller's own address has failed too often.
    #[error("too many failed tries from this address")]
    AddressBlocked {
        /// How long until the next try.
        wait: Duration,
    },
    /// The code is wrong, has been used, or too many wrong ones were sent.
    #[error("the code is wrong, already used, or there were too many tries")]
    CodeRefused,
    /// The password given to confirm it is you is wrong.
    #[error("wrong password")]
    PasswordWrong,

    /// No such session of this account: never was, someone else's, or over.
    #[error("no such session of this account")]
    SessionNotFound,
    /// The asking session has itself ended meanwhile.
    #[error("the session has ended")]
    SessionOver,

    /// No such passkey of this account: never was, someone else's, or removed.
    #[error("no such passkey of this account")]
    PasskeyNotFound,
    /// The account has as many passkeys as it may.
    #[error("the account already has ten passkeys")]
    PasskeyLimit,
    /// Not a passkey, or not its use, that was asked for: wrong, too late, answered before, or too many tries.
    #[error("the passkey was not accepted")]
    PasskeyRefused,
    /// Not 1 to 64 printable characters.
    #[error("a passkey's name is 1 to 64 printable characters")]
    PasskeyNameInvalid,

    /// The one-time link is unknown, used or too old.
    #[error("the set-up link is unknown, used or expired")]
    SetupLinkInvalid,
    /// An account of this name exists.
    #[error("an account with this name exists already")]
    NameTaken,
    /// Not 1 to 64 printable characters.
    #[error("an account name is 1 to 64 printable characters, without a colon")]
    NameInvalid,
    /// The new password is not good enough.
    #[error("{0}")]
    PasswordUnfit(PasswordFlaw),
    /// No account of this name (for the command line; pages never say it).
    #[error("there is no account with this name")]
    NoSuchAccount,

    /// More sign-ins are waiting than the server takes on.
    #[error("too many sign-ins are waiting; try again in a moment")]
    Busy,
    /// The database cannot be used for now. What was asked for has not been done, or nobody knows whether it has. The cause
    /// is for the log.
    #[error("the database cannot be used at the moment: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// A fault of ours. The cause is for the log.
    #[error("internal error: {0}")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// A fault with this cause.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }
}

/// What is wrong with a new password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFlaw {
    /// Fewer than 8 characters.
    #[error("the password is shorter than 8 characters")]
    TooShort,
    /// More than 128 characters.
    #[error("the password is longer than 128 characters")]
    TooLong,
    /// On the list of common passwords.
    #[error("the password is one of the most common ones")]
    Common,
    /// Made of the account's or the product's name.
    #[error("the password is made of the account's or the product's name")]
    Name,
}
