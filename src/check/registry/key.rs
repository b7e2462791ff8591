//! A key as it is held in memory.

use std::sync::Arc;

use secrecy::SecretString;

use crate::check::usage::UsageCounter;
use crate::signature::SigningKeys;
use crate::types::id::{AppId, SecretId, Uin};
use crate::types::key_state::KeyState;

/// A key as it is held in memory, between one change to it and the next.
#[derive(Debug)]
pub struct RegisteredKey {
    /// The key's account.
    pub uin: Uin,
    /// The account's APPID.
    pub app_id: AppId,
    /// The key's state: enabled, disabled or deleted.
    pub state: KeyState,
    /// The key's secret. `None` if the key is deleted, or if its stored secret did not open.
    pub secret_key: Option<SecretString>,
    /// Counts the key's calls in this state.
    pub usage: Arc<UsageCounter>,
    /// The signing keys derived from the secret.
    pub(in crate::check) signing_keys: SigningKeys,
}

impl RegisteredKey {
    /// The key's SecretId.
    pub fn secret_id(&self) -> &SecretId {
        &self.usage.secret_id
    }
}
