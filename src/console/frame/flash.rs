//! Messages on the next page about what has just been done.

use serde::{Deserialize, Serialize};

use crate::texts::Texts;
use crate::types::id::SecretId;
use crate::types::key_state::KeyState;

/// A message, kept in the session until the next page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Flash {
    /// A key was created.
    KeyCreated(SecretId),
    /// A key was enabled.
    KeyEnabled(SecretId),
    /// A key was disabled.
    KeyDisabled(SecretId),
    /// A key was deleted.
    KeyDeleted(SecretId),
    /// The key was already in the requested state.
    KeyAlready(SecretId, KeyState),
    /// A change to a key was made, and some server has not taken it in yet.
    TakesEffect,
    /// A third key was requested.
    KeyLimit,
    /// Deletion of an enabled key was requested.
    KeyNotDisabled(SecretId),
    /// A remark was saved.
    RemarkSaved(SecretId),
    /// A recovery code was used to sign in; this number is left.
    RecoveryCodesLeft(i64),
    /// The password was changed.
    PasswordChanged,
    /// The authenticator was replaced.
    TotpReplaced,
    /// A session was ended.
    SessionEnded,
    /// All other sessions were ended.
    OtherSessionsEnded,
    /// Every key was disabled; this number had been enabled.
    AllKeysDisabled(usize),
    /// A passkey was added.
    PasskeyAdded,
    /// A passkey was renamed.
    PasskeyRenamed,
    /// A passkey was removed.
    PasskeyRemoved,
    /// An eleventh passkey was requested.
    PasskeyLimit,
}

impl Flash {
    /// The appearance: `good`, `info` or `bad`.
    pub fn tone(&self) -> &'static str {
        match self {
            Self::KeyAlready(..) | Self::TakesEffect | Self::RecoveryCodesLeft(_) | Self::AllKeysDisabled(0) => "info",
            Self::KeyLimit | Self::KeyNotDisabled(_) | Self::PasskeyLimit => "bad",
            _ => "good",
        }
    }

    /// The ARIA role. A refusal interrupts a screen reader; a success waits for its turn.
    pub fn role(&self) -> &'static str {
        if self.tone() == "bad" { "alert" } else { "status" }
    }

    /// The text of the message.
    pub fn text(&self, texts: &Texts) -> String {
        let of_key = |text: fn(&str) -> String, id: &SecretId| text(&id.short());
        let texts = &texts.flash;
        match self {
            Self::KeyCreated(id) => of_key(texts.key_created, id),
            Self::KeyEnabled(id) => of_key(texts.key_enabled, id),
            Self::KeyDisabled(id) => of_key(texts.key_disabled, id),
            Self::KeyDeleted(id) => of_key(texts.key_deleted, id),
            Self::KeyAlready(id, KeyState::Disabled) => of_key(texts.key_already_disabled, id),
            Self::KeyAlready(id, KeyState::Enabled | KeyState::Deleted) => of_key(texts.key_already_enabled, id),
            Self::TakesEffect => texts.takes_effect.to_owned(),
            Self::KeyLimit => texts.key_limit.to_owned(),
            Self::KeyNotDisabled(id) => of_key(texts.key_not_disabled, id),
            Self::RemarkSaved(id) => of_key(texts.remark_saved, id),
            Self::RecoveryCodesLeft(left) => (texts.recovery_codes_left)(*left),
            Self::PasswordChanged => texts.password_changed.to_owned(),
            Self::TotpReplaced => texts.totp_replaced.to_owned(),
            Self::SessionEnded => texts.session_ended.to_owned(),
            Self::OtherSessionsEnded => texts.other_sessions_ended.to_owned(),
            Self::AllKeysDisabled(keys) => (texts.all_keys_disabled)(*keys),
            Self::PasskeyAdded => texts.passkey_added.to_owned(),
            Self::PasskeyRenamed => texts.passkey_renamed.to_owned(),
            Self::PasskeyRemoved => texts.passkey_removed.to_owned(),
            Self::PasskeyLimit => texts.passkey_limit.to_owned(),
        }
    }
}
