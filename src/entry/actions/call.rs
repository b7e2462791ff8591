//! The input and output of an action.

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};
use serde_json::Value;

use super::params::Params;
use crate::account::owner::Owner;
use crate::app::App;
use crate::check::checker::Signed;
use crate::entry::api_error::ApiError;
use crate::http::tracked::Caller;
use crate::types::id::Uin;

/// The rate limits per action and account, where the protocol documents one.
pub(super) const CHANGES_PER_SECOND: u32 = 5;
pub(super) const READS_PER_SECOND: u32 = 20;

/// A checked request for an action.
pub(super) struct ActionCall<'a> {
    /// The parts of the running server.
    pub(super) app: &'a App,
    /// The sender of the request.
    pub(super) caller: &'a Caller,
    /// The signer of the request.
    pub(super) signed: &'a Signed,
    /// The action's own parameters.
    pub(super) params: Params,
}

impl ActionCall<'_> {
    /// The account whose key signed the request.
    pub(super) fn uin(&self) -> Uin {
        self.signed.uin()
    }

    /// The proof of identity, for functions that operate on the account.
    pub(super) fn owner(&self) -> Owner {
        Owner::by_signature(self.signed, self.caller.address, self.caller.request_id)
    }

    /// Counts a call towards the account's rate limit for `action`.
    pub(super) fn limit(&self, action: &'static str, per_second: u32) -> Result<(), ApiError> {
        if !self.app.settings.api_rate_limits || self.app.call_rates.admit((self.uin(), action), per_second) {
            Ok(())
        } else {
            Err(ApiError::RateLimit)
        }
    }

    /// Checks that the settings allow keys to manage keys.
    pub(super) fn may_manage_keys(&self) -> Result<(), ApiError> {
        if self.app.settings.api_manages_keys { Ok(()) } else { Err(ApiError::Unauthorized) }
    }
}

/// The output of an action, without its envelope.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ActionOutput {
    /// The output of `GetCallerIdentity`, which is called so often that no JSON tree is built for it.
    Identity(CallerIdentity),
    /// The output of any other action.
    Json(Value),
}

impl From<Value> for ActionOutput {
    fn from(value: Value) -> Self {
        Self::Json(value)
    }
}

/// The identity that belongs to a key.
pub(super) struct CallerIdentity {
    arn: String,
    uin: String,
}

impl CallerIdentity {
    /// The identity for a key of this account.
    pub(super) fn of(uin: Uin) -> Self {
        let uin = uin.0.to_string();
        Self { arn: ["qcs::cam:", &uin, ":uin/", &uin].concat(), uin }
    }
}

impl Serialize for CallerIdentity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { arn, uin } = self;
        let mut identity = serializer.serialize_struct("CallerIdentity", 5)?;
        identity.serialize_field("Arn", arn)?;
        identity.serialize_field("AccountId", uin)?;
        identity.serialize_field("UserId", uin)?;
        identity.serialize_field("PrincipalId", uin)?;
        identity.serialize_field("Type", "CAMUser")?;
        identity.end()
    }
}
