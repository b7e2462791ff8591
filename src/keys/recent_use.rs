//! What a key has been used for lately, and looking into a refused call.

use std::time::Duration;

use crate::account::owner::Owner;
use crate::app::App;
use crate::db::api_keys::ApiKeyRow;
use crate::db::{refused_calls, usage};
use crate::types::clock::Timestamp;
use crate::types::error::Error;
use crate::types::id::{RequestId, SecretId};

pub use crate::db::refused_calls::RefusedCallRow;
pub use crate::db::usage::DayCounts;

/// What "recently" is on the pages: the last 24 hours.
pub const DAY: Duration = Duration::from_hours(24);

/// What a key has been used for in the last 24 hours.
#[derive(Clone, Copy, Debug)]
pub struct RecentUse {
    /// Accepted calls.
    pub calls: i64,
    /// Addresses they came from, as far as calls are listed.
    pub addresses: i64,
    /// Refused calls, not of the last 24 hours but since the key came into its state.
    pub refused_since: i64,
}

/// Counts what the database has. Whoever wants the latest calls counted as well flushes the buffer of use records first.
pub async fn recent_use(app: &App, key: &ApiKeyRow) -> Result<RecentUse, Error> {
    let yesterday = app.clock.now().minus(DAY);
    Ok(RecentUse {
        calls: usage::accepted(&app.db, &key.secret_id, yesterday).await?,
        addresses: usage::count_addresses(&app.db, &key.secret_id, yesterday).await?,
        refused_since: usage::in_state(&app.db, &key.secret_id, key.state_changed_at).await?.refused,
    })
}

/// Has the key had no accepted call in the last 24 hours?
pub fn is_quiet(key: &ApiKeyRow, now: Timestamp) -> bool {
    key.last_used_at.is_none_or(|used| used < now.minus(DAY))
}

/// Up to `limit` addresses that programs called the key from in the last 24 hours, the latest first.
pub async fn addresses(app: &App, secret_id: &SecretId, limit: i64) -> Result<Vec<String>, Error> {
    Ok(usage::addresses(&app.db, secret_id, app.clock.now().minus(DAY), limit).await?)
}

/// What the server made of a refused call of the account, by its request's id.
pub async fn refused_call(app: &App, owner: &Owner, request_id: RequestId) -> Result<Option<RefusedCallRow>, Error> {
    Ok(refused_calls::find(&app.db, owner.uin(), request_id).await?)
}
