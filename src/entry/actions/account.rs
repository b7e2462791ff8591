//! The actions on the account: the caller's identity, its numbers, its contents.

use serde_json::json;

use super::call::{ActionCall, ActionOutput, CallerIdentity, READS_PER_SECOND};
use crate::entry::api_error::ApiError;

/// sts `GetCallerIdentity`: the account that the key belongs to.
pub(super) fn get_caller_identity(call: &ActionCall<'_>) -> Result<ActionOutput, ApiError> {
    call.params.end()?;
    call.limit("GetCallerIdentity", READS_PER_SECOND)?;
    Ok(ActionOutput::Identity(CallerIdentity::of(call.uin())))
}

/// cam `GetUserAppId`: the numbers of the account.
pub(super) fn get_user_app_id(call: &ActionCall<'_>) -> Result<ActionOutput, ApiError> {
    call.params.end()?;
    call.limit("GetUserAppId", READS_PER_SECOND)?;
    let uin = call.uin().to_string();
    Ok(json!({ "Uin": uin, "OwnerUin": uin, "AppId": call.signed.app_id() }).into())
}

/// cam `GetAccountSummary`: a root account of this server has none of these.
pub(super) fn get_account_summary(call: &ActionCall<'_>) -> Result<ActionOutput, ApiError> {
    call.params.end()?;
    let summary = json!({
        "Policies": 0, "Roles": 0, "Idps": 0, "User": 0, "Group": 0, "Member": 0, "IdentityProviders": 0,
    });
    Ok(summary.into())
}

/// cam `DescribeSafeAuthFlag`: reports TOTP codes as the second factor of sign-in and of sensitive operations.
pub(super) fn describe_safe_auth_flag(call: &ActionCall<'_>) -> Result<ActionOutput, ApiError> {
    call.params.end()?;
    let flag = json!({
        "Phone": 0, "Token": 0, "Stoken": 1, "Wechat": 0, "Custom": 0, "Mail": 0, "U2FToken": 0, "Passkey": 0,
    });
    let offsite = json!({ "VerifyFlag": 0, "NotifyPhone": 0, "NotifyEmail": 0, "NotifyWechat": 0, "Tips": 0 });
    Ok(json!({ "LoginFlag": flag, "ActionFlag": flag, "OffsiteFlag": offsite, "PromptTrust": 0 }).into())
}
