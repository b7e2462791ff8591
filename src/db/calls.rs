//! The calls of a key that are listed individually.

use sqlx::FromRow;

use super::{Db, on};
use crate::types::clock::Timestamp;
use crate::types::id::SecretId;

/// A listed call.
#[derive(Clone, Debug, FromRow)]
pub struct CallRow {
    /// The time of the call.
    pub at: Timestamp,
    /// The ID that the caller was told.
    pub request_id: String,
    /// The purpose of the call, as it is recorded.
    pub action: String,
    /// The client's address.
    pub address: String,
    /// `true` if the call was accepted.
    pub accepted: bool,
    /// The reason for the refusal, in full; empty if the call was accepted.
    pub reason: String,
    /// `true` if the refusal can be looked up.
    pub is_diagnosed: bool,
}

/// Selects calls.
#[derive(Clone, Debug, Default)]
pub struct CallFilter {
    /// Only accepted calls, or only refused ones.
    pub accepted: Option<bool>,
    /// A part of the action, in any case.
    pub action: String,
    /// A part of the address, in any case.
    pub address: String,
}

/// The place of a call in the list: its time, and its request ID among the calls of that time.
pub type Place = (Timestamp, String);

/// The latest calls of a key that the filter selects, newest first: those from `from` on, and, if there is a `before`,
/// before that place.
pub async fn latest(
    db: &Db,
    secret_id: &SecretId,
    filter: &CallFilter,
    from: Timestamp,
    before: Option<&Place>,
    limit: i64,
) -> sqlx::Result<Vec<CallRow>> {
    let statement = "select use_record.at, use_record.request_id, use_record.action, use_record.address,
            use_record.accepted, use_record.reason, refused_call.request_id is not null as is_diagnosed
        from use_record left join refused_call on refused_call.request_id = use_record.request_id
        where use_record.secret_id = $1 and use_record.at >= $2 and use_record.at <= $3
            and (use_record.at < $3 or use_record.request_id < $4)
            and ($5 < 0 or use_record.accepted = ($5 = 1))
            and lower(use_record.action) like $6 escape '!' and use_record.address like $7 escape '!'
        order by use_record.at desc, use_record.request_id desc limit $8";
    let (at, request_id) = before.map_or((Timestamp(i64::MAX), ""), |(at, id)| (*at, id.as_str()));
    let accepted = filter.accepted.map_or(-1, i64::from);
    let (action, address) = (pattern(&filter.action), pattern(&filter.address));
    on!(db, pool => sqlx::query_as(statement).bind(secret_id).bind(from).bind(at).bind(request_id).bind(accepted)
        .bind(&action).bind(&address).bind(limit).fetch_all(pool).await)
}

/// The pattern of texts that contain `part`.
fn pattern(part: &str) -> String {
    let mut pattern = String::from("%");
    for c in part.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}
