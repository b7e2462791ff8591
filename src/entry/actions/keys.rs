//! The actions. Routed by version and action alone: clients put into the signature's service whatever their endpoint
//! begins with.

use secrecy::ExposeSecret;
use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};
use serde_json::{Value, json};

use super::envelope::ApiError;
use super::params::{Params, for_message};
use crate::app::App;
use crate::check::checker::Signed;
use crate::http::tracked::Caller;
use crate::keys::lifecycle;
use crate::keys::lifecycle::ApiKeyRow;
use crate::types::error::Error;
use crate::types::event::{Actor, Origin};
use crate::types::key_state::KeyState;

const CAM: &str = "2019-01-16";
const STS: &str = "2018-08-13";

/// Calls a second and account, where the protocol documents a limit.
const CHANGES_PER_SECOND: u32 = 5;
const READS_PER_SECOND: u32 = 20;

/// The names of all actions. What is not among them is nowhere stored or logged.
const NAMES: [&str; 10] = [
    "GetCallerIdentity",
    "ListAccessKeys",
    "CreateAccessKey",
    "UpdateAccessKey",
    "DeleteAccessKey",
    "GetSecurityLastUsed",
    "GetUserAppId",
    "GetAccountSummary",
    "DescribeSafeAuthFlag",
    "QueryApiKey",
];

/// An action's name, if there is one of that name.
pub(crate) fn known(sent: &str) -> Option<&'static str> {
    NAMES.into_iter().find(|name| *name == sent)
}

/// A checked request for an action.
pub(crate) struct Call<'a> {
    /// Whose.
    pub(crate) signed: &'a Signed,
    /// As sent.
    pub(crate) version: Option<&'a str>,
    /// As sent.
    pub(crate) action: &'a str,
    /// Its own parameters.
    pub(crate) params: Params,
}

/// What an action answers, without its envelope.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Answer {
    /// Of `GetCallerIdentity`, which is asked for so often that no tree is built for it.
    Identity(CallerIdentity),
    /// Of any other.
    Other(Value),
}

