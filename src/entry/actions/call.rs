//! What an action is given, and what it returns.

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

/// Calls of one action by one account, where the protocol documents a limit.
pub(super) const CHANGES_PER_SECOND: u32 = 5;
pub(super) const READS_PER_SECOND: u32 = 20;

/// A checked request for an action.
pub(super) struct ActionCall<'a> {
    /// What the action works on.
    pub(super) app: &'a App,
    /// Where the request comes from.
    pub(super) caller: &'a Caller,
    /// Who signed it.
    pub(super) signed: &'a Signed,
    /// The action's own parameters.
    pub(super) params: Params,
}

impl ActionCall<'_> {
    /// The account whose key has signed.
    pub(super) fn uin(&self) -> Uin {
        self.signed.uin()
    }

    /// The proof that the key has signed, for whatever works on its account.
    pub(super) fn owner(&self) -> Owner {
        Owner::by_signature(self.signed, self.caller.address, self.caller.request_id)
    }

    /// Takes one call out of the account's rate for `action`.
    pub(super) fn limit(&self, action: &'static str, per_second: u32) -> Result<(), ApiError> {
        if !self.app.settings.api_rate_limits || self.app.call_rates.admit((self.uin(), action), per_second) {
            Ok(())
        } else {
            Err(ApiError::RateLimit)
        }
    }

    /// Do the settings let keys manage keys?
    pub(super) fn may_manage_keys(&self) -> Result<(), ApiError> {
        if self.app.settings.api_manages_keys { Ok(()) } else { Err(ApiError::Unauthorized) }
    }
}

/// What an action returns, without its envelope.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ActionOutput {
    /// Of `GetCallerIdentity`, which is called so often that no tree is built for it.
    Identity(CallerIdentity),
    /// Of any other.
    Json(Value),
}

impl From<Value> for ActionOutput {
    fn from(value: Value) -> Self {
        Self::Json(value)
    }
}

/// Whose key it is.
pub(super) struct CallerIdentity {
    arn: String,
    uin: String,
}

impl CallerIdentity {
    /// Of a key of this account.
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
