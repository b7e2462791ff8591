//! What the audit log can say: who did what, from where, with what result.
//!
//! Invariant: nothing that somebody has typed or sent is in a record. Each part is a name from a list here, an id that this
//! program has made, an address, or a version. So no stranger can put a secret there, or make a record long.

use std::net::IpAddr;

use super::id::{RequestId, SecretId};
use super::stored_names::stored_names;

/// On whose behalf something is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The owner of an account, in the console.
    Account,
    /// A program, with this key.
    Key(SecretId),
    /// Whoever runs the server, on the command line.
    Operator,
    /// Somebody who has not shown who they are.
    Stranger,
}

impl Actor {
    /// The stored name.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Key(_) => "key",
            Self::Operator => "operator",
            Self::Stranger => "stranger",
        }
    }

    /// The key that a program has.
    pub fn key(&self) -> Option<&SecretId> {
        if let Self::Key(key) = self { Some(key) } else { None }
    }

    /// Who is stored like this; none of what only another version knows.
    pub fn parse(stored: &str, key: Option<&str>) -> Option<Self> {
        match (stored, key) {
            ("account", None) => Some(Self::Account),
            ("key", Some(key)) => key.parse().ok().map(Self::Key),
            ("operator", None) => Some(Self::Operator),
            ("stranger", None) => Some(Self::Stranger),
            _ => None,
        }
    }
}

/// Who asks, from where and by which request.
#[derive(Clone, Debug)]
pub struct Origin {
    /// On whose behalf.
    pub actor: Actor,
    /// The client's address; none on the command line.
    pub address: Option<IpAddr>,
    /// The request; none on the command line.
    pub request_id: Option<RequestId>,
}

impl Origin {
    /// The command line's.
    pub fn operator() -> Self {
        Self { actor: Actor::Operator, address: None, request_id: None }
    }

    /// Of a request.
    pub fn of_request(actor: Actor, address: IpAddr, request_id: RequestId) -> Self {
        Self { actor, address: Some(address), request_id: Some(request_id) }
    }

    /// The same place, on behalf of somebody else.
    #[must_use]
    pub fn as_actor(&self, actor: Actor) -> Self {
        Self { actor, ..self.clone() }
    }
}

stored_names! {
    /// What happened.
    #[expect(missing_docs, reason = "each variant says what it is")]
    Action {
        AccountCreated = "account.create",
        SetUp = "account.set-up",
        SetupLinkCreated = "account.set-up-link",
        PasswordAccepted = "sign-in.password",
        SignIn = "sign-in",
        SignOut = "sign-out",
        Verification = "verification",
        MfaReset = "account.reset-mfa",
        RecoveryLinkCreated = "account.recovery-link",
        Recovered = "account.recover",
        ThrottleCleared = "account.unlock",
        SessionsEnded = "account.end-sessions",
        KeyCreated = "key.create",
        KeyRevealed = "key.reveal",
        KeyDisabled = "key.disable",
        KeyEnabled = "key.enable",
        KeyDeleted = "key.delete",
        KeyRemarked = "key.remark",
        PasswordChanged = "account.password",
        TotpReplaced = "account.totp",
        RecoveryCodesReplaced = "account.recovery-codes",
        SessionEnded = "account.end-session",
        RecordsDownloaded = "records.download",
        PasskeyAdded = "account.passkey-add",
        PasskeyRenamed = "account.passkey-rename",
        PasskeyRemoved = "account.passkey-remove",
        MasterKeyRotated = "master-key.rotate",
        MasterKeyRetired = "master-key.retire",
    }
}

stored_names! {
    /// How it ended.
    #[expect(missing_docs, reason = "each variant says what it is")]
    Outcome {
        Done = "done",
        Refused = "refused",
    }
}

stored_names! {
    /// How it ended, in more words.
    Detail {
        /// The password is wrong, or not accepted for now after too many wrong ones.
        Password = "password",
        /// Likewise, and with this failure the address is made to wait. What it asks while it waits is not recorded.
        AddressWaits = "password, address waits",
        /// The code is wrong, spent, or not accepted for now.
        Code = "code",
        /// Signed in with both.
        PasswordAndTotp = "password and TOTP",
        /// Signed in with both.
        PasswordAndRecoveryCode = "password and recovery code",
        /// Signed in by what the set-up has just proved.
        AtSetUp = "set-up",
        /// Of sessions: the one that asked goes on.
        AllButTheAsking = "all but the one that asked",
        /// Of master keys: all but the newest.
        OlderVersions = "older versions",
        /// With a passkey, or with what was no accepted one.
        Passkey = "passkey",
        /// With every other key of the account.
        AllKeys = "all keys",
    }
}
