//! The content of a new record.

use crate::types::event::{Action, Detail, Outcome};
use crate::types::id::{PasskeyHandle, SecretId, SessionHandle, Uin};

/// A record to be appended.
#[derive(Clone, Debug)]
pub struct Event {
    pub(super) action: Action,
    pub(super) uin: Option<Uin>,
    pub(super) target: Option<String>,
    pub(super) outcome: Outcome,
    pub(super) detail: Option<Detail>,
}

impl Event {
    /// A completed `action`, with `uin` if it is about an account.
    pub fn done(action: Action, uin: impl Into<Option<Uin>>) -> Self {
        Self { action, uin: uin.into(), target: None, outcome: Outcome::Done, detail: None }
    }

    /// A refused `action`, with `uin` if it is known whose account it would have been about.
    pub fn refused(action: Action, uin: impl Into<Option<Uin>>, why: Detail) -> Self {
        Self { action, uin: uin.into(), target: None, outcome: Outcome::Refused, detail: Some(why) }
    }

    /// A completed `action` on the installation as a whole.
    pub fn on_installation(action: Action) -> Self {
        Self { action, uin: None, target: None, outcome: Outcome::Done, detail: None }
    }

    /// Sets this version of the master key as the target.
    #[must_use]
    pub fn on_master_key(self, version: i64) -> Self {
        Self { target: Some(format!("version {version}")), ..self }
    }

    /// Sets this key as the target.
    #[must_use]
    pub fn on_key(self, key: &SecretId) -> Self {
        Self { target: Some(key.to_string()), ..self }
    }

    /// Sets this session as the target.
    #[must_use]
    pub fn on_session(self, handle: &SessionHandle) -> Self {
        Self { target: Some(handle.to_string()), ..self }
    }

    /// Sets this passkey as the target.
    #[must_use]
    pub fn on_passkey(self, handle: &PasskeyHandle) -> Self {
        Self { target: Some(handle.to_string()), ..self }
    }

    /// Adds a detail.
    #[must_use]
    pub fn with_detail(self, detail: Detail) -> Self {
        Self { detail: Some(detail), ..self }
    }
}