/// Whose key it is.
pub(crate) struct CallerIdentity {
    arn: String,
    uin: String,
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

/// Runs the action of a checked request.
pub(crate) async fn dispatch(app: &App, caller: &Caller, call: Call<'_>) -> Result<Answer, ApiError> {
    match (call.version, call.action) {
        (None | Some(""), _) => Err(ApiError::MissingParameter("Version")),
        (_, "") => Err(ApiError::MissingParameter("Action")),
        (Some(STS), "GetCallerIdentity") => get_caller_identity(app, call.signed, call.params).map(Answer::Identity),
        // On the heap: the call that only asks who it is, the commonest by far, need not carry their state.
        _ => {
            let origin =
                Origin::of_request(Actor::Key(call.signed.secret_id().clone()), caller.address, caller.request_id);
            Box::pin(run(app, &origin, call)).await.map(Answer::Other)
        }
    }
}

async fn run(app: &App, origin: &Origin, call: Call<'_>) -> Result<Value, ApiError> {
    let Call { signed, version, action, params } = call;
    match (version, known(action).unwrap_or_default()) {
        (Some(STS), "QueryApiKey") => query_api_key(app, signed, params).await,
        (Some(CAM), "CreateAccessKey") => create_access_key(app, origin, signed, params).await,
        (Some(CAM), "ListAccessKeys") => list_access_keys(app, signed, params).await,
        (Some(CAM), "UpdateAccessKey") => update_access_key(app, origin, signed, params).await,
        (Some(CAM), "DeleteAccessKey") => delete_access_key(app, origin, signed, params).await,
        (Some(CAM), "GetSecurityLastUsed") => get_security_last_used(app, signed, params).await,
        (Some(CAM), "GetUserAppId") => get_user_app_id(app, signed, params),
        (Some(CAM), "GetAccountSummary") => get_account_summary(params),
        (Some(CAM), "DescribeSafeAuthFlag") => describe_safe_auth_flag(params),
        (Some(STS | CAM), _) => Err(ApiError::InvalidAction(for_message(action))),
        (version, _) => Err(ApiError::NoSuchVersion(version.unwrap_or_default().chars().take(32).collect())),
    }
}

fn limit(app: &App, signed: &Signed, action: &'static str, per_second: u32) -> Result<(), ApiError> {
    if !app.settings.api_rate_limits || app.call_rates.admit((signed.uin(), action), per_second) {
        Ok(())
    } else {
        Err(ApiError::RateLimit)
    }
}

fn may_manage_keys(app: &App) -> Result<(), ApiError> {
    if app.settings.api_manages_keys { Ok(()) } else { Err(ApiError::Unauthorized) }
}

/// sts `GetCallerIdentity`: whose key it is.
fn get_caller_identity(app: &App, signed: &Signed, params: Params) -> Result<CallerIdentity, ApiError> {
    params.end()?;
    limit(app, signed, "GetCallerIdentity", READS_PER_SECOND)?;
    let uin = signed.uin().0.to_string();
    Ok(CallerIdentity { arn: ["qcs::cam:", &uin, ":uin/", &uin].concat(), uin })
}

/// sts `QueryApiKey`: the account's keys, briefly.
async fn query_api_key(app: &App, signed: &Signed, mut params: Params) -> Result<Value, ApiError> {
    params.target_uin(signed.uin())?;
    params.end()?;
    let keys = lifecycle::list(app, signed.uin()).await?;
    let brief = |key: &ApiKeyRow| {
        let status = if key.state == KeyState::Enabled { 2 } else { 3 };
        json!({ "SecretId": key.secret_id, "CreateTime": key.created_at.seconds(), "Status": status })
    };
    Ok(json!({ "IdKeys": keys.iter().map(brief).collect::<Vec<_>>() }))
}

/// cam `CreateAccessKey`: the one answer that carries a secret.
async fn create_access_key(app: &App, origin: &Origin, signed: &Signed, mut params: Params) -> Result<Value, ApiError> {
    params.target_uin(signed.uin())?;
    let description = params.description()?;
    params.end()?;
    may_manage_keys(app)?;
    limit(app, signed, "CreateAccessKey", CHANGES_PER_SECOND)?;
    let created = lifecycle::create(app, origin, signed.uin(), description.as_deref()).await?;
    let row = lifecycle::find(app, signed.uin(), &created.secret_id).await?;
    let mut shown = access_key(&row);
    shown["SecretAccessKey"] = json!(created.secret_key.expose_secret());
    Ok(json!({ "AccessKey": shown }))
}

/// cam `ListAccessKeys`: the account's keys, without their secrets.
async fn list_access_keys(app: &App, signed: &Signed, mut params: Params) -> Result<Value, ApiError> {
    params.target_uin(signed.uin())?;
    params.end()?;
    limit(app, signed, "ListAccessKeys", READS_PER_SECOND)?;
    let keys = lifecycle::list(app, signed.uin()).await?;
    Ok(json!({ "AccessKeys": keys.iter().map(access_key).collect::<Vec<_>>() }))
}

fn access_key(key: &ApiKeyRow) -> Value {
    let status = if key.state == KeyState::Enabled { "Active" } else { "Inactive" };
    let mut shown = json!({
        "AccessKeyId": key.secret_id,
        "Status": status,
        "CreateTime": key.created_at.api_time(),
    });
    if let Some(remark) = &key.remark {
        shown["Description"] = json!(remark);
    }
    shown
}

/// cam `UpdateAccessKey`: disables or enables a key, the calling one included. Asked for the state it has, it is done.
async fn update_access_key(app: &App, origin: &Origin, signed: &Signed, mut params: Params) -> Result<Value, ApiError> {
    params.target_uin(signed.uin())?;
    let secret_id = params.access_key_id()?;
    let state = params.one_of("Status", &[("Active", KeyState::Enabled), ("Inactive", KeyState::Disabled)])?;
    params.end()?;
    may_manage_keys(app)?;
    limit(app, signed, "UpdateAccessKey", CHANGES_PER_SECOND)?;
    let done = match state {
        KeyState::Enabled => lifecycle::enable(app, origin, signed.uin(), &secret_id).await,
        _ => lifecycle::disable(app, origin, signed.uin(), &secret_id).await,
    };
    match done {
        Ok(()) | Err(Error::KeyAlready(_)) => Ok(json!({})),
        Err(error) => Err(error.into()),
    }
}

/// cam `DeleteAccessKey`: destroys a disabled key.
async fn delete_access_key(app: &App, origin: &Origin, signed: &Signed, mut params: Params) -> Result<Value, ApiError> {
    params.target_uin(signed.uin())?;
    let secret_id = params.access_key_id()?;
    params.end()?;
    may_manage_keys(app)?;
    lifecycle::delete(app, origin, signed.uin(), &secret_id).await?;
    Ok(json!({}))
}

/// cam `GetSecurityLastUsed`: when each of up to ten keys was last used.
async fn get_security_last_used(app: &App, signed: &Signed, mut params: Params) -> Result<Value, ApiError> {
    let asked = params.secret_id_list()?;
    params.end()?;
    app.usage.flush().await;
    let keys = lifecycle::list(app, signed.uin()).await?;
    let mut rows = Vec::with_capacity(asked.len());
    for id in asked {
        let key = keys.iter().find(|key| key.secret_id == id).ok_or(ApiError::SecretNotExist)?;
        rows.push(json!({
            "SecretId": id,
            "LastUsedDate": key.last_used_at.map(|at| at.api_time()[..10].to_owned()),
            "LastSecretUsedDate": key.last_used_at.map(|at| at.0),
        }));
    }
    Ok(json!({ "SecretIdLastUsedRows": rows }))
}

/// cam `GetUserAppId`: the account's numbers.
fn get_user_app_id(app: &App, signed: &Signed, params: Params) -> Result<Value, ApiError> {
    params.end()?;
    limit(app, signed, "GetUserAppId", READS_PER_SECOND)?;
    let uin = signed.uin().to_string();
    Ok(json!({ "Uin": uin, "OwnerUin": uin, "AppId": signed.app_id() }))
}

/// cam `GetAccountSummary`: a root account here has none of these.
fn get_account_summary(params: Params) -> Result<Value, ApiError> {
    params.end()?;
    Ok(json!({
        "Policies": 0, "Roles": 0, "Idps": 0, "User": 0, "Group": 0, "Member": 0, "IdentityProviders": 0,
    }))
}

/// cam `DescribeSafeAuthFlag`: sign-in and sensitive operations both ask for a TOTP code, always.
fn describe_safe_auth_flag(params: Params) -> Result<Value, ApiError> {
    params.end()?;
    let flag = json!({
        "Phone": 0, "Token": 0, "Stoken": 1, "Wechat": 0, "Custom": 0, "Mail": 0, "U2FToken": 0, "Passkey": 0,
    });
    let offsite = json!({ "VerifyFlag": 0, "NotifyPhone": 0, "NotifyEmail": 0, "NotifyWechat": 0, "Tips": 0 });
    Ok(json!({ "LoginFlag": flag, "ActionFlag": flag, "OffsiteFlag": offsite, "PromptTrust": 0 }))
}
