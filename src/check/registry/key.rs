//! A key as it is held in memory.

use std::sync::Arc;

use secrecy::SecretString;

use crate::check::usage::UsageCounter;
use crate::signature::SigningKeys;
use crate::types::id::{AppId, SecretId, Uin};
use crate::types::key_state::KeyState;

/// A key as it is held in memory, from one change of it to the next.
#[derive(Debug)]
pub struct RegisteredKey {
    /// Its account.
    pub uin: Uin,
    /// The account's APPID.
    pub app_id: AppId,
    /// Enabled, disabled or deleted.
    pub state: KeyState,
    /// None if the key is deleted, or if its stored secret did not open.
    pub secret_key: Option<SecretString>,
    /// Counts its calls in this state.
    pub usage: Arc<UsageCounter>,
    /// Derived from the secret.
    pub(in crate::check) signing_keys: SigningKeys,
}

impl RegisteredKey {
    /// Its id.
    pub fn secret_id(&self) -> &SecretId {
        &self.usage.secret_id
    }
}
