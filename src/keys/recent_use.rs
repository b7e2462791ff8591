//! The recent use of a key, and looking up a refused call.

use std::time::Duration;

use crate::account::owner::Owner;
use crate::app::App;
use crate::db::api_keys::ApiKeyRow;
use crate::db::{refused_calls, usage};
use crate::types::clock::Timestamp;
use crate::types::error::Error;
use crate::types::id::{RequestId, SecretId};

pub use crate::db::refused_calls::RefusedCallRow;

/// The period that the pages call recent: the last 24 hours.
pub const DAY: Duration = Duration::from_hours(24);

/// The use of a key in the last 24 hours.
#[derive(Clone, Copy, Debug)]
pub struct RecentUse {
    /// The number of accepted calls.
    pub calls: i64,
    /// The number of addresses that they came from, among the calls that are listed.
    pub addresses: i64,
    /// The number of refused calls, not in the last 24 hours but since the key entered its state.
    pub refused_since: i64,
}

/// Reads the counts from the database. To include the latest calls, flush the usage recorder first.
pub async fn recent_use(app: &App, key: &ApiKeyRow) -> Result<RecentUse, Error> {
    let yesterday = app.clock.now().minus(DAY);
    Ok(RecentUse {
        calls: usage::accepted(&app.db, &key.secret_id, yesterday).await?,
        addresses: usage::count_addresses(&app.db, &key.secret_id, yesterday).await?,
        refused_since: usage::in_state(&app.db, &key.secret_id, key.state_changed_at).await?.refused,
    })
}

/// Returns `true` if the key has had no accepted call in the last 24 hours.
pub fn is_quiet(key: &ApiKeyRow, now: Timestamp) -> bool {
    key.last_used_at.is_none_or(|used| used < now.minus(DAY))
}

/// Up to `limit` addresses from which the key was used in the last 24 hours, most recent first.
pub async fn addresses(app: &App, secret_id: &SecretId, limit: i64) -> Result<Vec<String>, Error> {
    Ok(usage::addresses(&app.db, secret_id, app.clock.now().minus(DAY), limit).await?)
}

/// The diagnosis of a refused call to the account, by its request ID.
pub async fn refused_call(app: &App, owner: &Owner, request_id: RequestId) -> Result<Option<RefusedCallRow>, Error> {
    Ok(refused_calls::find(&app.db, owner.uin(), request_id).await?)
}
