//! The state of a key.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The state of a key in its life cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// Requests signed with it are accepted.
    Enabled,
    /// Requests signed with it are refused.
    Disabled,
    /// The key no longer exists, and its secret has been destroyed.
    Deleted,
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Deleted => "deleted",
        })
    }
}
