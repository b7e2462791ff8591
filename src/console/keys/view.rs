//! A key, as the templates show it.

use crate::console::Console;
use crate::console::frame::moment::Moment;
use crate::keys::change::{self, Spreading};
use crate::keys::lifecycle::ApiKeyRow;
use crate::keys::recent_use;
use crate::types::clock::Timestamp;
use crate::types::error::Error;
use crate::types::id::SecretId;
use crate::types::key_state::KeyState;

/// A key and its recent use.
pub(crate) struct KeyView {
    pub secret_id: SecretId,
    pub short: String,
    pub enabled: bool,
    /// Its state does not hold on every server yet.
    pub spreading: Option<Spreading>,
    /// Disabled by the emergency stop.
    pub stopped: bool,
    /// URLs that are presigned with it are accepted.
    pub presigns: bool,
    pub remark: Option<String>,
    pub remark_value: String,
    pub created: Moment,
    pub state_changed: Moment,
    pub last_used: Option<LastUse>,
    pub calls_24h: i64,
    pub addresses_24h: i64,
    pub refused_since: i64,
    pub revealed: Option<String>,
}

/// The latest accepted call.
pub(crate) struct LastUse {
    pub at: Moment,
    pub action: String,
    pub address: String,
}

impl KeyView {
    /// Reads the recent use from the database. Flush the usage recorder first.
    pub(crate) async fn new(console: &Console, key: ApiKeyRow) -> Result<Self, Error> {
        let recent = recent_use::recent_use(&console.app, &key).await?;
        let spreading = change::spreading(&console.app, &key.secret_id).await?;
        let used = |at: Timestamp| LastUse {
            at: at.into(),
            action: key.last_used_action.clone().unwrap_or_default(),
            address: key.last_used_address.clone().unwrap_or_default(),
        };
        Ok(Self {
            short: key.secret_id.short(),
            enabled: key.state == KeyState::Enabled,
            spreading,
            presigns: !console.app.settings.guard_aws4_presigned.is_zero(),
            stopped: key.stopped_at.is_some(),
            remark_value: key.remark.clone().unwrap_or_default(),
            created: key.created_at.into(),
            state_changed: key.state_changed_at.into(),
            last_used: key.last_used_at.map(used),
            calls_24h: recent.calls,
            addresses_24h: recent.addresses,
            refused_since: recent.refused_since,
            revealed: None,
            remark: key.remark,
            secret_id: key.secret_id,
        })
    }
}
