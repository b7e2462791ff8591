//! The actions. Routed by version and action alone: clients put into the signature's service whatever their endpoint
//! begins with.

use serde_json::{Value, json};

use super::envelope::ApiError;
use super::params::Params;
use crate::api_key::{self, KeyState};
use crate::db::api_keys::ApiKeyRow;
use crate::state::App;
use crate::verifier::Signed;

const CAM: &str = "2019-01-16";
const STS: &str = "2018-08-13";

/// Runs the action of a checked request.
pub(super) async fn dispatch(
    app: &App,
    signed: &Signed,
    version: Option<&str>,
    action: &str,
    params: Params,
) -> Result<Value, ApiError> {
    match (version, action) {
        (None, _) => Err(ApiError::MissingParameter("Version")),
        (_, "") => Err(ApiError::MissingParameter("Action")),
        (Some(STS), "GetCallerIdentity") => get_caller_identity(signed, params),
        (Some(CAM), "ListAccessKeys") => list_access_keys(app, signed, params).await,
        (Some(STS | CAM), _) => Err(ApiError::InvalidAction(action.to_owned())),
        (Some(version), _) => Err(ApiError::NoSuchVersion(version.chars().take(32).collect())),
    }
}

/// sts `GetCallerIdentity`: whose key it is.
fn get_caller_identity(signed: &Signed, params: Params) -> Result<Value, ApiError> {
    params.end()?;
    let uin = signed.uin().to_string();
    Ok(json!({
        "Arn": format!("qcs::cam:{uin}:uin/{uin}"),
        "AccountId": uin,
        "UserId": uin,
        "PrincipalId": uin,
        "Type": "CAMUser",
    }))
}

/// cam `ListAccessKeys`: the account's keys, without their secrets.
async fn list_access_keys(app: &App, signed: &Signed, mut params: Params) -> Result<Value, ApiError> {
    params.target_uin(signed.uin())?;
    params.end()?;
    let keys = api_key::list(app, signed.uin()).await?;
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
